"""Operators and functions that mean something else in T-SQL than elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.kinds import Kind
from sqlscore.predict.rules import dates

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation


def div(node: exp.Div, about: Translation) -> exp.Expr | None:
    """An integer by an integer is an integer, unless another dialect's division was meant."""
    if node.args.get("typed") is False:
        return None
    kinds = {about.scope.kind(node.this), about.scope.kind(node.expression)}
    if kinds != {Kind.INTEGER}:
        return None
    if not about.facts.typed_division:
        return exp.Paren(this=exp.IntDiv(this=node.this, expression=node.expression))
    for key in ("this", "expression"):
        if node.args[key].find(exp.Func):  # a sum or a year may be no integer there
            node.set(key, exp.cast(node.args[key], "bigint"))
    return None


def add(node: exp.Add, about: Translation) -> exp.Expr | None:
    """``+`` joins text, and adds days to a moment."""
    kinds = [about.scope.kind(node.this), about.scope.kind(node.expression)]
    if Kind.TEXT in kinds and all(kind in (Kind.TEXT, None) for kind in kinds):
        return exp.DPipe(this=node.this, expression=node.expression, safe=False)
    return _later(node.this, node.expression, kinds[0], kinds[1])


def subtract(node: exp.Sub, about: Translation) -> exp.Expr | None:
    """``-`` takes days from a moment."""
    kinds = [about.scope.kind(node.this), about.scope.kind(node.expression)]
    less = exp.Neg(this=exp.Paren(this=node.expression.copy()))
    return _later(node.this, less, kinds[0], kinds[1])


def _later(
    moment: exp.Expr, days: exp.Expr, kind: Kind | None, other: Kind | None
) -> exp.Expr | None:
    if kind is not Kind.MOMENT:
        return None
    if other is not Kind.INTEGER:
        raise StatementError(
            "a moment takes whole days by + and -: use DATEADD and DATEDIFF for the rest"
        )
    return exp.DateAdd(this=moment, expression=days, unit=exp.var("DAY"))


def length(node: exp.Length, about: Translation) -> None:
    """LEN leaves trailing spaces out."""
    node.set("this", exp.Trim(this=node.this, position="TRAILING"))


def average(node: exp.Avg, about: Translation) -> exp.Expr | None:
    """The average of integers is an integer."""
    if about.scope.kind(node.this) is not Kind.INTEGER:
        return None
    return exp.cast(exp.Trunc(this=node.copy()), "bigint")


def national(node: exp.National, about: Translation) -> exp.Expr:
    """N'…' is text like any other."""
    return exp.Literal.string(node.name)


def equal(node: exp.Binary, about: Translation) -> None:
    """A bit is 0 or 1 in T-SQL; a database's own boolean is compared with true or false."""
    for one, other in (("this", "expression"), ("expression", "this")):
        value = node.args[one]
        truth = about.scope.kind(node.args[other]) is Kind.TRUTH
        if truth and isinstance(value, exp.Literal) and value.name in ("0", "1"):
            node.set(one, exp.Boolean(this=value.name == "1"))
    dates.compared(node, about)
