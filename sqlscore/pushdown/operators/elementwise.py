"""Arithmetic of two tensors, value by value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals, powers
from sqlscore.pushdown.sql.arithmetic import added, case, divided, expression, operand, times
from sqlscore.pushdown.sql.functions import computed
from sqlscore.pushdown.sql.stairs import merged, ranged
from sqlscore.pushdown.values import spans
from sqlscore.pushdown.values.cells import ANYTHING, DTYPES, Choice, Line, Term, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell

    Combine = Callable[[Cell, Cell, type[np.floating[Any]], Expressions], Cell]


def _on_cells(
    combine: Combine, plain: Callable[[Any, Any], Any], counted: type[exp.Binary] | None = None
) -> Callable[..., Tensor]:
    """An operator of two tensors from what it does with two cells, and with two numbers.

    `counted` does it with whole numbers.
    """

    def operator(_node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
        whole = tensors[0]
        of_two, dtype = combine, DTYPES.get(whole.element)
        if dtype is None:
            if counted is None or whole.element not in {"int32", "int64"}:
                raise Refused(f"it computes with {whole.element}")
            of_two, dtype = _counted(counted), np.dtype(whole.element).type
        for other in tensors[1:]:
            left, right = np.broadcast_arrays(whole.cells, other.cells)
            cells = [
                _cell(a, b, of_two, plain, dtype, facts)
                for a, b in zip(left.ravel(), right.ravel(), strict=True)
            ]
            whole = Tensor.of(cells, whole.element, left.shape)
        return whole

    return operator


def folded(
    a: Cell,
    b: Cell,
    plain: Callable[[Any, Any], Any],
    dtype: type[np.floating[Any]],
    facts: Expressions,
) -> Cell | None:
    """What two numbers, a choice and a number, or two of the same choice are at once."""
    moving = Term | Line | Choice
    a, b = settled(a), settled(b)
    with np.errstate(all="ignore"):
        if not isinstance(a, moving) and not isinstance(b, moving):
            return plain(dtype(a), dtype(b)).item()  # type: ignore[no-any-return]
        if isinstance(a, Choice) and not isinstance(b, moving):
            return a.mapped(lambda values: plain(values.astype(dtype), dtype(b)))
        if isinstance(b, Choice) and not isinstance(a, moving):
            return b.mapped(lambda values: plain(dtype(a), values.astype(dtype)))
    if isinstance(a, Choice) and isinstance(b, Choice) and a.key == b.key:
        return a.joined(b, lambda one, other: plain(one.astype(dtype), other.astype(dtype)))
    return merged([a, b], lambda one, other: plain(one.astype(dtype), other.astype(dtype)), facts)


def _cell(
    a: Cell,
    b: Cell,
    combine: Combine,
    plain: Callable[[Any, Any], Any],
    dtype: type[np.floating[Any]],
    facts: Expressions,
) -> Cell:
    known = folded(a, b, plain, dtype, facts)
    return combine(a, b, dtype, facts) if known is None else known


def _counted(operation: type[exp.Binary]) -> Combine:
    """Arithmetic of labels and places, which are whole numbers."""

    def combine(a: Cell, b: Cell, _dtype: Any, facts: Expressions) -> Cell:
        if 0 in (a, b) and operation is exp.Mul:
            return Choice(feature="", tests=(), values=(), otherwise=0)
        if any(isinstance(c, Line) or (isinstance(c, Term) and not c.exact) for c in (a, b)):
            raise Refused("it computes with a column of whole numbers")
        one, other = (operand(expression(cell, facts)) for cell in (a, b))
        sql: exp.Expression = operation(this=one, expression=other)  # type: ignore[assignment]
        return Term(sql=sql, exact=True, bounded=True, finite=True)

    return combine


def _number(cell: Cell) -> float | None:
    return None if isinstance(cell, Term | Line | Choice | str) else float(cell)


def _add(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    for one, number in ((a, _number(b)), (b, _number(a))):
        if isinstance(one, Line) and number is not None:
            return one.moved(number, dtype)
    span = spans.total([spans.span_of(a), spans.span_of(b)])
    return computed([a, b], added([expression(a, facts), expression(b, facts)]), span=span)


def _subtract(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    if isinstance(a, Line) and a is b:
        return nothing(a, 0.0, facts)
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
    span = spans.product(*(spans.size(s) if a is b else s for s in map(spans.span_of, (a, b))))
    return computed([a, b], _product(expression(a, facts), expression(b, facts)), span=span)


def _product(a: exp.Expression, b: exp.Expression) -> exp.Expression:
    return exp.Mul(this=operand(a), expression=operand(b))


def _divide(a: Cell, b: Cell, dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    """Division, which by zero is an infinity or NaN, and an error nowhere."""
    if isinstance(a, Line) and a is b:
        return nothing(a, 1.0, facts)
    number = _number(b)
    if number is not None:
        if isinstance(a, Line) and number:
            return a.divided(number, dtype)
        if number:
            by = literals.number(number, facts)
            span = spans.scale(spans.span_of(a), 1 / number)
            return computed([a, b], divided(expression(a, facts), by), span=span)
    top, bottom = expression(a, facts), expression(b, facts)
    span = spans.quotient(spans.span_of(a), spans.span_of(b))
    if span != ANYTHING:
        return computed([a, b], divided(top, bottom), span=span)
    return computed([a, b], quotient(top, bottom, facts))


def _quotients(one: Any, other: Any) -> Any:
    """Those of whole numbers without their fraction."""
    whole = np.issubdtype(np.asarray(one).dtype, np.integer)
    return np.trunc(one / other).astype(one.dtype) if whole else np.divide(one, other)


def nothing(line: Line, left: float, facts: Expressions) -> Cell:
    """A finite value less itself, or over itself: what is left, and NaN of all others."""
    most = float(np.finfo(line.dtype).max)
    finite, zero = ranged(line, -most, most, facts), ranged(line, 0.0, 0.0, facts)

    def value(is_finite: np.ndarray, is_zero: np.ndarray) -> np.ndarray:
        return np.where(is_finite & ~(is_zero & bool(left)), left, np.nan)

    return merged([finite, zero], value, facts) or math.nan


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


def _mean(node: Node, facts: Expressions, *tensors: Tensor) -> Tensor:
    total = add(node, facts, *tensors)
    count = Tensor.constant(np.array(len(tensors), total.dtype))
    return divide(node, facts, total, count)


add = _on_cells(_add, np.add, exp.Add)
subtract = _on_cells(_subtract, np.subtract, exp.Sub)
multiply = _on_cells(_multiply, np.multiply, exp.Mul)
divide = _on_cells(_divide, _quotients, exp.Div)
power = _on_cells(powers.power, np.power)
mean = _mean
