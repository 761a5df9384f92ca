"""A T-SQL statement as another database means it: names, types, operators, functions.

sqlglot writes the other dialect. What it would write with another meaning is put right before, on
the tree: `rules` say for each kind of node what becomes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.rules import AS_WRITTEN, RULES, clauses, tops
from sqlscore.predict.rules.translation import Translation
from sqlscore.predict.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.predict.rules.translation import Facts
    from sqlscore.predict.scope import Key, Relation


def translate(
    tree: exp.Expression, relations: Mapping[Key, Relation], facts: Facts
) -> exp.Expression:
    """The statement for another database; the given tree stays as it is."""
    held = exp.Paren(this=tree.copy())  # so that the root can be replaced like any other node
    about = Translation(scope=Scope(relations), relations=relations, facts=facts)
    if not facts.t_sql:
        clauses.check(tree)
        tops.write_out(held, Scope(relations))
    about.scope.learn(held.this)
    rules = AS_WRITTEN if facts.t_sql else RULES
    for node in list(held.this.dfs())[::-1]:
        rule = rules.get(type(node))
        _replace(node, rule(node, about) if rule is not None else None)
    if facts.rewrite is not None:
        for node in list(held.this.dfs())[::-1]:
            kind = about.scope.kind(node)
            _replace(node, facts.rewrite(node, kind.value if kind else None))
    found: exp.Expression = held.this
    return found


def _replace(node: exp.Expr, changed: exp.Expr | None) -> None:
    if changed is not None and changed is not node:
        node.replace(changed)
