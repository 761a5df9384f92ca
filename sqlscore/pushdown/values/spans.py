"""Between which values a computed cell is for sure, so that some comparisons are known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlscore.pushdown.values.cells import ANYTHING, Choice, Line, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.pushdown.values.cells import Cell

Span = tuple[float, float]


def span_of(cell: Cell) -> Span:
    """The least and the greatest value; everything, where nothing is known."""
    if isinstance(cell, Term):
        return cell.span
    if isinstance(cell, Line):
        return ANYTHING
    values = [*cell.values, cell.otherwise] if isinstance(cell, Choice) else [cell]
    if any(isinstance(value, str) or math.isnan(value) for value in values):
        return ANYTHING
    return float(min(values)), float(max(values))


def total(spans: Sequence[Span], weights: Sequence[float] | None = None) -> Span:
    """That of a weighted sum."""
    scaled = [
        scale(span, weight)
        for span, weight in zip(spans, weights or [1.0] * len(spans), strict=True)
    ]
    return sum(low for low, _ in scaled), sum(high for _, high in scaled)


def scale(span: Span, by: float) -> Span:
    """That of a product with a number."""
    if not by or math.isnan(by):
        return (0.0, 0.0) if span != ANYTHING and by == 0 else ANYTHING
    low, high = sorted(end * by for end in span)
    return low, high


def power(span: Span) -> Span:
    """That of exp."""
    low, high = (math.exp(min(end, 700.0)) for end in span)
    return low, math.inf if span[1] > 700.0 else high


def product(one: Span, other: Span) -> Span:
    """That of a product of what is never negative."""
    if one[0] < 0 or other[0] < 0:
        return ANYTHING
    ends = one[1], other[1]
    return one[0] * other[0], math.inf if math.inf in ends else ends[0] * ends[1]


def quotient(top: Span, bottom: Span) -> Span:
    """That of a division by what is more than zero."""
    (low, high), (least, most) = top, bottom
    if least <= 0:
        return ANYTHING
    return (low / (most if low >= 0 else least), high / (least if high >= 0 else most))


def size(span: Span) -> Span:
    """That of what has lost its sign."""
    low, high = span
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))


def cut(span: Span) -> Span:
    """That of the whole part."""
    low, high = (end if math.isinf(end) else float(math.trunc(end)) for end in span)
    return low, high


def excludes(span: Span, value: float) -> bool:
    """Whether the value lies outside, by more than rounding could make up for."""
    low, high = span
    return low - 1e-3 * abs(low) > value or high + 1e-3 * abs(high) < value
