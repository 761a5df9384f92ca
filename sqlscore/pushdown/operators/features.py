"""Operators that prepare features: scaling, filling what is missing, casting."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sqlscore.graph.elements import ELEMENTS
from sqlscore.pushdown.operators import comparisons
from sqlscore.pushdown.operators.logic import opposite
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import case, expression, is_number
from sqlscore.pushdown.sql.sums import layer
from sqlscore.pushdown.values import spans
from sqlscore.pushdown.values.cells import DTYPES, Choice, Line, Term, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def scaler(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Scaler: ``(x - offset) * scale``, each for a column or for all."""
    cells = x.row
    offsets, scales = (_each(node, name, len(cells)) for name in ("offset", "scale"))
    found = [
        _scaled(cell, offset, scale, facts)
        for cell, offset, scale in zip(cells, offsets, scales, strict=True)
    ]
    return Tensor.of(found, "float", x.cells.shape)


def _scaled(cell: Cell, offset: float, scale: float, facts: Expressions) -> Cell:
    if isinstance(cell, Line):
        line = cell.cast(np.float32)
        return line.moved(-offset, np.float32).scaled(scale, np.float32)
    if isinstance(cell, Choice):
        by, factor = np.float32(offset), np.float32(scale)
        return cell.mapped(lambda values: (values.astype(np.float32) - by) * factor)
    weights, bias = np.array([[scale]]), np.array([-offset * scale])
    return layer([cell], weights, bias, np.float32, facts)[0]


def _each(node: Node, name: str, columns: int) -> list[float]:
    values = node.floats(name)
    if len(values) not in {1, columns}:
        raise Refused(f"{len(values)} values of {name} for {columns} columns")
    return values if len(values) == columns else values * columns


def imputer(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Imputer: a value in the place of NaN, or of another value."""
    replaced = node.float("replaced_value_float", 0.0)
    values = _each(node, "imputed_value_floats", len(x.row))
    fill = _imputed if math.isnan(replaced) else partial(_replaced, replaced)
    return Tensor.of(
        [fill(cell, value, facts) for cell, value in zip(x.row, values, strict=True)],
        x.element,
        x.cells.shape,
    )


def _replaced(replaced: float, cell: Cell, value: float, facts: Expressions) -> Cell:
    """The cell, with a value in the place of another one."""
    test = comparisons.compare("Equal", cell, replaced, facts)
    return comparisons.chosen(test, value, cell, facts)


def _imputed(cell: Cell, value: float, facts: Expressions) -> Cell:
    if isinstance(cell, Line):
        return cell.imputed(value)
    if isinstance(cell, Term):
        sql = expression(cell, facts)
        kept = case((is_number(sql, facts), sql), otherwise=literals.number(value, facts))
        return Term(sql=kept, exact=cell.exact)
    if isinstance(cell, Choice):
        return cell.mapped(lambda values: np.where(np.isnan(values), value, values))
    return value if math.isnan(float(cell)) else cell


def cast(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Cast between numbers, and of labels."""
    element = ELEMENTS.get(node.integer("to", 0), "an unknown type")
    if element == x.element:
        return x
    change = _CASTS.get((_kind(x.element), _kind(element)))
    if change is None:
        raise Refused(f"a cast from {x.element} to {element}")
    cells = [change(cell, element, facts) for cell in x.row]
    return Tensor.of(cells, element, x.cells.shape)


def _kind(element: str) -> str:
    if element in DTYPES or element in {"bool", "string"}:
        return "float" if element in DTYPES else element
    return "int" if "int" in element else element


def _to_float(cell: Cell, element: str, _facts: Expressions) -> Cell:
    dtype = DTYPES[element]
    if isinstance(cell, Line):
        return cell.cast(dtype)
    if isinstance(cell, Choice):
        return cell.mapped(lambda values: values.astype(dtype))
    return cell if isinstance(cell, Term) else float(dtype(cell))


def _truth_to_float(cell: Cell, _element: str, facts: Expressions) -> Cell:
    return comparisons.numbered(cell, facts)


def _truth_to_int(cell: Cell, _element: str, facts: Expressions) -> Cell:
    return comparisons.chosen(cell, 1, 0, facts)


def _to_truth(cell: Cell, _element: str, facts: Expressions) -> Cell:
    """Whether it is not zero, as NaN is."""
    return opposite(comparisons.compare("Equal", cell, 0.0, facts))


def _to_int(cell: Cell, _element: str, _facts: Expressions) -> Cell:
    """A class label that the graph kept as a float for a while is whole already."""
    cell = settled(cell)
    if isinstance(cell, Choice):
        return cell.mapped(_whole)
    if isinstance(cell, Term):
        # of what is computed only the bounds are sure; the walk takes care of who asks
        return cell if cell.exact else dataclasses.replace(cell, span=spans.cut(cell.span))
    return cell.truncated() if isinstance(cell, Line) else int(cell)


def _whole(values: np.ndarray) -> np.ndarray:
    whole: np.ndarray = np.trunc(values).astype(np.int64)
    return whole


def _same(cell: Cell, _element: str, _facts: Expressions) -> Cell:
    return cell


_CASTS: dict[tuple[str, str], Callable[[Cell, str, Expressions], Cell]] = {
    ("float", "float"): _to_float,
    ("int", "float"): _to_float,
    ("float", "bool"): _to_truth,
    ("int", "bool"): _to_truth,
    ("bool", "float"): _truth_to_float,
    ("bool", "int"): _truth_to_int,
    ("float", "int"): _to_int,
    ("int", "int"): _same,
}
