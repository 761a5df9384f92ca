"""Doubles past the largest float32 as the infinities that they are in the graph."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.products.expressions import Saturation
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import TINY, above, case, operand, times, within
from sqlscore.pushdown.values.cells import INFINITE

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions


def tiny_as_zero(
    value: exp.Expression, otherwise: exp.Expression, facts: Expressions
) -> exp.Expression:
    """Zero where a value rounds to a float32 of zero, if a cast to one raises there."""
    if not (facts.underflow_raises and facts.real):
        return otherwise
    zero = literals.number(0.0, facts)
    return case((within(value, -TINY, TINY, facts), zero), otherwise=otherwise)


def saturated(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """The value with what is past float32's range as an infinity; `value` stands in it once."""
    if facts.saturation is Saturation.SCALING:
        factors = [2.0**448, 2.0**448, 2.0**-448, 2.0**-448]
        return reduce(lambda v, factor: times(v, factor, facts), factors, value)
    if facts.saturation in {Saturation.NULL, Saturation.LATE}:
        return value
    name = exp.column("z", table="s", quoted=True)
    one = exp.Values(
        expressions=[exp.Tuple(expressions=[value])],
        alias=exp.TableAlias(this=exp.to_identifier("s"), columns=[exp.to_identifier("z", True)]),
    )
    return exp.Subquery(this=exp.Select().select(clamped(name, facts)).from_(one))


def clamped(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """The same, where `value` may stand in it several times."""
    edge = float(np.nextafter(INFINITE, 0))
    infinity = literals.number(float("inf"), facts) if facts.infinity else exp.Null()
    negative = literals.number(float("-inf"), facts) if facts.infinity else exp.Null()
    return case(
        (within(value, -edge, edge, facts), value),
        (above(value, edge, facts), infinity),
        (exp.LT(this=operand(value), expression=literals.number(-edge, facts)), negative),
        otherwise=value,
    )
