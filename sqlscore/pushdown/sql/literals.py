"""Numbers and text as literals that mean exactly themselves, in every dialect."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions

#: stands for an infinity where a product has none: far past float32, and neither its square nor a
#: product of it with a float32 overflows
INFINITY = 1e150


def _double_type() -> exp.DataType:
    return exp.DataType(this=exp.DataType.Type.DOUBLE, nested=False)


def _real_type() -> exp.DataType:
    # by its own name: sqlglot writes a FLOAT of 4 bytes as one of 8 for SQL Server
    return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind="REAL", nested=False)


def number(value: float, facts: Expressions) -> exp.Expression:
    """A double. NaN is NULL, and ±inf is ±`INFINITY`, where the product has none of them."""
    value = float(value)
    if math.isnan(value):
        return _cast("NaN", "double", facts) if facts.nan else exp.Null()
    if math.isinf(value):
        return _infinity(value, facts)
    if facts.decimal_literals:
        return _cast(repr(value + 0.0), "double", facts)
    return _signed(_plain(value))


def real(value: float, facts: Expressions) -> exp.Expression:
    """A 4-byte float, where the product has them; else a double of the same value."""
    if not facts.real or not math.isfinite(value):
        return number(float(np.float32(value)), facts)
    return _cast(str(np.float32(value + 0.0)), "real", facts)


def integer(value: int) -> exp.Expression:
    """A whole number."""
    return _signed(str(int(value)))


def text(value: str) -> exp.Expression:
    """A text."""
    return exp.Literal.string(value)


def as_real(value: exp.Expression) -> exp.Expression:
    """The expression rounded to a 4-byte float."""
    return exp.Cast(this=value, to=_real_type())


def as_double(value: exp.Expression) -> exp.Expression:
    """The expression as a double."""
    return exp.Cast(this=value, to=_double_type())


def _plain(value: float) -> str:
    """The shortest text of the value, with an exponent, without which it may be a decimal."""
    shown = repr(value + 0.0)  # no -0.0: it would be equal to 0.0 and print differently
    return shown if "e" in shown else f"{shown}e0"


def _signed(shown: str) -> exp.Expression:
    """Parenthesised where negative: ``a--0.5`` begins a comment."""
    if not shown.startswith("-"):
        return exp.Literal(this=shown, is_string=False)
    return exp.Paren(this=exp.Neg(this=exp.Literal(this=shown[1:], is_string=False)))


def _infinity(value: float, facts: Expressions) -> exp.Expression:
    if not facts.infinity:
        return _signed(repr(math.copysign(INFINITY, value)))
    if not facts.nan:  # SQLite, which reads no text as an infinity
        return _signed("9e999" if value > 0 else "-9e999")
    return _cast("Infinity" if value > 0 else "-Infinity", "double", facts)


def _cast(value: str, type_: str, facts: Expressions) -> exp.Expression:
    """A number cast from its text. One node, as a model has thousands of them."""
    before, after = _around(type_, facts.dialect)
    return exp.Var(this=f"{before}{value}{after}")


@cache
def _around(type_: str, dialect: str) -> tuple[str, str]:
    """What stands around the text of a number that is cast."""
    made = as_real if type_ == "real" else as_double
    before, _, after = made(exp.Literal.string("?")).sql(dialect=dialect).partition("?")
    return before, after
