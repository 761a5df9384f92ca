"""Columns as a model's expression takes them, and predictions as columns take them: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.types import is_text

if TYPE_CHECKING:
    from sqlscore.binding import BoundFeature


def named(name: str) -> exp.Column:
    """A column of this very name."""
    return exp.column(exp.to_identifier(name, quoted=True))


def value(bound: BoundFeature) -> exp.Expression | None:
    """A column as its feature's expression takes it: numbers as doubles; None: it has no form."""
    column, given, wanted = named(bound.column.name), bound.column.type, bound.feature.type
    if is_text(wanted):
        return column if is_text(given) else None
    if not pa.types.is_floating(wanted):
        return column if given == wanted or (_whole(given) and _whole(wanted)) else None
    if pa.types.is_float64(given):
        return column
    if pa.types.is_boolean(given):
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        return exp.Case(
            ifs=[exp.If(this=column, true=one), exp.If(this=exp.not_(column.copy()), true=zero)]
        )
    if _whole(given) or pa.types.is_floating(given) or pa.types.is_decimal(given):
        return exp.cast(column, "double")
    return None


def unfed(bound: BoundFeature) -> str:
    """Why a column has no form, where it has none."""
    return f"the column {bound.column.name!r} ({bound.cast}) has no SQL form as a feature"


def holds(asked: pa.DataType, given: pa.DataType) -> bool:
    """Whether a type takes every value of another as it is, but for its last bits."""
    if asked == given or (is_text(asked) and is_text(given)):
        return True
    if pa.types.is_floating(asked):
        return pa.types.is_floating(given) or _whole(given)
    signed = pa.types.is_signed_integer(asked)
    return _whole(given) and signed and asked.bit_width >= given.bit_width


def _whole(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_))
