"""Powers: of a value with a constant exponent, and of a constant with a computed one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import case, expression, operand, times
from sqlscore.pushdown.sql.functions import OVERFLOW, computed, exponential, logarithm, root
from sqlscore.pushdown.values import spans
from sqlscore.pushdown.values.cells import LARGEST, Choice, Line, Term

if TYPE_CHECKING:
    import numpy as np

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell


def power(a: Cell, b: Cell, _dtype: type[np.floating[Any]], facts: Expressions) -> Cell:
    """One cell to the power of another, one of which is a constant."""
    moving = Term | Line | Choice
    if isinstance(b, moving):
        if isinstance(a, moving | str) or a <= 0:
            raise Refused("its exponent depends on the row, and its base is no number above zero")
        grown = times(expression(b, facts), math.log(a), facts)
        span = spans.power(spans.scale(spans.span_of(b), math.log(a)))
        return computed([b], exponential(grown, facts, OVERFLOW), span=span)
    exponent = float(b)
    if exponent in _PRODUCTS:
        return _product(a, _PRODUCTS[exponent], facts)
    base = expression(a, facts)
    if exponent == 0.0:
        return 1.0
    if exponent == 0.5:
        return computed([a], root(base, facts))
    return computed([a], _general(base, exponent, facts), span=_span(a, exponent))


#: exponents that are products of so many factors
_PRODUCTS = {1.0: 1, 2.0: 2, 3.0: 3}


def _product(a: Cell, factors: int, facts: Expressions) -> Cell:
    if factors == 1:
        return a
    base = expression(a, facts)
    whole: exp.Expression = base
    for _ in range(factors - 1):
        whole = exp.Mul(this=operand(whole), expression=operand(base))
    low, high = spans.size(spans.span_of(a)) if factors == 2 else spans.span_of(a)
    span = (math.prod([low] * factors), math.prod([high] * factors))
    return computed([a], whole, span=span)


def _general(base: exp.Expression, exponent: float, facts: Expressions) -> exp.Expression:
    """By the logarithm; of what is negative and finite NaN, unless the exponent is whole."""
    zero = literals.number(0.0, facts)
    size = exp.Abs(this=base) if exponent.is_integer() else base
    whole = exponential(times(logarithm(size, facts), exponent, facts), facts, OVERFLOW)
    infinity = literals.number(math.inf, facts)
    at_zero, at_infinity = (zero, infinity) if exponent > 0 else (infinity, zero)
    tests: list[tuple[exp.Expression, exp.Expression]] = [
        (exp.EQ(this=operand(base), expression=zero), at_zero)
    ]
    if not exponent.is_integer():
        least = literals.number(-LARGEST, facts)
        tests.append((exp.LT(this=operand(base), expression=least), at_infinity))
    elif exponent % 2:
        negative = exp.LT(this=operand(base), expression=zero)
        tests.append((negative, exp.Neg(this=operand(whole))))
    return case(*tests, otherwise=whole)


def _span(a: Cell, exponent: float) -> spans.Span:
    never_negative = spans.span_of(a)[0] >= 0 or (exponent.is_integer() and not exponent % 2)
    return (0.0, math.inf) if never_negative else (-math.inf, math.inf)
