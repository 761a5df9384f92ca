"""Dates on SQLite: texts, whose parts STRFTIME tells and whose modifiers move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.products.sqlite.texts import filled

if TYPE_CHECKING:
    from collections.abc import Callable

#: part of a date -> what it is
_PARTS = {
    **{
        part: f"CAST(STRFTIME('{form}', :x) AS INTEGER)"
        for part, form in {
            "YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M",
            "SECOND": "%S", "DAYOFYEAR": "%j", "DOY": "%j", "DOW": "%w", "EPOCH": "%s",
        }.items()
    },
    "QUARTER": "((CAST(STRFTIME('%m', :x) AS INTEGER) + 2) / 3)",
}  # fmt: skip

_MONTH_END = "DATE(:x, 'start of month', '+1 month', '-1 day')"
#: months later, but no later than that month's last day
_MONTHS = (
    "MIN(DATE(:x, (:n) || ' months'), DATE(:x, 'start of month', (:n + 1) || ' months', '-1 day'))"
)
_DAYS = "DATE(:x, (:n) || ' days')"
_STAMP = "(STRFTIME('%Y-%m-%d %H:%M:%f', :x, (:n) || :unit) || '000')"
_MONTHS_OF_STAMP = f"({_MONTHS} || SUBSTR(STRFTIME('%Y-%m-%d %H:%M:%f', :x), 11) || '000')"

_NAMES = {
    "%B": (
        "RTRIM(SUBSTR('January  February March    April    May      June     July     August   "
        "SeptemberOctober  November December ', 9 * STRFTIME('%m', :x) - 8, 9))"
    ),
    "%A": (
        "RTRIM(SUBSTR('Sunday   Monday   Tuesday  WednesdayThursday Friday   Saturday ',"
        " 9 * STRFTIME('%w', :x) + 1, 9))"
    ),
}
_KNOWN = set("YmdHMSfjwsW%")  #: what STRFTIME knows


def _part(node: exp.Expr, _: str | None) -> exp.Expr:
    return filled(_PARTS[type(node).__name__.upper()], x=_plain(node.this))


def _extract(node: exp.Extract, _: str | None) -> exp.Expr | None:
    template = _PARTS.get(node.name.upper())
    return filled(template, x=_plain(node.expression)) if template is not None else None


def _plain(moment: exp.Expr) -> exp.Expr:
    return moment.this if isinstance(moment, exp.TsOrDsToDate) else moment


def _moved(node: exp.DateAdd, kind: str | None) -> exp.Expr:
    """DATEADD: a date is ten characters, a moment has the six digits that are written here."""
    unit, x, n = node.text("unit").upper(), _plain(node.this), node.expression
    if unit not in ("MONTH", "DAY"):
        return filled(_STAMP, x=x, n=n, unit=exp.Literal.string(f" {unit.lower()}s"))
    of_date = filled(_MONTHS if unit == "MONTH" else _DAYS, x=x, n=n)
    days = exp.Literal.string(" days")
    moment = filled(_MONTHS_OF_STAMP if unit == "MONTH" else _STAMP, x=x, n=n, unit=days)
    if kind == "date":
        return of_date
    if kind == "moment":
        return moment
    short = filled("LENGTH(:x) <= 10", x=x)
    return exp.Case(ifs=[exp.If(this=short, true=of_date)], default=moment)


def _last_day(node: exp.LastDay, _: str | None) -> exp.Expr:
    return filled(_MONTH_END, x=_plain(node.this))


def _from_parts(node: exp.DateFromParts, _: str | None) -> exp.Expr:
    parts = {key[0]: node.args[key] for key in ("year", "month", "day")}
    return filled("DATE(PRINTF('%04d-%02d-%02d', :y, :m, :d))", **parts)


def _as_text(node: exp.TimeToStr, _: str | None) -> exp.Expr | None:
    form, x = node.text("format"), node.this
    if form in _NAMES:
        return filled(_NAMES[form], x=x)
    directives = form.split("%")[1:]
    if any(one[:1] not in _KNOWN for one in directives if one):
        raise StatementError(
            "SQLite writes no names of months and days, no years of two digits and no hours to 12 "
            "beside other parts of a date: use DATENAME and DATEPART"
        )
    node.set("format", exp.Literal.string(form.replace("%S.%f", "%f")))
    return None


def _from_text(node: exp.StrToTime | exp.StrToDate, _: str | None) -> exp.Expr:
    """A text of digits at known places, as ISO 8601 has them."""
    form, at, places = node.text("format"), 1, {}
    index = 0
    while index < len(form):
        if form[index] == "%":
            letter, index = form[index + 1], index + 1
            width = {"Y": 4, "f": 6}.get(letter, 2)
            places[letter] = (at, width)
            at += width - 1
        index, at = index + 1, at + 1
    if not set("Ymd") <= set(places):
        raise StatementError("SQLite reads dates with years of four digits alone from text")
    date = [_piece(node.this, places[letter]) for letter in "Ymd"]
    text = _joined(date, "-")
    if isinstance(node, exp.StrToTime) and "H" in places:
        clock = [_piece(node.this, places[letter]) for letter in "HMS"]
        return filled("DATETIME(:x)", x=_joined([text, _joined(clock, ":")], " "))
    return filled("DATE(:x)" if isinstance(node, exp.StrToDate) else "DATETIME(:x)", x=text)


def _piece(text: exp.Expr, place: tuple[int, int]) -> exp.Expr:
    start, length = (exp.Literal.number(one) for one in place)
    return filled("SUBSTR(:x, :start, :length)", x=text, start=start, length=length)


def _joined(parts: list[exp.Expr], between: str) -> exp.Expr:
    joined = parts[0]
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=exp.Literal.string(between), safe=False)
        joined = exp.DPipe(this=joined, expression=part, safe=False)
    return joined


RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Year: _part,
    exp.Month: _part,
    exp.Day: _part,
    exp.Extract: _extract,
    exp.DateAdd: _moved,
    exp.LastDay: _last_day,
    exp.DateFromParts: _from_parts,
    exp.TimeToStr: _as_text,
    exp.StrToTime: _from_text,
    exp.StrToDate: _from_text,
}
