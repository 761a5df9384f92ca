"""Operators over all features of a row: sums, extremes, norms, and where the largest one is."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.elementwise import folded
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    added,
    case,
    divided,
    expression,
    greatest,
    is_number,
    least,
    needs,
    operand,
)
from sqlscore.pushdown.sql.functions import computed, exponential, logarithm, root
from sqlscore.pushdown.sql.sums import layer
from sqlscore.pushdown.sql.transforms import softmax
from sqlscore.pushdown.values.cells import Term
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell

    Reduce = Callable[[Sequence[Cell], type[np.floating[Any]], Expressions], Cell]


def _over(reduce: Reduce) -> Callable[..., Tensor]:
    """An operator that makes one cell of all cells along one axis."""

    def operator(node: Node, facts: Expressions, x: Tensor, axes: Tensor | None = None) -> Tensor:
        given = axes.values().ravel().tolist() if axes is not None else node.integers("axes")
        axis = _axis(given or list(range(x.cells.ndim)), x)
        moved = np.moveaxis(x.cells, axis, -1)
        lists = moved.reshape(-1, moved.shape[-1])
        cells = [reduce(list(one), x.dtype, facts) for one in lists]
        shape = list(moved.shape[:-1])
        kept = bool(node.integer("keepdims", 1))
        if kept:
            shape.insert(axis, 1)
        made = Tensor.of(cells, x.element, tuple(shape))
        rows = x.rows if kept or axis > x.rows else x.rows - 1
        return dataclasses.replace(x, cells=made.cells, rows=rows)

    return operator


def _axis(axes: Sequence[int], x: Tensor) -> int:
    if len(axes) != 1 or axes[0] % x.cells.ndim == x.rows:
        raise Refused("it reduces over rows, or over several axes")
    return int(axes[0]) % x.cells.ndim


def _sum(cells: Sequence[Cell], dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    return layer(cells, np.ones((1, len(cells))), np.zeros(1), dtype, facts)[0]


def _mean(cells: Sequence[Cell], dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    weights = np.full((1, len(cells)), 1 / len(cells))
    return layer(cells, weights, np.zeros(1), dtype, facts)[0]


def _squares(cells: Sequence[Cell], facts: Expressions) -> exp.Expression:
    values = [expression(cell, facts) for cell in cells]
    return added([exp.Mul(this=operand(v), expression=operand(v)) for v in values])


def _sum_square(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    return computed(cells, _squares(cells, facts), span=(0.0, math.inf))


def _norm(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    return computed(cells, root(_squares(cells, facts), facts), span=(0.0, math.inf))


def _sum_sizes(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    sizes = [exp.Abs(this=expression(cell, facts)) for cell in cells]
    return computed(cells, added(sizes), span=(0.0, math.inf))


def _product(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    if len(cells) == 1:
        return cells[0]
    whole = expression(cells[0], facts)
    for cell in cells[1:]:
        whole = exp.Mul(this=operand(whole), expression=operand(expression(cell, facts)))
    return computed(cells, whole)


def _largest(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    return _first(cells, greatest, facts)


def _smallest(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    return _first(cells, least, facts)


def _first(cells: Sequence[Cell], pick: Callable[..., exp.Expression], facts: Expressions) -> Cell:
    """The largest or smallest; NaN where one is, which ONNX Runtime passes over in some places."""
    known = _known(cells, np.maximum if pick is greatest else np.minimum, facts)
    if known is not None:
        return known
    values = [expression(cell, facts) for cell in cells]
    found = pick(values, facts)
    if facts.nan and pick is least:
        nan = literals.number(math.nan, facts)
        found = case((is_number(greatest(values, facts), facts), found), otherwise=nan)
    # where there is NaN, greatest and least pass over NULL
    return Term(sql=found, needs=frozenset() if facts.nan else needs(cells))


def _known(cells: Sequence[Cell], function: Callable[..., Any], facts: Expressions) -> Cell | None:
    """A function of numbers, and of choices that look up by the same."""
    whole: Cell | None = cells[0]
    for cell in cells[1:]:
        whole = None if whole is None else folded(whole, cell, function, np.float64, facts)
    return whole if len(cells) > 1 else None


def _log_sum_exp(cells: Sequence[Cell], _: type[np.floating[Any]], facts: Expressions) -> Cell:
    values = [expression(cell, facts) for cell in cells]
    most = greatest(values, facts)
    powers = [
        exponential(exp.Sub(this=operand(v), expression=operand(most)), facts) for v in values
    ]
    return computed(cells, added([most, logarithm(added(powers), facts)]))


def _log_sum(cells: Sequence[Cell], dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    total = _sum(cells, dtype, facts)
    return computed(cells, logarithm(expression(total, facts), facts))


def soft_max(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Softmax over the features."""
    axis = node.integer("axis", -1 if node.opset >= 13 else 1)
    if x.cells.ndim != 2 or axis not in {1, -1}:
        raise Refused("another axis than the features'")
    return Tensor.of(softmax(x.row, facts), x.element, x.cells.shape)


def normalizer(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Normalizer: each value over the row's norm; where that is zero, the values themselves."""
    cells = x.row
    values = [expression(cell, facts) for cell in cells]
    size = {"L1": _l1, "L2": _l2, "MAX": greatest}[node.text("norm", "MAX")](values, facts)
    zero = literals.number(0.0, facts)
    made: list[Cell] = []
    for value in values:
        share = exp.Div(this=operand(value), expression=operand(size), typed=True)
        test = exp.EQ(this=operand(size), expression=zero)
        made.append(computed(cells, case((test, value), otherwise=share), bounded=True))
    return Tensor.of(made, "float", x.cells.shape)


def _l1(values: Sequence[exp.Expression], _facts: Expressions) -> exp.Expression:
    return added([exp.Abs(this=value) for value in values])


def _l2(values: Sequence[exp.Expression], facts: Expressions) -> exp.Expression:
    return root(added([exp.Mul(this=operand(v), expression=operand(v)) for v in values]), facts)


def lp_normalization(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """LpNormalization over the features: each value over their norm, which may be zero."""
    if x.cells.ndim != 2 or node.integer("axis", -1) not in {1, -1}:
        raise Refused("another axis than the features'")
    values = [expression(cell, facts) for cell in x.row]
    size = (_l1 if node.integer("p", 2) == 1 else _l2)(values, facts)
    zero = literals.number(0.0, facts)
    nothing = exp.EQ(this=operand(size), expression=zero)
    made = [
        computed(x.row, case((nothing, zero), otherwise=divided(value, size)), bounded=True)
        for value in values
    ]
    return Tensor.of(made, x.element, x.cells.shape)


def maximum(_node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
    """Max of several tensors, value by value."""
    return _of_several(tensors, _largest, facts)


def minimum(_node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
    """Min of several tensors, value by value."""
    return _of_several(tensors, _smallest, facts)


def _of_several(tensors: Sequence[Tensor], reduce: Reduce, facts: Expressions) -> Tensor:
    cells = np.broadcast_arrays(*(tensor.cells for tensor in tensors))
    rows = zip(*(one.ravel() for one in cells), strict=True)
    dtype, shape = tensors[0].dtype, cells[0].shape
    return Tensor.of([reduce(row, dtype, facts) for row in rows], tensors[0].element, shape)


largest = _over(_largest)
log_sum = _over(_log_sum)
log_sum_exp = _over(_log_sum_exp)
mean = _over(_mean)
norm = _over(_norm)
product = _over(_product)
smallest = _over(_smallest)
square_sum = _over(_sum_square)
size_sum = _over(_sum_sizes)
total = _over(_sum)
