"""Which CTE a table's name means where it stands. Pure."""

from __future__ import annotations

import itertools

from sqlglot import exp


def cte_of(table: exp.Table) -> exp.CTE | None:
    """The CTE that a table's name means where it stands; None where it means none."""
    if table.db or not isinstance(table.this, exp.Identifier):
        return None
    node: exp.Expr | None = table
    while node is not None:
        within, node = node, node.parent
        for cte in _visible(node, within):
            if cte.alias.casefold() == table.name.casefold():
                return cte
    return None


def _visible(node: exp.Expr | None, within: exp.Expr) -> list[exp.CTE]:
    """The CTEs that a part of a node may name: a CTE those before it, and itself if it recurses."""
    if isinstance(node, exp.With):
        before = list(itertools.takewhile(lambda cte: cte is not within, node.expressions))
        return [*before, within] if isinstance(within, exp.CTE) and _recurses(within) else before
    clause = node.args.get("with_") if node is not None else None
    return [] if clause is None or clause is within else list(clause.expressions)


def _recurses(cte: exp.CTE) -> bool:
    """Whether a CTE has the form of one that may read itself: rows, UNION ALL more of them."""
    return isinstance(cte.this, exp.Union)


def names_itself(cte: exp.CTE) -> bool:
    """Whether a CTE reads its own rows."""
    return any(cte_of(table) is cte for table in cte.find_all(exp.Table))


def inlined(tree: exp.Expression) -> None:
    """Put the queries of a statement's CTEs in the place of their names."""
    clause = tree.args.get("with_")
    if clause is None or any(map(names_itself, clause.expressions)):
        return
    for cte in clause.expressions[::-1]:  # the later ones may name those before them
        for table in [one for one in tree.find_all(exp.Table) if cte_of(one) is cte]:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
            query = exp.Subquery(
                this=cte.this.copy(), alias=alias.copy(), joins=table.args.get("joins")
            )
            table.replace(query)
    tree.set("with_", None)
