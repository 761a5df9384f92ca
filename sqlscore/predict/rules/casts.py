"""Casts and declared columns: T-SQL's types as the types that another database has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.types import arrow_type, cast_type, length

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation


ROUNDS = "rounds"  #: marks a cast to an integer, of another dialect, that rounds


def cast(node: exp.Cast, about: Translation) -> exp.Expr | None:
    """The type that the database has; a fraction is cut off, and text to its length."""
    target, value = node.to, node.this
    node.set("to", cast_type(target))
    whole = of_type(target) is Kind.INTEGER and about.scope.kind(value) is Kind.NUMBER
    if whole:  # T-SQL cuts the fraction off, others round it
        node.set("this", exp.Trunc(this=away(value) if node.meta.get(ROUNDS) else value))
        return None
    if of_type(target) is Kind.TEXT and length(target):
        return exp.Substring(
            this=node.copy(), start=exp.Literal.number(1),
            length=exp.Literal.number(length(target)),
        )  # fmt: skip
    return None


def away(value: exp.Expr) -> exp.Add:
    """A number moved away from zero by a half, which cut off is the number rounded.

    ROUND itself takes halves of doubles to the even number on MariaDB.
    """
    half = exp.Literal.number("0.5")
    negative = exp.LT(this=value.copy(), expression=exp.Literal.number(0))
    step = exp.Case(ifs=[exp.If(this=negative, true=exp.Neg(this=half.copy()))], default=half)
    return exp.Add(this=exp.Paren(this=value), expression=step)


def convert(node: exp.Convert, about: Translation) -> exp.Expr | None:
    """CONVERT without a style is a cast."""
    if node.args.get("style") is not None or not isinstance(node.this, exp.DataType):
        return None
    kind = exp.TryCast if node.args.get("safe") else exp.Cast
    made = kind(this=node.expression, to=node.this)
    return cast(made, about) or made


def column_def(node: exp.ColumnDef, about: Translation) -> None:
    """The column of a table that is made, in the database's words."""
    kind = node.kind
    if kind is not None:
        node.set("kind", _column_type(kind, about))
    node.set("this", about.name(node.name))


def _column_type(type_: exp.DataType, about: Translation) -> exp.Expr:
    """The type of a column that is made: text of a length and decimals keep their numbers."""
    if of_type(type_) is Kind.TEXT and length(type_):
        size = exp.DataTypeParam(this=exp.Literal.number(length(type_)))
        return exp.DataType(this=exp.DType.VARCHAR, expressions=[size])
    arrow = arrow_type(type_)
    if pa.types.is_decimal(arrow):
        return cast_type(type_)
    whole = pa.int16() if pa.types.is_boolean(arrow) or pa.types.is_uint8(arrow) else arrow
    return exp.Var(this=about.facts.declare(whole))
