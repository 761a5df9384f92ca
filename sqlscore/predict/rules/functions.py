"""Functions that other databases have not, or with another meaning. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind
from sqlscore.products.templates import filled

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.predict.rules.translation import Translation

_STUFF = (
    "CASE WHEN :start BETWEEN 1 AND LENGTH(:x) THEN SUBSTRING(:x, 1, :start - 1)"
    " || COALESCE(:y, '') || SUBSTRING(:x, :start + :length) END"
)


def stuff(node: exp.Stuff, about: Translation) -> exp.Expr:
    """STUFF, from simpler functions."""
    return filled(
        _STUFF, x=node.this, start=node.args["start"], length=node.args["length"],
        y=node.expression,
    )  # fmt: skip


def rounded(node: exp.Round, about: Translation) -> exp.Expr | None:
    """ROUND with a third argument cuts off."""
    cut = node.args.get("truncate")
    if cut is None:
        return None
    if not isinstance(cut, exp.Literal):
        raise StatementError("ROUND takes 0 or 1 as its third argument here")
    node.set("truncate", None)
    if cut.name == "0":
        return None
    return exp.Trunc(this=node.this, decimals=node.args["decimals"])


def power(node: exp.Pow, about: Translation) -> exp.Expr | None:
    """A power of an integer is an integer."""
    if about.scope.kind(node.this) is not Kind.INTEGER:
        return None
    return exp.cast(exp.Trunc(this=node.copy()), "bigint")


def number_text(node: exp.NumberToStr, about: Translation) -> None:
    """FORMAT of a number hangs on a culture, which no database has."""
    raise StatementError(
        f"FORMAT(…, {node.text('format')!r}) of a number is not supported on other databases: "
        "write CAST(ROUND(x, 2) AS nvarchar(20)), or format it in the program that reads it"
    )


def anonymous(node: exp.Anonymous, about: Translation) -> exp.Expr | None:
    """A function that sqlglot does not know: T-SQL's as far as they are listed here."""
    rule = _ANONYMOUS.get(node.name.upper())
    return rule(node) if rule is not None else None


def _choose(node: exp.Anonymous) -> exp.Expr:
    index, *values = node.expressions
    ifs = [
        exp.If(this=exp.Literal.number(number), true=value)
        for number, value in enumerate(values, start=1)
    ]
    return exp.Case(this=index, ifs=ifs)


def _now(_: exp.Anonymous) -> exp.Expr:
    return exp.cast(exp.CurrentTimestamp(), "timestamp")


def _numbered(_: exp.Anonymous) -> exp.Expr:
    raise StatementError(
        "SCOPE_IDENTITY() is not supported here: INSERT … OUTPUT inserted.id gives the numbers"
    )


def _aggregate(kind: type[exp.Expr]) -> Callable[[exp.Anonymous], exp.Expr]:
    return lambda node: kind(this=node.expressions[0])


_ANONYMOUS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "CHOOSE": _choose,
    "GETUTCDATE": _now,
    "SYSUTCDATETIME": _now,
    "SCOPE_IDENTITY": _numbered,
    "VAR": _aggregate(exp.Variance),
    "VARP": _aggregate(exp.VariancePop),
    "STDEVP": _aggregate(exp.StddevPop),
}
