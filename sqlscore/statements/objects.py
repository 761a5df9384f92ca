"""OBJECT_ID, which scripts ask before they drop or make a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.statements.routines import PROCEDURE, VIEW

if TYPE_CHECKING:
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.routines import Routines


def look_up(on: Conversation, routines: Routines, tree: exp.Expression) -> None:
    """Put a number in the place of each OBJECT_ID('name') that is there, else NULL."""
    if on.product.t_sql and not list(routines.names(VIEW) + routines.names(PROCEDURE)):
        return
    for call in list(tree.find_all(exp.ObjectId)):
        name = call.this
        if isinstance(name, exp.National):
            name = exp.Literal.string(name.name)
        if not isinstance(name, exp.Literal):
            raise StatementError("OBJECT_ID takes the name as a text here, as in OBJECT_ID('t')")
        table = _table(name.name)
        known = any(routines.find(kind, table) is not None for kind in (VIEW, PROCEDURE))
        if known or not on.product.t_sql:
            there = known or on.has(table)
            call.replace(exp.Literal.number(1) if there else exp.Null())


def _table(name: str) -> exp.Table:
    """``tempdb..#t`` and ``[dbo].[t]`` as tables."""
    *before, last = [part.strip('[]" ') for part in name.split(".")]
    temporary = last.startswith("#")
    this = exp.Identifier(this=last.lstrip("#"), quoted=False, temporary=temporary)
    schema = before[-1] if before and not temporary else ""
    return exp.Table(this=this, db=exp.to_identifier(schema) if schema else None)
