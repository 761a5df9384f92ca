"""The tables that a statement names before they are there."""

from __future__ import annotations

from sqlglot import exp

from sqlscore.predict.scope import table_name


def may_be_missing(tree: exp.Expression) -> list[exp.Table]:
    """The tables that a statement makes, or drops where they are there."""
    if isinstance(tree, exp.Select) and tree.args.get("into") is not None:
        return [tree.args["into"].this]
    if isinstance(tree, exp.Create) and tree.args.get("kind") in ("TABLE", "VIEW"):
        return [table for table in [tree.find(exp.Table)] if table is not None]
    if isinstance(tree, exp.Drop) and tree.args.get("exists"):
        return list(tree.args.get("tables") or [])
    if isinstance(tree, exp.Update | exp.Delete):
        aliases = {table.alias.casefold() for table in tree.find_all(exp.Table) if table.alias}
        written = [*(tree.args.get("tables") or []), tree.this]
        return [table for table in written if table_name(table).casefold() in aliases]
    return []
