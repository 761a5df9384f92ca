"""A WITH that names itself, where no WITH can stand inside another query: its rows are read first.

SQL Server takes WITH at the beginning of a statement alone, and what is read here is read as a part
of another query. So the rows go into a temporary table, which stands in the CTE's place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.ctes import cte_of, names_itself
from sqlscore.predict.translate import translate
from sqlscore.predict.tree import predicts

if TYPE_CHECKING:
    from sqlscore.statements.conversation import Conversation


def spooled(on: Conversation, tree: exp.Expression, text: str) -> exp.Expression:
    """The tree with temporary tables for its CTEs that name themselves, if they must be read first.

    One that reads a PREDICT waits until that is scored.
    """
    clause = tree.args.get("with_")
    inside = isinstance(tree, exp.Query) or bool(predicts(tree))
    if clause is None or not inside or not on.product.t_sql:
        return tree
    for cte in list(clause.expressions):
        if names_itself(cte) and not predicts(clause):
            _spool(on, tree, cte, text)
    return tree


def _spool(on: Conversation, tree: exp.Expression, cte: exp.CTE, text: str) -> None:
    clause = tree.args["with_"]
    reading = [table for table in tree.find_all(exp.Table) if cte_of(table) is cte]
    outside = [table for table in reading if table.find_ancestor(exp.CTE) is not cte]
    kept = on.names.temporary("spooled")
    _read(on, clause.expressions[: clause.expressions.index(cte) + 1], kept, tree, text)
    cte.pop()
    if not clause.expressions:
        tree.set("with_", None)
    for table in outside:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(cte.alias)))
        table.set("this", exp.Identifier(this=kept.lstrip("#"), temporary=True, quoted=False))


def _read(
    on: Conversation, ctes: list[exp.CTE], kept: str, tree: exp.Expression, text: str
) -> None:
    """SELECT … INTO of a CTE's rows, under the statement's own OPTION (MAXRECURSION …)."""
    everything = exp.select("*").from_(exp.to_identifier(ctes[-1].alias))
    everything.set("with_", exp.With(expressions=[one.copy() for one in ctes]))
    facts = replace(on.facts, rewrite=None)  # it is no part of another query
    made = translate(everything, on.relations(everything, text), facts)
    made.set("options", [one.copy() for one in tree.args.get("options") or []])
    table = exp.Identifier(this=kept, quoted=True)
    made.set("into", exp.Into(this=exp.Table(this=table)))
    with on.transaction(), on.steps.timed("a WITH that names itself into a temporary table"):
        on.execute(on.write(made))
