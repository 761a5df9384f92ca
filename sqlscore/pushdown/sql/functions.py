"""Functions of computed values: none raises, and none makes a number of NULL or NaN.

exp is an error in PostgreSQL far from zero on both sides and in MariaDB and SQL Server on one, and
PostgreSQL's greatest and least pass over NULL and take NaN for the largest; each function says
with its dialect's facts how it stays clear of that.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    above,
    added,
    case,
    divided,
    expression,
    greatest,
    least,
    needs,
    operand,
    times,
    within,
)
from sqlscore.pushdown.values.cells import ANYTHING, LARGEST, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell

_UNDERFLOW = -104.0  #: exp of less rounds to a float32 of zero
OVERFLOW = math.log(LARGEST)  #: exp of more is an infinite float32


def computed(
    cells: Sequence[Cell],
    sql: exp.Expression,
    *,
    bounded: bool = False,
    finite: bool = False,
    real: bool = False,
    span: tuple[float, float] = ANYTHING,
) -> Term:
    """A term made of all the cells."""
    return Term(
        sql=sql, needs=needs(cells), bounded=bounded or finite, finite=finite, real=real, span=span
    )


def exponential(
    value: exp.Expression, facts: Expressions, limit: float | None = None
) -> exp.Expression:
    """exp, with an infinity past a limit; `value` may stand in it several times."""
    low = exp.LT(this=operand(value), expression=literals.number(_UNDERFLOW, facts))
    zero = literals.number(0.0, facts)
    plain = exp.Exp(this=value)
    if not facts.underflow_raises and facts.exp_limit is None:
        if limit is None:
            return plain
        return case((above(value, limit, facts), literals.number(math.inf, facts)), otherwise=plain)
    limit = limit or facts.exp_limit or 700.0
    high = above(value, limit, facts)
    infinity = literals.number(math.inf, facts)
    return case(
        (within(value, _UNDERFLOW, limit, facts), plain),
        (low, zero),
        (high, infinity),
        otherwise=value,
    )


def decaying(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """exp of a value that is at most 0, which stands in it once where that can be."""
    if not facts.underflow_raises:
        return exp.Exp(this=value)
    if facts.extremes is None:
        return exponential(value, facts)
    return exp.Exp(this=greatest([value, literals.number(_UNDERFLOW, facts)], facts))


def logarithm(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """The natural logarithm: -inf of 0, NaN of less."""
    zero = literals.number(0.0, facts)
    branches = [
        (above(value, 0.0, facts), exp.Ln(this=value)),
        (exp.EQ(this=operand(value), expression=zero), literals.number(-math.inf, facts)),
        (exp.LT(this=operand(value), expression=zero), literals.number(math.nan, facts)),
    ]
    if not facts.infinity:
        most = literals.number(math.inf, facts)
        branches.insert(0, (above(value, LARGEST, facts), most))
    return case(*branches, otherwise=value)


def root(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """The square root: NaN of less than 0."""
    negative = exp.LT(this=operand(value), expression=literals.number(0.0, facts))
    return case((negative, literals.number(math.nan, facts)), otherwise=exp.Sqrt(this=value))


def logistic(cell: Cell, facts: Expressions) -> Cell:
    """``1 / (1 + exp(-z))``."""
    z = expression(cell, facts)
    if isinstance(cell, Term) and cell.real:
        in_steps = _logistic_in_steps(z, facts)
        made = computed([cell], in_steps, finite=True, real=True, span=(0.0, 1.0))
    else:
        made = computed([cell], _logistic(z, facts), finite=True, span=(0.0, 1.0))
    logit = cell if isinstance(cell, Term) else None
    return dataclasses.replace(made, logit=logit, coarse=True)


def _logistic(z: exp.Expression, facts: Expressions) -> exp.Expression:
    """In doubles, with `z` in it once where that can be."""
    if facts.logistic_by_tanh:
        tanh = exp.Anonymous(this="TANH", expressions=[times(z, 0.5, facts)])
        return added([literals.number(0.5, facts), times(tanh, 0.5, facts)])
    if facts.exp_limit is None:
        return _one_over(exp.Exp(this=negated(z)), literals.number(1.0, facts))
    low, high = literals.number(-700.0, facts), literals.number(700.0, facts)
    if facts.extremes and not facts.nan:  # there greatest and least of NULL are NULL
        kept = least([greatest([negated(z), low], facts), high], facts)
        return _one_over(exp.Exp(this=kept), literals.number(1.0, facts))
    return case(
        (
            within(z, -700.0, 700.0, facts),
            _one_over(exp.Exp(this=negated(z)), literals.number(1.0, facts)),
        ),
        (exp.LT(this=operand(z), expression=low), literals.number(0.0, facts)),
        (above(z, 700.0, facts), literals.number(1.0, facts)),
        otherwise=z,
    )


def _logistic_in_steps(z: exp.Expression, facts: Expressions) -> exp.Expression:
    """In 4-byte floats, step by step as ONNX Runtime does, of a value that is never NaN."""
    one, zero = literals.real(1.0, facts), literals.real(0.0, facts)

    def at_least_half() -> exp.Expression:
        # exp(-104) rounds to a float32 of zero; of less than that it could underflow
        size = least([exp.Abs(this=z), literals.real(100.0, facts)], facts)
        return _one_over(literals.as_real(exp.Exp(this=negated(size))), one)

    rest = exp.Sub(this=one, expression=exp.Paren(this=at_least_half()))
    return case((exp.LT(this=operand(z), expression=zero), rest), otherwise=at_least_half())


def _one_over(value: exp.Expression, one: exp.Expression) -> exp.Expression:
    """``1 / (1 + value)``."""
    return divided(one, added([one, value]))


def negated(value: exp.Expression) -> exp.Expression:
    """The value with the opposite sign."""
    if isinstance(value, exp.Neg):
        return value.this  # type: ignore[no-any-return]
    return exp.Neg(this=operand(value))


def tanh(cell: Cell, facts: Expressions) -> Cell:
    """The hyperbolic tangent; by the logistic function where there is none."""
    if facts.tanh:
        sql: exp.Expression = exp.Anonymous(this="TANH", expressions=[expression(cell, facts)])
        return computed([cell], sql, finite=True)
    doubled = computed([cell], times(expression(cell, facts), 2.0, facts))
    half = logistic(doubled, facts)
    one = literals.number(1.0, facts)
    sql = exp.Sub(this=times(expression(half, facts), 2.0, facts), expression=one)
    return computed([cell], sql, finite=True)
