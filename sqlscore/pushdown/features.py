"""Operators that prepare features: scaling, filling what is missing, casting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.graph.elements import ELEMENTS
from sqlscore.pushdown import literals
from sqlscore.pushdown.arithmetic import case, expression, is_number
from sqlscore.pushdown.cells import DTYPES, Line, Tensor, Term
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sums import layer

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.node import Node


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
    weights, bias = np.array([[scale]]), np.array([-offset * scale])
    return layer([cell], weights, bias, np.float32, facts)[0]


def _each(node: Node, name: str, columns: int) -> list[float]:
    values = node.floats(name)
    if len(values) not in {1, columns}:
        raise Refused(f"{len(values)} values of {name} for {columns} columns")
    return values if len(values) == columns else values * columns


def imputer(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Imputer that puts a value in the place of NaN."""
    if not math.isnan(node.float("replaced_value_float", 0.0)):
        raise Refused("it replaces another value than NaN")
    values = _each(node, "imputed_value_floats", len(x.row))
    return Tensor.of(
        [_imputed(cell, value, facts) for cell, value in zip(x.row, values, strict=True)],
        x.element,
        x.cells.shape,
    )


def _imputed(cell: Cell, value: float, facts: Expressions) -> Cell:
    if isinstance(cell, Line):
        return cell.imputed(value)
    if isinstance(cell, Term):
        sql = expression(cell, facts)
        kept = case((is_number(sql, facts), sql), otherwise=literals.number(value, facts))
        return Term(sql=kept, exact=cell.exact)
    return value if math.isnan(float(cell)) else cell


def cast(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Cast between numbers, and of labels."""
    element = ELEMENTS.get(node.integer("to", 0), "an unknown type")
    if element == x.element:
        return x
    if element in DTYPES and x.element != "string":
        dtype = DTYPES[element]
        return Tensor.of([_number(cell, dtype) for cell in x.row], element, x.cells.shape)
    whole = {"int64", "int32"}
    if element in whole and x.element in whole:
        return Tensor(x.cells, element)
    raise Refused(f"a cast from {x.element} to {element}")


def _number(cell: Cell, dtype: type[np.floating[Any]]) -> Cell:
    if isinstance(cell, Line):
        return cell.cast(dtype)
    return cell if isinstance(cell, Term) else float(dtype(float(cell)))
