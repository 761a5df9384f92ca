"""Comparisons of computed values, which are decided as labels are.

ONNX Runtime rounds on its way to such a value, in an order of its own. Where a value is nearer to
what it is compared with than that rounding, either answer is as good as the other, as with a label
of two scores. Equality would be rounding alone; it is known for three questions: whether a value
that is never negative is zero, whether one is infinite, and to which whole number one was cut.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    TINY,
    above,
    both,
    expression,
    is_number,
    operand,
    within,
)
from sqlscore.pushdown.values.cells import INFINITE, Choice, Line, Term
from sqlscore.pushdown.values.spans import span_of

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell

ORDERS: dict[str, type[exp.Binary]] = {
    "Less": exp.LT, "LessOrEqual": exp.LTE, "Greater": exp.GT, "GreaterOrEqual": exp.GTE,
}  # fmt: skip


def decided(name: str, a: Cell, b: Cell, facts: Expressions) -> Term:
    """A comparison of computed values by ONNX's name of it; not true where one is NaN."""
    if name == "Equal":
        return _condition(_equal(a, b, facts))
    if isinstance(b, int):
        raise Refused("it compares a computed number that was cut to a whole one")
    one, other = expression(a, facts), expression(b, facts)
    test: exp.Expression = ORDERS[name](this=operand(one), expression=operand(other))  # type: ignore[assignment]
    larger, value = (a, one) if name.startswith("Greater") else (b, other)
    if facts.nan and isinstance(larger, Term | Line | Choice):  # where NaN counts as the largest
        test = both([test, is_number(value, facts)])
    return _condition(test)


def _equal(a: Cell, b: Cell, facts: Expressions) -> exp.Expression:
    if isinstance(b, Term | Line | Choice | str):
        raise Refused("it asks whether computed values are equal: rounding would decide it")
    value = expression(a, facts)
    if isinstance(b, int):
        return _cut_to(value, b, facts)
    if math.isinf(b):
        edge = float(np.nextafter(INFINITE, 0.0))
        if b > 0:
            return above(value, edge, facts)
        return exp.LT(this=operand(value), expression=literals.number(-edge, facts))
    if b == 0.0 and span_of(a)[0] >= 0.0:  # a sum of such parts is zero where all of them are
        return within(value, -TINY, TINY, facts)
    raise Refused(f"it asks whether a computed value is {b:g}: rounding would decide it")


def _cut_to(value: exp.Expression, whole: int, facts: Expressions) -> exp.Expression:
    """Whether a value without its fraction is a whole number."""
    low, high = literals.number(float(whole), facts), literals.number(whole + 1.0, facts)
    if whole == 0:
        return both([above(value, -1.0, facts), exp.LT(this=operand(value), expression=high)])
    if whole > 0:
        test: exp.Expression = exp.GTE(this=operand(value), expression=low)
        return both([test, exp.LT(this=operand(value), expression=high)])
    return both([above(value, whole - 1.0, facts), exp.LTE(this=operand(value), expression=low)])


def _condition(test: exp.Expression) -> Term:
    return Term(sql=test, bounded=True, finite=True)
