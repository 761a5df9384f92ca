"""Texts, which are equal by their characters alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.products.expressions import TextEquality
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import operand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions


def same_text(
    column: exp.Expression, keys: Sequence[str], facts: Expressions
) -> tuple[exp.Expression, ...]:
    """Whether a text is each of the keys, whatever its column's collation is."""
    if facts.text_equality is TextEquality.BINARY:
        charset = exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.Var(this="utf8mb4"))
        text = exp.Cast(this=column, to=charset)
        column = exp.Cast(this=text, to=exp.DataType(this=exp.DataType.Type.BINARY, nested=False))
    if facts.text_equality is TextEquality.MARKED:
        marked = exp.Add(this=column, expression=exp.National(this="|"))
        column = exp.Collate(
            this=exp.Paren(this=marked), expression=exp.Var(this="Latin1_General_BIN2")
        )
        return tuple(exp.EQ(this=column, expression=exp.National(this=f"{key}|")) for key in keys)
    return tuple(exp.EQ(this=operand(column), expression=literals.text(key)) for key in keys)
