"""Functions of one tensor, value by value: activations of neural networks and their like."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.elementwise import quotient
from sqlscore.pushdown.sql import functions, literals
from sqlscore.pushdown.sql.arithmetic import (
    above,
    added,
    case,
    expression,
    greatest,
    needs,
    operand,
    times,
)
from sqlscore.pushdown.sql.functions import computed
from sqlscore.pushdown.sql.sums import negative
from sqlscore.pushdown.values import spans
from sqlscore.pushdown.values.cells import LARGEST, Choice, Line, Term, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def _mapped(
    function: Callable[[Cell, Expressions], Cell],
    plain: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Callable[..., Tensor]:
    """An operator from what it does with one cell, and with plain numbers."""

    def one(cell: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
        cell = settled(cell)
        if isinstance(cell, Choice) and plain is not None:
            return cell.mapped(lambda values: plain(values.astype(dtype)))
        return function(cell, facts)

    def operator(_node: Node, facts: Expressions, x: Tensor) -> Tensor:
        return Tensor.of([one(cell, x.dtype, facts) for cell in x.row], x.element, x.cells.shape)

    return operator


def _negative(cell: Cell, _facts: Expressions) -> Cell:
    return negative(cell)


def _absolute(cell: Cell, facts: Expressions) -> Cell:
    span = spans.size(spans.span_of(cell))
    return computed([cell], exp.Abs(this=expression(cell, facts)), span=span)


def _relu(cell: Cell, facts: Expressions) -> Cell:
    return floored(cell, 0.0, facts)


def floored(cell: Cell, low: float, facts: Expressions) -> Cell:
    """The cell, or `low` where that is more; NaN stays NaN."""
    z, bound = expression(cell, facts), literals.number(low, facts)
    bounded = isinstance(cell, Term) and cell.bounded
    if facts.extremes is None:
        test = exp.LT(this=operand(z), expression=bound)
        return computed([cell], case((test, bound), otherwise=z), bounded=bounded)
    # where there is NaN, greatest passes over NULL
    kept = frozenset() if facts.nan else needs([cell])
    return Term(sql=greatest([z, bound], facts), needs=kept, bounded=bounded)


def leaky_relu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """LeakyRelu: what is negative times `alpha`."""
    alpha = float(np.float32(node.float("alpha", 0.01)))
    zero = literals.number(0.0, facts)
    cells: list[Cell] = []
    for cell in x.row:
        z = expression(cell, facts)
        test = exp.LT(this=operand(z), expression=zero)
        cells.append(computed([cell], case((test, times(z, alpha, facts)), otherwise=z)))
    return Tensor.of(cells, x.element, x.cells.shape)


def clip(
    node: Node, facts: Expressions, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    """Clip to constants, given as attributes or as inputs; NaN stays NaN."""
    least = float(low.values()) if low else node.float("min", -LARGEST)
    most = float(high.values()) if high else node.float("max", LARGEST)
    return Tensor.of(
        [clipped(cell, least, most, facts) for cell in x.row], x.element, x.cells.shape
    )


def clipped(cell: Cell, low: float, high: float, facts: Expressions) -> Cell:
    """The cell between two constants; NaN stays NaN."""
    if isinstance(cell, Choice):
        return cell.mapped(lambda values: np.clip(values, low, high))
    z = expression(cell, facts)
    least, most = literals.number(low, facts), literals.number(high, facts)
    sql = case(
        (exp.LT(this=operand(z), expression=least), least),
        (above(z, high, facts), most),
        otherwise=z,
    )
    line = cell.clipped(low, high) if isinstance(cell, Line) else None
    made = computed([cell], sql, finite=True, span=(low, high))
    return dataclasses.replace(made, line=line)


def _logarithm(cell: Cell, facts: Expressions) -> Cell:
    return computed([cell], functions.logarithm(expression(cell, facts), facts))


def _exponential(cell: Cell, facts: Expressions) -> Cell:
    span = spans.power(spans.span_of(cell))
    # an infinity of the graph's has to be one where a later operator asks for zero
    limit = functions.OVERFLOW if span[1] > LARGEST else None
    power = functions.exponential(expression(cell, facts), facts, limit)
    return computed([cell], power, span=span)


def _root(cell: Cell, facts: Expressions) -> Cell:
    return computed([cell], functions.root(expression(cell, facts), facts))


def _reciprocal(cell: Cell, facts: Expressions) -> Cell:
    one = literals.number(1.0, facts)
    return computed([cell], quotient(one, expression(cell, facts), facts))


#: of Abramowitz and Stegun's formula 7.1.26, which is within 1.5e-7
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def _erf(cell: Cell, facts: Expressions) -> Cell:
    z = expression(cell, facts)
    one, zero = literals.number(1.0, facts), literals.number(0.0, facts)
    size = exp.Abs(this=z)
    t = quotient(one, added([one, times(size, 0.3275911, facts)]), facts)
    series: exp.Expression = literals.number(_ERF[-1], facts)
    for factor in reversed(_ERF[:-1]):
        series = added(
            [literals.number(factor, facts), exp.Mul(this=operand(series), expression=operand(t))]
        )
    square = exp.Neg(this=exp.Paren(this=exp.Mul(this=operand(z), expression=operand(z))))
    tail = exp.Mul(
        this=exp.Mul(this=operand(series), expression=operand(t)),
        expression=functions.exponential(square, facts),
    )
    half = exp.Sub(this=one, expression=exp.Paren(this=tail))
    sql = case(
        (exp.LT(this=operand(z), expression=zero), exp.Neg(this=exp.Paren(this=half))),
        otherwise=half,
    )
    return computed([cell], sql, finite=True)


absolute: Any = _mapped(_absolute, np.abs)
erf: Any = _mapped(_erf)
exponential: Any = _mapped(_exponential, np.exp)
logarithm: Any = _mapped(_logarithm, np.log)
minus: Any = _mapped(_negative, np.negative)
reciprocal: Any = _mapped(_reciprocal, np.reciprocal)
relu: Any = _mapped(_relu)
root: Any = _mapped(_root, np.sqrt)
sigmoid: Any = _mapped(functions.logistic)
tanh: Any = _mapped(functions.tanh)
