"""CONVERT with a style: dates as text, and text as dates. Pure.

https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.rules import dates
from sqlscore.predict.types import length

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation

_STAMP = "%Y-%m-%d %H:%M:%S"
_PRECISE = f"{_STAMP}.%f"
_FORMS = {
    "1": "%m/%d/%y", "2": "%y.%m.%d", "3": "%d/%m/%y", "4": "%d.%m.%y", "5": "%d-%m-%y",
    "8": "%H:%M:%S", "10": "%m-%d-%y", "11": "%y/%m/%d", "12": "%y%m%d",
    "20": _STAMP, "21": _PRECISE, "23": "%Y-%m-%d", "24": "%H:%M:%S", "25": _PRECISE,
    "101": "%m/%d/%Y", "102": "%Y.%m.%d", "103": "%d/%m/%Y", "104": "%d.%m.%Y",
    "105": "%d-%m-%Y", "106": "%d %b %Y", "107": "%b %d, %Y", "108": "%H:%M:%S",
    "110": "%m-%d-%Y", "111": "%Y/%m/%d", "112": "%Y%m%d", "120": _STAMP, "121": _PRECISE,
    "126": "%Y-%m-%dT%H:%M:%S.%f",
}  # fmt: skip
_MILLISECONDS = 23  #: characters of a moment with three digits, more of which differ by database


def styled(node: exp.Convert, about: Translation) -> exp.Expr | None:
    """What a CONVERT with a style gives, before it is cut to its length.

    None where the style says nothing: for integers and text, and from dates to dates.
    """
    style, to, value = node.args.get("style"), node.this, node.expression
    if style is None:
        return None
    kind, wanted = about.scope.kind(value), of_type(to)
    if kind is Kind.TEXT and about.facts.dates_are_text:
        kind = None  # it may be a date
    if wanted is Kind.TEXT and kind in (Kind.INTEGER, Kind.TEXT):
        return None
    if wanted in (Kind.DATE, Kind.MOMENT) and kind in (Kind.DATE, Kind.MOMENT):
        return None
    form = _FORMS.get(style.name) if isinstance(style, exp.Literal) else None
    if form is None or kind is Kind.NUMBER or wanted not in (Kind.TEXT, Kind.DATE, Kind.MOMENT):
        raise _unknown(style, to)
    if wanted is not Kind.TEXT:
        return dates.from_text(value, exp.DType.DATE if wanted is Kind.DATE else to.this, form)
    if "%f" in form and not 0 < length(to) <= _MILLISECONDS:
        raise StatementError(
            f"CONVERT by the style {style.name} gives as many digits of a second as the database "
            f"likes: name a length of at most {_MILLISECONDS}, as in varchar(19)"
        )
    return exp.TimeToStr(this=value, format=exp.Literal.string(form))


def _unknown(style: exp.Expr, to: exp.DataType) -> StatementError:
    return StatementError(
        f"CONVERT to {to.sql('tsql').lower()} by the style {style.sql('tsql')} is not supported on "
        f"other databases. Those of dates are: {', '.join(_FORMS)}"
    )
