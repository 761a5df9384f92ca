"""Weighted sums of cells: where linear models, layers and projections are computed.

Where all features are ordinary numbers, scalers and weights fold into one product a feature, and
nothing can overflow or underflow; else each feature is brought into float32's range first.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.products.expressions import Saturation
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    added,
    both,
    careful,
    case,
    either,
    greatest,
    is_number,
    lifted,
    looked_up,
    needs,
    operand,
    sloped,
    times,
    within,
)
from sqlscore.pushdown.sql.saturation import clamped, saturated
from sqlscore.pushdown.sql.stairs import merged
from sqlscore.pushdown.values import spans
from sqlscore.pushdown.values.cells import LARGEST, Choice, Line, Term

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell

_ORDINARY = 2.0**53  #: features up to here overflow nowhere in a sum of ordinary weights
_FOLDED = 2  #: outputs of one layer up to which each folds its own features
#: added where a sum could be so small that scaling it back underflows; it changes no other sum
_NOT_ZERO = 1e-290


def layer(
    cells: Sequence[Cell],
    weights: np.ndarray,
    bias: np.ndarray,
    dtype: type[np.floating[Any]],
    facts: Expressions,
) -> list[Cell]:
    """Each row of `weights` times the cells, and its `bias`.

    A row that is another one with the opposite sign, as binary classifiers have them, is computed
    once.
    """
    if len(weights) > _FOLDED:
        cells = [lifted(cell, facts) for cell in cells]
    if len(weights) == 2 and np.array_equal(weights[0], -weights[1]) and bias[0] == -bias[1]:
        second = _weighted(cells, weights[1], float(bias[1]), dtype, facts)
        return [negative(second), second]
    return [
        _weighted(cells, row, float(added_to), dtype, facts)
        for row, added_to in zip(weights, bias, strict=True)
    ]


def negative(cell: Cell) -> Cell:
    """The cell with the opposite sign."""
    if isinstance(cell, Term):
        return Term(
            sql=exp.Neg(this=operand(cell.sql)), needs=cell.needs, exact=cell.exact, real=cell.real,
            bounded=cell.bounded, finite=cell.finite,
        )  # fmt: skip
    if isinstance(cell, Line):
        return cell.scaled(-1.0, np.float64)
    if isinstance(cell, Choice):
        return cell.mapped(np.negative)
    return -cell  # type: ignore[operator]


def _weighted(
    cells: Sequence[Cell],
    weights: np.ndarray,
    bias: float,
    dtype: type[np.floating[Any]],
    facts: Expressions,
) -> Cell:
    pairs = [(cell, float(weight)) for cell, weight in zip(cells, weights, strict=True)]
    bias += sum(w * float(c) for c, w in pairs if not isinstance(c, Term | Line | Choice))
    looked = [(cell, weight) for cell, weight in pairs if isinstance(cell, Choice)]
    choices = (
        _joined(looked, facts) if facts.folding else [_times(c, weight) for c, weight in looked]
    )
    lines = [(cell, weight) for cell, weight in pairs if isinstance(cell, Line)]
    # an infinity times zero is NaN
    terms = [(c, weight) for c, weight in pairs if isinstance(c, Term) and (weight or not c.finite)]
    if not lines and not terms and not choices:
        return float(dtype(bias))
    rest = [_weighed(cell.sql, weight, facts) for cell, weight in terms]
    rest += [looked_up(choice, facts) for choice in choices]
    found = needs([line for line, weight in lines if weight]) | needs(term for term, _ in terms)
    if not lines:
        span = spans.total([*(t.span for t, _ in terms), *map(spans.span_of, choices)],
                           [*(w for _, w in terms), *(1.0 for _ in choices)])  # fmt: skip
        whole = added([*rest, literals.number(bias, facts)])
        return Term(sql=whole, needs=found, span=spans.total([span, (bias, bias)]))
    products = [_weighed(careful(line, facts), weight, facts) for line, weight in lines]
    slow = saturated(added([*products, literals.number(bias, facts)]), facts)
    slow = _one_sided(slow, lines, facts)
    late = facts.saturation is Saturation.LATE
    bounded = facts.infinity and not terms and not choices and not late
    if not facts.folding:
        return Term(sql=added([slow, *rest]), needs=found, bounded=bounded)
    bound, tested = _tested(lines)
    scaled = [line.scaled(w, np.float64) for line, w in lines if w]
    fast = _folded(scaled, tested, bias, facts)
    if not tested:
        small = not terms and not choices
        return Term(sql=added([fast, *rest]), needs=found, bounded=small, finite=small)
    # the rest is the same on both sides, so it stands behind the CASE
    test = _ordinary([*tested.values()], bound, facts)
    whole = added([case((test, fast), otherwise=slow), *rest])
    return Term(sql=whole, needs=found, bounded=bounded)


def _weighed(value: exp.Expression, weight: float, facts: Expressions) -> exp.Expression:
    if weight or facts.infinity:
        return times(value, weight, facts)
    return times(clamped(value, facts), weight, facts)  # NULL, where an infinity is NULL


def _times(choice: Choice, weight: float) -> Choice:
    return choice.mapped(lambda values: values.astype(np.float64) * weight)


def _joined(weighed: Sequence[tuple[Choice, float]], facts: Expressions) -> list[Choice]:
    """One choice a column: the values of its choices times their weights, added up."""
    found: dict[str | tuple[int, ...], Choice] = {}
    for choice, weight in weighed:
        scaled = _times(choice, weight)
        key = choice.feature if choice.cuts is not None else choice.key
        before = found.get(key)
        if before is not None and choice.cuts is not None:
            scaled = merged([before, scaled], np.add, facts) or scaled
        elif before is not None:
            scaled = before.joined(scaled, np.add)
        found[key] = scaled
    return list(found.values())


def _folded(
    lines: Sequence[Line], tested: Collection[str], bias: float, facts: Expressions
) -> exp.Expression:
    """One product a feature; scaled up by a power of two where a product could underflow.

    Features that were tested before are not NaN here.
    """
    scale = _scale(lines) if facts.underflow_raises else 1.0
    bias += sum(line.offset for line in lines)
    if scale != 1.0:
        bias = bias or _NOT_ZERO
    parts = [_product(line, scale, line.feature in tested, facts) for line in lines]
    whole = added([*parts, literals.number(bias * scale, facts)])
    return times(whole, 1 / scale, facts)


def _product(line: Line, scale: float, tested: bool, facts: Expressions) -> exp.Expression:
    """Slope times column, or what stands for a missing value, without the offset."""
    value = sloped(line.column, line.slope * scale, facts)
    if line.missing is None:
        return value
    stands = literals.number((line.missing - line.offset) * scale, facts)
    if tested:
        return exp.Coalesce(this=value, expressions=[stands])
    return case((is_number(line.column, facts), value), otherwise=stands)


def _scale(lines: Sequence[Line]) -> float:
    """The least power of two that makes all slopes at least 1."""
    least = min((abs(line.slope) for line in lines), default=1.0)
    return 1.0 if least >= 1.0 else 2.0 ** -math.floor(math.log2(least))


def _tested(lines: Sequence[tuple[Line, float]]) -> tuple[float, dict[str, exp.Expression]]:
    """Up to where every feature is small enough for the folded sum, and those that may be more."""
    edges = [line.finite for line, _ in lines]
    steepest = sum(abs(line.slope * weight) for line, weight in lines)
    bound = min(_ORDINARY, LARGEST / 8 / max(steepest, 1.0))
    bound = min(bound, *(min(-edge.low, edge.high) for edge in edges))
    large = {f.feature: f.column for f, weight in lines if not _is_small(f, weight, bound)}
    return bound, large


def _ordinary(
    columns: Sequence[exp.Expression], bound: float, facts: Expressions
) -> exp.Expression:
    """Whether no column is NaN or past a bound."""
    if len(columns) == 1 or not facts.extremes:
        return both([within(column, -bound, bound, facts) for column in columns])
    # abs and one extreme take PostgreSQL three quarters of the time of two extremes
    sizes = [exp.Abs(this=column) for column in columns]
    return exp.LTE(this=greatest(sizes, facts), expression=literals.number(bound, facts))


def _is_small(line: Line, weight: float, bound: float) -> bool:
    """Whether a column holds numbers within a bound alone, or NaN where NaN has a weight."""
    domain = dataclasses.replace(line.domain, nan=line.domain.nan and not weight)
    return domain.within(-bound, bound)


def _one_sided(
    value: exp.Expression, lines: Sequence[tuple[Line, float]], facts: Expressions
) -> exp.Expression:
    """The value, NULL where infinities of both signs meet, on a product that has none of them."""
    if facts.infinity:
        return value
    sides: dict[bool, list[exp.Expression]] = {True: [], False: []}
    for line, weight in lines:
        edges = line.finite
        for end, test in ((edges.above, exp.GT), (edges.below, exp.LT)):
            if end * weight:
                bound = edges.high if test is exp.GT else edges.low
                sides[end * weight > 0].append(
                    test(this=line.column, expression=literals.number(bound, facts))
                )
    if not sides[True] or not sides[False]:
        return value
    meet = both([exp.Paren(this=either(tests)) for tests in sides.values()])
    return case((meet, exp.Null()), otherwise=value)
