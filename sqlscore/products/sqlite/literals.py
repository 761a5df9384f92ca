"""Constants as SQLite's own text, by their own kind, which decides how it compares them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sqlscore.types import Column


def literal(value: Any, _column: Column) -> ColumnElement[Any]:
    """The value as SQL text, by its own kind, which decides how SQLite compares it."""
    if isinstance(value, bool) or value is None:
        return sa.literal_column(str(int(value)) if value is not None else "NULL")
    if isinstance(value, int):
        # no literal gives the least integer: 9223372036854775808 is a real before it is negated
        least = value == -(2**63)
        return sa.literal_column("(-9223372036854775807 - 1)" if least else str(value))
    if isinstance(value, float):
        return sa.literal_column(_real(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return sa.literal_column(f"x'{bytes(value).hex()}'")
    text = str(value)
    if "\x00" in text:
        return sa.literal_column(f"CAST(x'{text.encode().hex()}' AS TEXT)", sa.String())
    return sa.literal_column("'" + text.replace("'", "''") + "'", sa.String())


def _real(value: float) -> str:
    """A real that every version of SQLite reads right: old ones misread very large exponents."""
    if math.isinf(value):
        return "9e999" if value > 0 else "(-9e999)"
    if value == 0 or 1e-15 <= abs(value) <= 1e15:
        return f"({value!r})" if "e" in repr(value) or "." in repr(value) else f"({value!r}.0)"
    mantissa, exponent = math.frexp(value)
    whole, power = int(mantissa * 2**53), exponent - 53
    while whole % 2 == 0:  # odd: then no step on the way is finer than the value itself
        whole, power = whole // 2, power + 1
    sign, steps = "*" if power > 0 else "/", []
    power = abs(power)
    while power:
        step = min(power, 62)
        steps.append(f" {sign} {2**step}.0")
        power -= step
    return f"({whole}.0{''.join(steps)})"
