"""Dates as T-SQL counts and moves them. Pure.

What a product says otherwise for a part of a date, or for a date that is moved, its own rules say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind
from sqlscore.products.templates import filled

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation

#: unit of DATEDIFF -> the borders up to a moment, counted; of two of them the difference is taken
_BORDERS = {
    "QUARTER": "EXTRACT(YEAR FROM :x) * 4 + EXTRACT(QUARTER FROM :x)",
    "HOUR": "CAST(FLOOR(EXTRACT(EPOCH FROM :x) / 3600.0) AS BIGINT)",
    "MINUTE": "CAST(FLOOR(EXTRACT(EPOCH FROM :x) / 60.0) AS BIGINT)",
    "SECOND": "CAST(FLOOR(EXTRACT(EPOCH FROM :x)) AS BIGINT)",
}
_SUNDAY = "1899-12-31"  #: weeks begin on Sundays

#: unit of DATEADD -> as months or days
_UNITS = {"YEAR": ("MONTH", 12), "QUARTER": ("MONTH", 3), "WEEK": ("DAY", 7)}
_MOVES = ("MONTH", "DAY", "HOUR", "MINUTE", "SECOND")

#: part of DATEPART -> what it is in parts that the products know; Sunday is day 0 of DOW
_PARTS = {
    "DAYOFWEEK": "EXTRACT(DOW FROM :x) + 1",
    "DAYOFYEAR": "EXTRACT(DOY FROM :x)",
    "WEEK": "CAST(FLOOR((EXTRACT(DOY FROM :x) + 5 - EXTRACT(DOW FROM :x)) / 7.0) AS INT) + 1",
}
_TIMES = (exp.DType.TIMESTAMP, exp.DType.DATETIME, exp.DType.DATETIME2)


def difference(node: exp.DateDiff, about: Translation) -> exp.Expr | None:
    """DATEDIFF counts the borders that lie between."""
    unit = node.text("unit").upper()
    later, earlier = (
        iso(part.this if isinstance(part, exp.TimeStrToTime) else part)
        for part in (node.this, node.expression)
    )
    if unit == "DAY":
        return _days(later, earlier)
    if unit in ("MONTH", "YEAR"):
        return _months(_moment(later, about), _moment(earlier, about), unit)
    if unit == "WEEK":
        sunday = exp.Literal.string(_SUNDAY)
        weeks = [
            filled("CAST(FLOOR(:days / 7.0) AS BIGINT)", days=_days(part, sunday))
            for part in (later, earlier)
        ]
        return exp.Paren(this=exp.Sub(this=weeks[0], expression=weeks[1]))
    if unit not in _BORDERS:
        raise StatementError(f"DATEDIFF({unit}, …) is not supported on other databases")
    counts = [exp.Paren(this=filled(_BORDERS[unit], x=_moment(p, about))) for p in (later, earlier)]
    return exp.Paren(this=exp.Sub(this=counts[0], expression=counts[1]))


def _days(later: exp.Expr, earlier: exp.Expr) -> exp.Expr:
    dates = [exp.cast(part.copy(), "date") for part in (later, earlier)]
    return exp.DateDiff(this=dates[0], expression=dates[1], unit=exp.var("DAY"))


def _months(later: exp.Expr, earlier: exp.Expr, unit: str) -> exp.Expr:
    years = exp.Sub(this=exp.Year(this=later.copy()), expression=exp.Year(this=earlier.copy()))
    if unit == "YEAR":
        return exp.Paren(this=years)
    months = exp.Sub(this=exp.Month(this=later.copy()), expression=exp.Month(this=earlier.copy()))
    twelve = exp.Mul(this=exp.Literal.number(12), expression=exp.Paren(this=years))
    return exp.Paren(this=exp.Add(this=twelve, expression=months))


def moved(node: exp.DateAdd, about: Translation) -> exp.Expr | None:
    """DATEADD gives a date for a date, else a moment; of text it makes one."""
    unit, count = node.text("unit").upper(), node.expression
    unit, times = _UNITS.get(unit, (unit, 1))
    if unit not in _MOVES:
        raise StatementError(f"DATEADD({unit}, …) is not supported on other databases")
    if times > 1:
        count = filled(":n * :times", n=count, times=exp.Literal.number(times))
    kind = about.scope.kind(node.this)
    made = exp.DateAdd(this=_moment(node.this, about), expression=count, unit=exp.var(unit))
    if kind is Kind.DATE and unit in ("MONTH", "DAY"):
        made.set("this", node.this)
        return exp.cast(made, "date")
    return made


def _moment(part: exp.Expr, about: Translation) -> exp.Expr:
    """A value as a point in time; one of a kind that nobody knows is left to the database."""
    kind = about.scope.kind(part)
    unknown = about.facts.dates_are_text and not isinstance(part, exp.Literal)
    bare = isinstance(part, exp.Null)
    if bare or kind is Kind.DATE or (kind is Kind.TEXT and not unknown):
        return exp.cast(iso(part.copy()), "timestamp")
    return part


def part(node: exp.Extract, about: Translation) -> exp.Expr | None:
    """DATEPART: weeks and their days begin on Sundays."""
    template = _PARTS.get(node.name.upper())
    node.set("expression", _moment(node.expression, about))
    if template is None:
        return None
    return exp.Paren(this=filled(template, x=node.expression))


def now(node: exp.CurrentTimestamp, about: Translation) -> exp.Expr | None:
    """A moment without a zone; sessions are in UTC."""
    if node.find_ancestor(exp.ColumnDef) is not None:
        return None
    return exp.cast(node.copy(), "timestamp")


def from_text(value: exp.Expr, to: exp.DType, form: str) -> exp.Expr:
    """A date or a moment read from a text of that form."""
    said = exp.Literal.string(form)
    if to is exp.DType.DATE:
        return exp.StrToDate(this=value, format=said)
    return exp.cast(exp.StrToTime(this=value, format=said), "timestamp")


def compared(node: exp.Expr, about: Translation) -> None:
    """A date that is compared with the text 20240131, which not every database reads."""
    sides = [node.args.get(key) for key in ("this", "expression", "low", "high")]
    kinds = [about.scope.kind(side) for side in sides if isinstance(side, exp.Expr)]
    if Kind.DATE in kinds or Kind.MOMENT in kinds:
        for side in sides:
            if isinstance(side, exp.Literal):
                iso(side)


def iso(value: exp.Expr) -> exp.Expr:
    """The text of a date, 20240131, with the hyphens that every database reads."""
    if isinstance(value, exp.Literal) and value.is_string:
        day, rest = value.name[:8], value.name[8:]
        if day.isdecimal() and len(day) == len("yyyymmdd") and (not rest or rest[0] == " "):
            value.set("this", f"{day[:4]}-{day[4:6]}-{day[6:]}{rest}")
    return value
