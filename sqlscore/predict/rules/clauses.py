"""Clauses that T-SQL has and other databases write in another way, or have not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.ctes import names_itself
from sqlscore.predict.kinds import Kind, of_column
from sqlscore.predict.rules import dates, names, stars
from sqlscore.predict.scope import table_name

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation
    from sqlscore.predict.scope import Scope


def limit(node: exp.Limit | exp.Fetch, about: Translation) -> exp.Expr | None:
    """TOP and FETCH as the database's own limit."""
    count = node.args.get("expression") or node.args.get("count")
    if count is None:
        return None
    return exp.Limit(expression=count.this if isinstance(count, exp.Paren) else count)


def lateral(node: exp.Lateral, about: Translation) -> exp.Expr | None:
    """CROSS APPLY is a join with each row's own rows, OUTER APPLY a left one."""
    cross, join = node.args.get("cross_apply"), node.parent
    if cross is None or not isinstance(join, exp.Join):
        return None
    if not about.facts.lateral and _correlated(node, about.scope):
        raise StatementError(
            "this database has no APPLY whose rows depend on the row before it. Write it as a "
            "JOIN with ON, or as a subquery that gives one value"
        )
    join.set("kind", "INNER" if cross else None)
    join.set("side", None if cross else "LEFT")
    join.set("on", exp.Boolean(this=True))
    node.set("cross_apply", None)
    if about.facts.lateral or not isinstance(node.this, exp.Subquery):
        return None
    node.this.set("alias", node.args.get("alias"))
    inner: exp.Expr = node.this
    return inner


def _correlated(node: exp.Lateral, scope: Scope) -> bool:
    """Whether the rows of an APPLY name a relation from outside."""
    selects = list(node.this.find_all(exp.Select))
    inside = {o.alias.casefold() for select in selects for o in scope.origins(select)}
    columns = node.this.find_all(exp.Column)
    return any(column.table and column.table.casefold() not in inside for column in columns)


def recursive(node: exp.With, about: Translation) -> None:
    """T-SQL does not say that a WITH is recursive, others must be told."""
    if any(names_itself(cte) for cte in node.expressions):
        node.set("recursive", True)


def insert(node: exp.Insert, about: Translation) -> None:
    """CTEs behind INSERT, where every database takes them."""
    clause, select = node.args.get("with_"), node.expression
    if clause is not None and isinstance(select, exp.Select):
        node.set("with_", None)
        select.set("with_", clause)
    if isinstance(select, exp.Values):
        _dates(node, select, about)


def _dates(node: exp.Insert, values: exp.Values, about: Translation) -> None:
    """The text 20240131 in a column of dates, as every database reads it."""
    table = node.this.this if isinstance(node.this, exp.Schema) else node.this
    columns = names.columns_of(table_name(table), about)
    kinds = {column.name: of_column(column) for column in columns}
    named = [one.name for one in node.this.expressions] or list(kinds)
    for row in values.expressions:
        for name, value in zip(named, row.expressions, strict=False):
            if kinds.get(name) in (Kind.DATE, Kind.MOMENT):
                dates.iso(value)


def update(node: exp.Update, about: Translation) -> None:
    """The columns that UPDATE sets, without their table."""
    for change in node.expressions:
        if isinstance(change, exp.EQ) and isinstance(change.this, exp.Column):
            change.this.set("table", None)


def collate(node: exp.Collate, about: Translation) -> exp.Expr:
    """COLLATE DATABASE_DEFAULT is what is so anyhow; SQL Server's own collations are refused."""
    name = node.expression.name
    if name.upper() == "DATABASE_DEFAULT":
        inner: exp.Expr = node.this
        return inner
    if {"CI", "CS", "BIN", "BIN2"} & set(name.upper().split("_")):
        raise StatementError(
            f"the collation {name} is SQL Server's own: compare LOWER(…), or name a collation of "
            f"{about.facts.dialect}"
        )
    return node


def check(tree: exp.Expr) -> None:
    """`StatementError` for relations that other databases have not."""
    if tree.find(exp.Pivot):
        raise StatementError(
            "PIVOT and UNPIVOT are not supported here: write SUM(CASE WHEN … THEN … END) for each "
            "column, with GROUP BY; or UNION ALL"
        )


def select(node: exp.Select, about: Translation) -> None:
    """Query hints go, changed stars are written out; FOR XML and FOR JSON are refused."""
    node.set("options", None)
    stars.write_out(node, about)
    if node.args.get("for_"):
        raise StatementError("FOR XML and FOR JSON are not supported here: select columns")
