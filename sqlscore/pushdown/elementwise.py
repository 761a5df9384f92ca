"""Arithmetic of two tensors, value by value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown import literals, spans
from sqlscore.pushdown.arithmetic import added, case, divided, expression, operand, times
from sqlscore.pushdown.cells import Choice, Line, Tensor, Term
from sqlscore.pushdown.functions import computed, exponential, logarithm, root
from sqlscore.pushdown.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.node import Node

    Combine = Callable[[Cell, Cell, type[np.floating[Any]], Expressions], Cell]


def _on_cells(combine: Combine, plain: Callable[[Any, Any], Any]) -> Callable[..., Tensor]:
    """An operator of two tensors from what it does with two cells, and with two numbers."""

    def operator(_node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
        whole = tensors[0]
        for other in tensors[1:]:
            left, right = np.broadcast_arrays(whole.cells, other.cells)
            dtype = whole.dtype
            cells = [
                _cell(a, b, combine, plain, dtype, facts)
                for a, b in zip(left.ravel(), right.ravel(), strict=True)
            ]
            whole = Tensor.of(cells, whole.element, left.shape)
        return whole

    return operator


def _cell(
    a: Cell,
    b: Cell,
    combine: Combine,
    plain: Callable[[Any, Any], Any],
    dtype: type[np.floating[Any]],
    facts: Expressions,
) -> Cell:
    """Two numbers, or a choice and a number, are computed at once."""
    moving = Term | Line | Choice
    with np.errstate(all="ignore"):
        if not isinstance(a, moving) and not isinstance(b, moving):
            return float(plain(dtype(a), dtype(b)))
        if isinstance(a, Choice) and not isinstance(b, moving):
            return a.mapped(lambda values: plain(values.astype(dtype), dtype(b)))
        if isinstance(b, Choice) and not isinstance(a, moving):
            return b.mapped(lambda values: plain(dtype(a), values.astype(dtype)))
    return combine(a, b, dtype, facts)


def _number(cell: Cell) -> float | None:
    return None if isinstance(cell, Term | Line | Choice | str) else float(cell)


def _add(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    for one, number in ((a, _number(b)), (b, _number(a))):
        if isinstance(one, Line) and number is not None:
            return one.moved(number, dtype)
    span = spans.total([spans.span_of(a), spans.span_of(b)])
    return computed([a, b], added([expression(a, facts), expression(b, facts)]), span=span)


def _subtract(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    if isinstance(a, Line) and (number := _number(b)) is not None:
        return a.moved(-number, dtype)
    if isinstance(b, Line) and (number := _number(a)) is not None:
        return b.scaled(-1.0, dtype).moved(number, dtype)
    left, right = expression(a, facts), expression(b, facts)
    return computed([a, b], exp.Sub(this=left, expression=operand(right)))


def _multiply(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    for one, number in ((a, _number(b)), (b, _number(a))):
        if isinstance(one, Line) and number is not None:
            return one.scaled(number, dtype)
        if number is not None:
            span = spans.scale(spans.span_of(one), number)
            return computed([a, b], times(expression(one, facts), number, facts), span=span)
    return computed([a, b], _product(expression(a, facts), expression(b, facts)))


def _product(a: exp.Expression, b: exp.Expression) -> exp.Expression:
    return exp.Mul(this=operand(a), expression=operand(b))


def _divide(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    """Division, which by zero is an infinity or NaN, and an error nowhere."""
    number = _number(b)
    if number is not None:
        if isinstance(a, Line) and number:
            return a.divided(number, dtype)
        if number:
            by = literals.number(number, facts)
            span = spans.scale(spans.span_of(a), 1 / number)
            return computed([a, b], divided(expression(a, facts), by), span=span)
    top, bottom = expression(a, facts), expression(b, facts)
    return computed([a, b], quotient(top, bottom, facts))


def quotient(top: exp.Expression, bottom: exp.Expression, facts: Expressions) -> exp.Expression:
    """`top` over `bottom`, also where that is zero."""
    zero = literals.number(0.0, facts)

    def is_zero(value: exp.Expression) -> exp.Expression:
        return exp.EQ(this=operand(value), expression=zero)

    by_zero = case(
        (exp.GT(this=operand(top), expression=zero), literals.number(math.inf, facts)),
        (exp.LT(this=operand(top), expression=zero), literals.number(-math.inf, facts)),
        (is_zero(top), literals.number(math.nan, facts)),
        otherwise=top,
    )
    return case((is_zero(bottom), by_zero), otherwise=divided(top, bottom))


def _power(a: Cell, b: Cell, _dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    """A power with a constant exponent."""
    exponent = _number(b)
    if exponent is None:
        raise Refused("its exponent depends on the row")
    base = expression(a, facts)
    if exponent == 1.0:
        return a
    if exponent == 2.0:
        return computed([a], _product(base, base))
    if exponent == 3.0:
        return computed([a], _product(_product(base, base), base))
    if exponent == 0.5:
        return computed([a], root(base, facts))
    if exponent <= 0 or exponent.is_integer():
        raise Refused(f"a power of {exponent:g}")
    zero = literals.number(0.0, facts)
    scaled = times(logarithm(base, facts), exponent, facts)
    sql = case(
        (exp.EQ(this=operand(base), expression=zero), zero),
        otherwise=exponential(scaled, facts),
    )
    return computed([a], sql)


def _mean(node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
    total = add(node, facts, *tensors)
    count = Tensor.constant(np.array(len(tensors), total.dtype))
    return divide(node, facts, total, count)


add = _on_cells(_add, np.add)
subtract = _on_cells(_subtract, np.subtract)
multiply = _on_cells(_multiply, np.multiply)
divide = _on_cells(_divide, np.divide)
power = _on_cells(_power, np.power)
mean = _mean
