"""What becomes of a model's scores at its end, by ONNX's names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    added,
    case,
    divided,
    expression,
    greatest,
    operand,
    times,
    within,
)
from sqlscore.pushdown.sql.functions import computed, exponential, logistic, negated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell


def softmax(cells: Sequence[Cell], facts: Expressions) -> list[Cell]:
    """Each ``exp(z)`` over their sum, with the largest one subtracted first."""
    values = [expression(cell, facts) for cell in cells]
    most = greatest(values, facts)
    parts = [
        exponential(exp.Sub(this=operand(value), expression=operand(most)), facts)
        for value in values
    ]
    total = added(parts)
    return [computed(cells, divided(part, total), finite=True, span=(0.0, 1.0)) for part in parts]


def softmax_zero(cells: Sequence[Cell], facts: Expressions) -> list[Cell]:
    """As `softmax`, but a value of zero takes no part in it; NaN where all of them are."""
    values = [expression(cell, facts) for cell in cells]
    most = greatest(values, facts)
    scale = exponential(negated(most), facts)
    parts = [
        case(
            (
                within(value, -1e-7, 1e-7, facts),
                exp.Mul(this=operand(value), expression=operand(scale)),
            ),
            otherwise=exponential(exp.Sub(this=operand(value), expression=operand(most)), facts),
        )
        for value in values
    ]
    total = added(parts)
    nothing = exp.EQ(this=operand(total), expression=literals.number(0.0, facts))
    nan = literals.number(math.nan, facts)
    return [
        computed(cells, case((nothing, nan), otherwise=divided(part, total)), finite=True)
        for part in parts
    ]


def probit(cell: Cell, facts: Expressions) -> Cell:
    """The approximation of the normal quantile that ONNX Runtime has, NaN outside of 0 and 1."""
    p = expression(cell, facts)
    x = exp.Sub(this=times(p, 2.0, facts), expression=literals.number(1.0, facts))
    one = literals.number(1.0, facts)
    product = exp.Mul(
        this=exp.Paren(this=exp.Sub(this=one, expression=operand(x))),
        expression=exp.Paren(this=added([one.copy(), x])),
    )
    pi, a = float(np.float32(3.14159)), float(np.float32(0.147))
    log = exp.Ln(this=product)
    v = added([literals.number(2 / (pi * a), facts), times(log, 0.5, facts)])
    inner = exp.Sub(
        this=exp.Mul(this=operand(v), expression=operand(v)),
        expression=exp.Paren(this=times(log, 1 / a, facts)),
    )
    root = exp.Sqrt(this=exp.Sub(this=exp.Sqrt(this=inner), expression=operand(v)))
    size = times(root, float(np.float32(1.41421356)), facts)
    sides = (
        (exp.LTE(this=operand(p), expression=literals.number(0.0, facts)), _edge(p, 0.0, facts)),
        (exp.GTE(this=operand(p), expression=literals.number(1.0, facts)), _edge(p, 1.0, facts)),
        (
            exp.LT(this=operand(p), expression=literals.number(0.5, facts)),
            exp.Neg(this=operand(size)),
        ),
    )
    return computed([cell], case(*sides, otherwise=size))


def _edge(p: exp.Expression, at: float, facts: Expressions) -> exp.Expression:
    """At 0 and 1 an infinity, NaN outside."""
    infinity = literals.number(math.inf if at else -math.inf, facts)
    same = exp.EQ(this=operand(p), expression=literals.number(at, facts))
    return case((same, infinity), otherwise=literals.number(math.nan, facts))


#: ONNX's name -> what becomes of all scores together
TRANSFORMS: dict[str, Callable[[Sequence[Cell], Expressions], list[Cell]]] = {
    "NONE": lambda cells, _: list(cells),
    "LOGISTIC": lambda cells, facts: [logistic(cell, facts) for cell in cells],
    "SOFTMAX": softmax,
    "SOFTMAX_ZERO": softmax_zero,
    "PROBIT": lambda cells, facts: [probit(cell, facts) for cell in cells],
}
