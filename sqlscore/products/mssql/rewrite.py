"""What SQL Server takes of a query that is put into another one: no WITH, no ORDER BY alone."""

from __future__ import annotations

from sqlglot import exp

from sqlscore.errors import StatementError

_ALL = 2**63 - 1  # rows: what FETCH takes at most


def rewrite(node: exp.Expr, _kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Query):
        if node.args.get("with_"):
            _inline(node)
        if node.args.get("order") and not node.args.get("limit") and not node.args.get("offset"):
            node.set("offset", exp.Offset(expression=exp.Literal.number(0)))
            node.set("limit", exp.Fetch(direction="NEXT", count=exp.Literal.number(_ALL)))
    return None


def _inline(query: exp.Query) -> None:
    """Put the queries of WITH where their names stand."""
    clause = query.args["with_"]
    if clause.args.get("recursive") or any(_names_itself(cte) for cte in clause.expressions):
        raise StatementError(
            "a WITH that names itself cannot stand around PREDICT on SQL Server: read its rows "
            "into a temporary table first"
        )
    query.set("with_", None)
    known: dict[str, exp.CTE] = {}
    for cte in clause.expressions:
        _put(cte.this, known)
        known[cte.alias.casefold()] = cte
    _put(query, known)


def _names_itself(cte: exp.CTE) -> bool:
    names = (table.name.casefold() for table in cte.this.find_all(exp.Table) if not table.db)
    return cte.alias.casefold() in names


def _put(query: exp.Expr, known: dict[str, exp.CTE]) -> None:
    for table in list(query.find_all(exp.Table)):
        cte = known.get(table.name.casefold())
        if cte is None or table.db:
            continue
        alias = table.args.get("alias") or exp.TableAlias(this=cte.args["alias"].this.copy())
        if not alias.columns:
            alias.set("columns", [one.copy() for one in cte.args["alias"].columns])
        joins = table.args.get("joins")
        table.replace(exp.Subquery(this=cte.this.copy(), alias=alias, joins=joins))
