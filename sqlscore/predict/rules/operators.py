"""Operators and functions that mean something else in T-SQL than elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.kinds import Kind

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation


def div(node: exp.Div, about: Translation) -> exp.Expr | None:
    """An integer by an integer is an integer, unless another dialect's division was meant."""
    if node.args.get("typed") is False:
        return None
    kinds = {about.scope.kind(node.this), about.scope.kind(node.expression)}
    if kinds == {Kind.INTEGER} and not about.facts.typed_division:
        return exp.Paren(this=exp.IntDiv(this=node.this, expression=node.expression))
    return None


def add(node: exp.Add, about: Translation) -> exp.Expr | None:
    """``+`` joins text."""
    kinds = [about.scope.kind(node.this), about.scope.kind(node.expression)]
    if Kind.TEXT in kinds and all(kind in (Kind.TEXT, None) for kind in kinds):
        return exp.DPipe(this=node.this, expression=node.expression, safe=False)
    return None


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


def days(node: exp.DateDiff, about: Translation) -> exp.Expr | None:
    """DATEDIFF counts the borders that lie between: of days, months and years."""
    unit = node.text("unit").upper()
    later, earlier = (
        part.this if isinstance(part, exp.TimeStrToTime) else part
        for part in (node.this, node.expression)
    )
    if unit == "DAY":
        dates = [exp.cast(part.copy(), "date") for part in (later, earlier)]
        return exp.DateDiff(this=dates[0], expression=dates[1], unit=exp.var("DAY"))
    if unit not in ("MONTH", "YEAR"):
        return None
    years = exp.Sub(this=exp.Year(this=later.copy()), expression=exp.Year(this=earlier.copy()))
    if unit == "YEAR":
        return exp.Paren(this=years)
    months = exp.Sub(this=exp.Month(this=later.copy()), expression=exp.Month(this=earlier.copy()))
    twelve = exp.Mul(this=exp.Literal.number(12), expression=exp.Paren(this=years))
    return exp.Paren(this=exp.Add(this=twelve, expression=months))
