"""TRY_CAST and TRY_CONVERT, where a database has none or another one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.types import cast_type
from sqlscore.products.templates import filled

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation

_T = exp.DType
#: the smallest and the largest value of a type
_RANGES = {
    _T.UTINYINT: (0, 255), _T.TINYINT: (0, 255), _T.SMALLINT: (-(2**15), 2**15 - 1),
    _T.INT: (-(2**31), 2**31 - 1), _T.BIGINT: (-(2**63), 2**63 - 1),
}  # fmt: skip

_WHOLE = (
    "CASE WHEN TRIM(:x) = '' THEN 0 WHEN :fits THEN"
    " CASE WHEN CAST(TRIM(:x) AS BIGINT) BETWEEN :low AND :high THEN CAST(TRIM(:x) AS BIGINT) END"
    " END"
)
_REAL = "CASE WHEN TRIM(:x) = '' THEN 0 WHEN :fits THEN CAST(TRIM(:x) AS DOUBLE) END"
_DECIMAL = "CASE WHEN :fits AND NOT LOWER(:x) LIKE '%e%' THEN CAST(TRIM(:x) AS DECIMAL(38, 19)) END"
_IN_RANGE = "CASE WHEN :x > :below AND :x < :above THEN :x END"


def attempted(value: exp.Expr, to: exp.DataType, about: Translation) -> exp.Expr | None:
    """The value in that type, NULL where it is none; None where a plain cast never fails."""
    kind, wanted = about.scope.kind(value), of_type(to)
    if wanted is Kind.TEXT or isinstance(value, exp.Null):
        return None
    if to.this is exp.DType.BIT and kind in (Kind.INTEGER, Kind.NUMBER, Kind.TRUTH):
        return None
    if wanted is kind or (wanted in (Kind.DATE, Kind.MOMENT) and kind in (Kind.DATE, Kind.MOMENT)):
        return _within(value, to) if wanted is Kind.INTEGER else None
    if kind is Kind.INTEGER and wanted is Kind.NUMBER:
        return None
    if kind is Kind.NUMBER and wanted is Kind.INTEGER:
        return _within(value, to)
    takes = to.this in _RANGES or wanted is Kind.NUMBER
    if kind not in (Kind.TEXT, None) or not takes:
        raise StatementError(
            f"TRY_CAST to {to.sql('tsql').lower()} is not supported on other databases but from "
            "text to numbers: use CAST, and leave out what is none by a WHERE"
        )
    text = value if kind is Kind.TEXT else exp.cast(value, "text")
    return _of_text(text, to, wanted, about)


def _of_text(text: exp.Expr, to: exp.DataType, wanted: Kind, about: Translation) -> exp.Expr:
    tests = about.facts.text_tests
    if tests is None:
        raise StatementError("TRY_CAST is not supported on this database: use CAST")
    target = cast_type(to)
    if wanted is Kind.INTEGER:
        low, high = _RANGES[to.this]
        fits = filled(tests.whole, about.facts.dialect, x=text)
        bounds = {"low": exp.Literal.number(low), "high": exp.Literal.number(high)}
        return exp.Cast(this=filled(_WHOLE, x=text, fits=fits, **bounds), to=target)
    fits = filled(tests.number, about.facts.dialect, x=text)
    template = _DECIMAL if to.this is _T.DECIMAL else _REAL
    return exp.Cast(this=filled(template, x=text, fits=fits), to=target)


def _within(value: exp.Expr, to: exp.DataType) -> exp.Expr:
    """A number without its fraction, if the type holds it."""
    low, high = _RANGES[to.this]
    bounds = {"below": exp.Literal.number(low - 1), "above": exp.Literal.number(high + 1)}
    return exp.Cast(this=exp.Trunc(this=filled(_IN_RANGE, x=value, **bounds)), to=cast_type(to))
