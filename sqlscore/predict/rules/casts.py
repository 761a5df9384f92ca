"""Casts and declared columns: T-SQL's types as the types that another database has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.rules import dates, styles
from sqlscore.predict.rules.attempts import attempted
from sqlscore.predict.types import arrow_type, cast_type, length
from sqlscore.products.templates import filled

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation


ROUNDS = "rounds"  #: marks a cast to an integer, of another dialect, that rounds

_BIT = "CAST(CASE WHEN :x = 0 THEN 0 WHEN :x <> 0 THEN 1 END AS SMALLINT)"
_BIT_OF_TRUTH = "CAST(CASE WHEN :x THEN 1 WHEN NOT :x THEN 0 END AS SMALLINT)"
_BIT_OF_TEXT = (
    "CAST(CASE WHEN LOWER(:x) = 'true' THEN 1 WHEN LOWER(:x) = 'false' THEN 0"
    " WHEN CAST(TRIM(:x) AS BIGINT) = 0 THEN 0 WHEN CAST(TRIM(:x) AS BIGINT) <> 0 THEN 1 END"
    " AS SMALLINT)"
)
_BITS = {Kind.TRUTH: _BIT_OF_TRUTH, Kind.TEXT: _BIT_OF_TEXT}


def cast(node: exp.Cast, about: Translation) -> exp.Expr | None:
    """The type that the database has; a fraction is cut off, and text to its length."""
    target, value = node.to, node.this
    kind = about.scope.kind(value)
    if target.this is exp.DType.BIT and not isinstance(value, exp.Null):
        return filled(_BITS.get(kind, _BIT) if kind else _BIT, x=value)
    node.set("to", cast_type(target))
    if of_type(target) in (Kind.DATE, Kind.MOMENT):
        dates.iso(value)
    if of_type(target) is Kind.INTEGER and kind is Kind.NUMBER:
        # T-SQL cuts the fraction off, others round it
        node.set("this", exp.Trunc(this=away(value) if node.meta.get(ROUNDS) else value))
        return None
    if of_type(target) is Kind.TEXT and length(target):
        return cut(node.copy(), length(target))
    return None


def cut(text: exp.Expr, most: int) -> exp.Substring:
    """A text's first characters."""
    return exp.Substring(
        this=text, start=exp.Literal.number(1), length=exp.Literal.number(most)
    )  # fmt: skip


def try_cast(node: exp.TryCast, about: Translation) -> exp.Expr | None:
    """NULL where the value is none of the type."""
    return attempted(node.this, node.to, about) or plain(node.this, node.to, about)


def plain(value: exp.Expr, to: exp.DataType, about: Translation) -> exp.Expr:
    """The value cast to a T-SQL type."""
    made = exp.Cast(this=value, to=to)
    return cast(made, about) or made


def away(value: exp.Expr) -> exp.Add:
    """A number moved away from zero by a half, which cut off is the number rounded.

    ROUND itself takes halves of doubles to the even number on MariaDB.
    """
    half = exp.Literal.number("0.5")
    negative = exp.LT(this=value.copy(), expression=exp.Literal.number(0))
    step = exp.Case(ifs=[exp.If(this=negative, true=exp.Neg(this=half.copy()))], default=half)
    return exp.Add(this=exp.Paren(this=value), expression=step)


def convert(node: exp.Convert, about: Translation) -> exp.Expr | None:
    """CONVERT: a cast, or a date as text and text as a date, by a style."""
    if not isinstance(node.this, exp.DataType):
        return None
    value, to = node.expression, node.this
    styled = styles.styled(node, about)
    if styled is not None:
        most = length(to)
        return cut(styled, most) if most and of_type(to) is Kind.TEXT else styled
    if node.args.get("safe"):
        return attempted(value, to, about) or plain(value, to, about)
    return plain(value, to, about)


def column_def(node: exp.ColumnDef, about: Translation) -> None:
    """The column of a table that is made, in the database's words."""
    kind = node.kind
    if _is_index(node):
        node.pop()
        return
    for constraint in node.constraints:
        if isinstance(constraint.kind, exp.DefaultColumnConstraint):
            constraint.set("this", None)  # a name, which is SQL Server's own
    if kind is not None:
        node.set("kind", _column_type(kind, about))
    node.set("this", about.name(node.name))


def _is_index(node: exp.ColumnDef) -> bool:
    """Whether it is INDEX name (columns), which speeds reading up, and changes no row."""
    named = node.this
    return isinstance(named, exp.Identifier) and not named.quoted and node.name.upper() == "INDEX"


def _column_type(type_: exp.DataType, about: Translation) -> exp.Expr:
    """The type of a column that is made: text of a length and decimals keep their numbers."""
    if of_type(type_) is Kind.TEXT and length(type_):
        size = exp.DataTypeParam(this=exp.Literal.number(length(type_)))
        return exp.DataType(this=exp.DType.VARCHAR, expressions=[size])
    arrow = arrow_type(type_)
    if about.facts.dates_are_text and of_type(type_) in _DATES:
        return exp.Var(this=_DATES[of_type(type_)])
    if pa.types.is_decimal(arrow):
        return cast_type(type_)
    whole = pa.int16() if pa.types.is_boolean(arrow) or pa.types.is_uint8(arrow) else arrow
    return exp.Var(this=about.facts.declare(whole))


#: what says of a column of text that it holds dates
_DATES = {Kind.DATE: "DATE", Kind.MOMENT: "DATETIME"}
