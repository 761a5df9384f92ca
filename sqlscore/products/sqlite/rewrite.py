"""What SQLite says otherwise than sqlglot writes it: dates, texts, decimals, numbers cut off."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.products.templates import TextTests, filled, refuse_sets

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

_SIGNLESS = (
    "(CASE WHEN SUBSTR(TRIM(:x), 1, 1) IN ('+', '-') THEN SUBSTR(TRIM(:x), 2) ELSE TRIM(:x) END)"
)
_EXPONENT = "SUBSTR(LOWER(TRIM(:x)), INSTR(LOWER(TRIM(:x)), 'e') + 1)"
_MANTISSA = (
    f"(CASE WHEN INSTR(LOWER({_SIGNLESS}), 'e') > 0"
    f" THEN SUBSTR({_SIGNLESS}, 1, INSTR(LOWER({_SIGNLESS}), 'e') - 1) ELSE {_SIGNLESS} END)"
)
TEXTS = TextTests(
    whole=f"({_SIGNLESS} GLOB '[0-9]*' AND NOT {_SIGNLESS} GLOB '*[^0-9]*'"
    f" AND LENGTH({_SIGNLESS}) <= 18)",
    number=f"({_MANTISSA} GLOB '*[0-9]*' AND NOT {_MANTISSA} GLOB '*[^0-9.]*'"
    f" AND NOT {_MANTISSA} GLOB '*.*.*' AND (INSTR(LOWER(TRIM(:x)), 'e') = 0"
    f" OR ({_SIGNLESS.replace(':x', _EXPONENT)} GLOB '[0-9]*'"
    f" AND NOT {_SIGNLESS.replace(':x', _EXPONENT)} GLOB '*[^0-9]*')))",
)


def rewrite(node: exp.Expr, kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    cut = isinstance(node, exp.Trunc) and node.args.get("decimals") is None
    if cut and isinstance(node.parent, exp.Cast):
        inner: exp.Expr = node.this  # a cast to integer cuts the fraction off by itself
        return inner
    rule = _RULES.get(type(node))
    return rule(node, kind) if rule is not None else None


def _filled(template: str, **parts: exp.Expr) -> exp.Expr:
    return filled(template, "sqlite", **parts)


def _part(node: exp.Expr, _: str | None) -> exp.Expr:
    return _filled(_PARTS[type(node).__name__.upper()], x=_plain(node.this))


def _extract(node: exp.Extract, _: str | None) -> exp.Expr | None:
    template = _PARTS.get(node.name.upper())
    return _filled(template, x=_plain(node.expression)) if template is not None else None


def _plain(moment: exp.Expr) -> exp.Expr:
    return moment.this if isinstance(moment, exp.TsOrDsToDate) else moment


def _moved(node: exp.DateAdd, kind: str | None) -> exp.Expr:
    """DATEADD: a date is ten characters, a moment has the six digits that are written here."""
    unit, x, n = node.text("unit").upper(), _plain(node.this), node.expression
    if unit not in ("MONTH", "DAY"):
        return _filled(_STAMP, x=x, n=n, unit=exp.Literal.string(f" {unit.lower()}s"))
    of_date = _filled(_MONTHS if unit == "MONTH" else _DAYS, x=x, n=n)
    days = exp.Literal.string(" days")
    moment = _filled(_MONTHS_OF_STAMP if unit == "MONTH" else _STAMP, x=x, n=n, unit=days)
    if kind == "date":
        return of_date
    if kind == "moment":
        return moment
    short = _filled("LENGTH(:x) <= 10", x=x)
    return exp.Case(ifs=[exp.If(this=short, true=of_date)], default=moment)


def _last_day(node: exp.LastDay, _: str | None) -> exp.Expr:
    return _filled(_MONTH_END, x=_plain(node.this))


def _from_parts(node: exp.DateFromParts, _: str | None) -> exp.Expr:
    parts = {key[0]: node.args[key] for key in ("year", "month", "day")}
    return _filled("DATE(PRINTF('%04d-%02d-%02d', :y, :m, :d))", **parts)


def _as_text(node: exp.TimeToStr, _: str | None) -> exp.Expr | None:
    form, x = node.text("format"), node.this
    if form in _NAMES:
        return _filled(_NAMES[form], x=x)
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
        return _filled("DATETIME(:x)", x=_joined([text, _joined(clock, ":")], " "))
    return _filled("DATE(:x)" if isinstance(node, exp.StrToDate) else "DATETIME(:x)", x=text)


def _piece(text: exp.Expr, place: tuple[int, int]) -> exp.Expr:
    start, length = (exp.Literal.number(one) for one in place)
    return _filled("SUBSTR(:x, :start, :length)", x=text, start=start, length=length)


def _joined(parts: list[exp.Expr], between: str) -> exp.Expr:
    joined = parts[0]
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=exp.Literal.string(between), safe=False)
        joined = exp.DPipe(this=joined, expression=part, safe=False)
    return joined


def _left(node: exp.Left, _: str | None) -> exp.Expr:
    return _filled("SUBSTR(:x, 1, :n)", x=node.this, n=node.expression)


def _right(node: exp.Right, _: str | None) -> exp.Expr:
    n = node.expression
    if isinstance(n, exp.Literal) and n.name != "0":
        return _filled("SUBSTR(:x, -:n)", x=node.this, n=n)
    return _filled("CASE WHEN :n > 0 THEN SUBSTR(:x, -:n) ELSE '' END", x=node.this, n=n)


def _repeat(node: exp.Repeat | exp.Space, _: str | None) -> exp.Expr:
    space = isinstance(node, exp.Space)
    x, n = (exp.Literal.string(" "), node.this) if space else (node.this, node.args["times"])
    return _filled("(REPLACE(HEX(ZEROBLOB(:n)), '00', :x))", x=x, n=n)


def _concat(node: exp.Concat, _: str | None) -> exp.Expr:
    """CONCAT, which SQLite has since 3.44: NULL is no text."""
    empty = exp.Literal.string("")
    parts = [exp.Coalesce(this=one.copy(), expressions=[empty.copy()]) for one in node.expressions]
    joined: exp.Expr = parts[0]
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=part, safe=False)
    return exp.Paren(this=joined)


def _cast(node: exp.Cast, _: str | None) -> exp.Expr | None:
    """A decimal is a number rounded to its digits."""
    if node.to.this is not exp.DType.DECIMAL or not node.to.expressions:
        return None
    sizes = [one.name for one in node.to.expressions]
    digits = exp.Literal.number(sizes[1] if len(sizes) > 1 else 0)
    return exp.Round(this=exp.cast(node.this.copy(), "double"), decimals=digits)


def _div(node: exp.Div, kind: str | None) -> None:
    """A decimal may be stored as an integer, and divides as a number all the same."""
    if kind == "number" and not isinstance(node.this, exp.Cast):
        node.set("this", exp.cast(node.this.copy(), "double"))


def _truncated(node: exp.TruncateTable, _: str | None) -> exp.Expr:
    return exp.Delete(this=node.expressions[0].copy())


def _rounded(node: exp.Round, kind: str | None) -> exp.Expr | None:
    """ROUND to tens, hundreds, …"""
    digits = node.args.get("decimals")
    if not isinstance(digits, exp.Neg):
        return None
    made = _filled("(ROUND(:x / POWER(10.0, :n)) * POWER(10, :n))", x=node.this, n=digits.this)
    return exp.cast(made, "int") if kind == "integer" else made


def _floor(node: exp.Floor, _: str | None) -> exp.Expr:
    """FLOOR of NULL is NULL: the function that SQLAlchemy registers takes none."""
    return exp.Case(
        ifs=[exp.If(this=_filled("NOT :x IS NULL", x=node.this), true=node.copy())]
    )  # fmt: skip


def _listed(node: exp.GroupConcat, _: str | None) -> None:
    if isinstance(node.this, exp.Order) and sqlite3.sqlite_version_info < (3, 44):
        raise StatementError(
            f"this SQLite ({sqlite3.sqlite_version}) has no STRING_AGG … WITHIN GROUP, 3.44 has: "
            "sort the rows in the program that reads them"
        )


def _returned(node: exp.Returning, _: str | None) -> None:
    """RETURNING knows the columns of the table that is written alone, and no alias."""
    for column in node.find_all(exp.Column):
        column.set("table", None)


_UUID = (
    "(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || SUBSTR(HEX(RANDOMBLOB(2)), 2)"
    " || '-8' || SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
)


def _random(_node: exp.Uuid, _: str | None) -> exp.Expr:
    return _filled(_UUID)


def _grouped(node: exp.Group, _: str | None) -> None:
    refuse_sets(node, "SQLite")


def _percentile(_node: exp.Expr, _: str | None) -> exp.Expr:
    raise StatementError("SQLite has no PERCENTILE_CONT and PERCENTILE_DISC: number the rows")


def _exclusive(node: exp.BitwiseXor, _: str | None) -> exp.Expr:
    return _filled("((:a | :b) - (:a & :b))", a=node.this, b=node.expression)


def _cut(node: exp.Trunc, _: str | None) -> None:
    if node.args.get("decimals") is not None:
        raise StatementError("ROUND(…, …, 1) is not supported on SQLite: CAST to int cuts off")


_RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
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
    exp.Left: _left,
    exp.Right: _right,
    exp.Repeat: _repeat,
    exp.Space: _repeat,
    exp.Concat: _concat,
    exp.Cast: _cast,
    exp.Div: _div,
    exp.TruncateTable: _truncated,
    exp.Trunc: _cut,
    exp.Round: _rounded,
    exp.Returning: _returned,
    exp.GroupConcat: _listed,
    exp.Floor: _floor,
    exp.BitwiseXor: _exclusive,
    exp.Uuid: _random,
    exp.Group: _grouped,
    exp.PercentileCont: _percentile,
    exp.PercentileDisc: _percentile,
}
