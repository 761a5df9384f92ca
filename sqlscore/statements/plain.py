"""A statement without PREDICT, or with none left: translated, and run by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from sqlglot import exp

from sqlscore.predict import merges
from sqlscore.predict.scope import table_name
from sqlscore.statements import before, made, merging, output, reading, recursion

if TYPE_CHECKING:
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.results import Result


def run(on: Conversation, tree: exp.Expression, text: str) -> Result | int:
    """A result for a query, which runs when it is read; for all else the rows written."""
    tree = recursion.spooled(on, tree, text)
    if reading.is_read(tree):
        return reading.query(on, on.translated(tree, text))
    if isinstance(tree, exp.Select):
        return made.select_into(on, tree, text)
    if tree.args.get("returning") is not None:
        return output.run(on, tree, text)
    if _spelled_out(tree, on):
        return _merge(on, tree, text)
    if isinstance(tree, exp.Merge) and not on.product.t_sql:
        return _merge_natively(on, tree, text)
    if isinstance(tree, exp.Drop) and len(tree.args.get("tables") or []) > 1:
        return _drop_each(on, tree, text)
    sql = on.write(on.translated(_uncommitting(on, tree), text))
    with on.transaction(), on.plainly():
        count = on.execute(sql)
    _remember(on, tree)
    return count


def check(on: Conversation, tree: exp.Expression) -> None:
    """`StatementError` for what would commit a transaction that is open."""
    word = next((word for kind, word in _MAKES.items() if isinstance(tree, kind)), None)
    if tree.args.get("into"):
        word = "SELECT … INTO"
    if word is not None and not _is_of_temporary(on, tree):
        on.transactions.check(word)


_MAKES = {exp.Create: "CREATE", exp.Drop: "DROP", exp.Alter: "ALTER"}


def _is_of_temporary(on: Conversation, tree: exp.Expression) -> bool:
    into = tree.args.get("into")
    named = [into.this] if into else tree.args.get("tables") or [tree.find(exp.Table)]
    of_table = tree.args.get("kind") in (None, "TABLE") and not isinstance(tree, exp.Alter)
    return of_table and all(one and on.names.is_temporary(table_name(one)) for one in named)


def sql(on: Conversation, tree: exp.Expression, text: str) -> str:
    """What `run` would have the database run."""
    tree = recursion.spooled(on, tree, text)
    if isinstance(tree, exp.Select) and tree.args.get("into"):
        tree.set("into", None)
    returning = tree.args.get("returning")
    if returning is not None and not on.product.t_sql:
        returning.set("into", None)
        if before.needed(on, tree):
            tree.set("returning", None)
    parts: list[exp.Expression] = [tree]
    if _spelled_out(tree, on):
        every = merging.spelled_out(on, tree, text, "sqlscore_missing")
        parts = [part for part in every if not isinstance(part, exp.Insert)]
        for part in parts:
            part.set("into", None)  # a temporary table that is not there yet
    return ";\n".join(on.write(on.translated(part, text)) for part in parts)


def _spelled_out(tree: exp.Expression, on: Conversation) -> TypeGuard[exp.Merge]:
    """Whether a statement is a MERGE, and the database has none of that kind."""
    if not isinstance(tree, exp.Merge) or on.product.t_sql:
        return False
    returning = tree.args.get("returning")
    return not on.product.merge or returning is not None or merges.by_source(tree)


def _merge(on: Conversation, tree: exp.Merge, text: str) -> int:
    """A MERGE in statements that every database has, all in one transaction."""
    written = 0
    with on.as_one():
        for part in merging.parts(on, tree, text):
            reads = part.args.get("into") is not None
            count = run(on, part, text)
            written += count if isinstance(count, int) and not reads else 0
    return written


def _merge_natively(on: Conversation, tree: exp.Merge, text: str) -> int:
    """A MERGE of the database's own; not each of them minds a row that is changed twice."""
    with on.as_one(), on.plainly():
        merging.check(on, tree, text)
        return on.execute(on.write(on.translated(tree, text)))


def _uncommitting(on: Conversation, tree: exp.Expression) -> exp.Expression:
    """The form of a statement that leaves a transaction open, where another one would commit."""
    if isinstance(tree, exp.Drop) and _is_of_temporary(on, tree):
        tree.set("temporary", on.product.drops_temporary)
    if isinstance(tree, exp.TruncateTable) and on.transactions.count:
        return tree if on.product.transactional_ddl else exp.Delete(this=tree.expressions[0].copy())
    return tree


def _drop_each(on: Conversation, tree: exp.Drop, text: str) -> int:
    """DROP of several as one for each: not every database takes a list."""
    with on.as_one():
        for table in tree.args["tables"]:
            single = tree.copy()
            single.set("tables", [table.copy()])
            run(on, single, text)
    return -1


def _remember(on: Conversation, tree: exp.Expression) -> None:
    """Temporary tables that a statement made or dropped."""
    new = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
    if new is not None and table_name(new).startswith("#"):
        on.names.keep(on.names.spelled(table_name(new)))
    if isinstance(tree, exp.Drop):
        for table in tree.args.get("tables") or []:
            on.names.forget(table_name(table))
