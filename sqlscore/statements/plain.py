"""A statement without PREDICT, or with none left: translated, and run by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from sqlglot import exp

from sqlscore.predict import writes
from sqlscore.predict.scope import table_name
from sqlscore.statements import made, reading
from sqlscore.statements.results import held

if TYPE_CHECKING:
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.results import Result


def run(on: Conversation, tree: exp.Expression, text: str) -> Result | int:
    """A result for a query, which runs when it is read; for all else the rows written."""
    if reading.is_read(tree):
        return reading.query(on, on.translated(tree, text))
    if isinstance(tree, exp.Select):
        return _into(on, tree, text)
    if _spelled_out(tree, on):
        return _merge(on, tree, text)
    sql = on.write(on.translated(_plainly(on, tree), text))
    if tree.args.get("returning"):
        with on.transaction(), on.plainly():
            return held(on.written(sql))
    with on.transaction(), on.plainly():
        count = on.execute(sql)
    _remember(on, tree)
    return count


def sql(on: Conversation, tree: exp.Expression, text: str) -> str:
    """What `run` would have the database run."""
    if isinstance(tree, exp.Select) and tree.args.get("into"):
        tree.set("into", None)
    parts: list[exp.Expression] = [tree]
    if _spelled_out(tree, on):
        parts = writes.merged(tree, "sqlscore_missing")[1:-1]
    return ";\n".join(on.write(on.translated(_plainly(on, part), text)) for part in parts)


def _spelled_out(tree: exp.Expression, on: Conversation) -> TypeGuard[exp.Merge]:
    """Whether a statement is a MERGE, and the database has none."""
    return isinstance(tree, exp.Merge) and not on.product.merge


def _plainly(on: Conversation, tree: exp.Expression) -> exp.Expression:
    """UPDATE and DELETE … FROM as the database knows them."""
    return tree if on.product.t_sql else writes.plain(tree)


def _merge(on: Conversation, tree: exp.Merge, text: str) -> int:
    """A MERGE in statements that every database has, all in one transaction."""
    written = 0
    with on.as_one():
        for part in writes.merged(tree, on.names.fresh("missing")):
            count = run(on, part, text)
            written += count if isinstance(count, int) and not part.args.get("into") else 0
    return written


def _into(on: Conversation, tree: exp.Select, text: str) -> int:
    """SELECT … INTO: a table with the columns of the rows, and the rows in it."""
    into = tree.args["into"].this
    tree.set("into", None)
    query = on.translated(tree, text)
    target = made.into(on, into, on.columns(on.write(query, outline=True)))
    with on.transaction(), on.plainly():
        on.make(target)
        count = on.execute(on.write(made.insert(target, query)))
    if table_name(into).startswith("#"):
        on.names.keep(target.table.name)
    return count


def _remember(on: Conversation, tree: exp.Expression) -> None:
    """Temporary tables that a statement made or dropped."""
    new = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
    if new is not None and table_name(new).startswith("#"):
        on.names.keep(on.names.spelled(table_name(new)))
    if isinstance(tree, exp.Drop):
        for table in tree.args.get("tables") or []:
            on.names.forget(table_name(table))
