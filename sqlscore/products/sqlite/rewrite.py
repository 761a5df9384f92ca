"""What SQLite says otherwise than sqlglot writes it: texts, decimals, numbers cut off, dates."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.products.sqlite import dates
from sqlscore.products.sqlite.texts import filled
from sqlscore.products.templates import refuse_sets

if TYPE_CHECKING:
    from collections.abc import Callable


def rewrite(node: exp.Expr, kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    cut = isinstance(node, exp.Trunc) and node.args.get("decimals") is None
    if cut and isinstance(node.parent, exp.Cast):
        inner: exp.Expr = node.this  # a cast to integer cuts the fraction off by itself
        return inner
    rule = _RULES.get(type(node))
    return rule(node, kind) if rule is not None else None


def _left(node: exp.Left, _: str | None) -> exp.Expr:
    return filled("SUBSTR(:x, 1, :n)", x=node.this, n=node.expression)


def _right(node: exp.Right, _: str | None) -> exp.Expr:
    n = node.expression
    if isinstance(n, exp.Literal) and n.name != "0":
        return filled("SUBSTR(:x, -:n)", x=node.this, n=n)
    return filled("CASE WHEN :n > 0 THEN SUBSTR(:x, -:n) ELSE '' END", x=node.this, n=n)


def _repeat(node: exp.Repeat | exp.Space, _: str | None) -> exp.Expr:
    space = isinstance(node, exp.Space)
    x, n = (exp.Literal.string(" "), node.this) if space else (node.this, node.args["times"])
    return filled("(REPLACE(HEX(ZEROBLOB(:n)), '00', :x))", x=x, n=n)


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
    made = filled("(ROUND(:x / POWER(10.0, :n)) * POWER(10, :n))", x=node.this, n=digits.this)
    return exp.cast(made, "int") if kind == "integer" else made


def _floor(node: exp.Floor, _: str | None) -> exp.Expr:
    """FLOOR of NULL is NULL: the function that SQLAlchemy registers takes none."""
    return exp.Case(
        ifs=[exp.If(this=filled("NOT :x IS NULL", x=node.this), true=node.copy())]
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
    return filled(_UUID)


def _grouped(node: exp.Group, _: str | None) -> None:
    refuse_sets(node, "SQLite")


def _percentile(_node: exp.Expr, _: str | None) -> exp.Expr:
    raise StatementError("SQLite has no PERCENTILE_CONT and PERCENTILE_DISC: number the rows")


def _exclusive(node: exp.BitwiseXor, _: str | None) -> exp.Expr:
    return filled("((:a | :b) - (:a & :b))", a=node.this, b=node.expression)


def _cut(node: exp.Trunc, _: str | None) -> None:
    if node.args.get("decimals") is not None:
        raise StatementError("ROUND(…, …, 1) is not supported on SQLite: CAST to int cuts off")


_RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    **dates.RULES,
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
