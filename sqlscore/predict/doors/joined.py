"""What a query reads as one relation, which PREDICT can score: a join becomes a subquery. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.scope import read_by, table_name
from sqlscore.predict.tree import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS = f"{OURS}rows"  #: the relation that has no name of its own


def as_one_relation(select: exp.Select, calls: Sequence[exp.Expression]) -> exp.Expression:
    """The relation that a query reads, with an alias; the query's joins go into it."""
    start = select.args.get("from_")
    if start is None:
        nothing = exp.Select(expressions=[exp.alias_(exp.Literal.number(1), f"{OURS}nothing")])
        return exp.Subquery(this=nothing, alias=_alias(_ROWS))
    first: exp.Expression = start.this
    joins = [*(first.args.get("joins") or []), *(select.args.get("joins") or [])]
    if joins or select.args.get("laterals"):
        return _joined(select, calls)
    if not first.alias:
        first.set("alias", _alias(table_name(first) if isinstance(first, exp.Table) else _ROWS))
    return first


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))


def _joined(select: exp.Select, calls: Sequence[exp.Expression]) -> exp.Subquery:
    """A join as a subquery with every column that the query names, each under a name of its own."""
    featured = [one for call in calls for one in call.args["features"]]
    stars = [one for one in [*select.selects, *featured] if one.is_star]
    if stars:
        raise StatementError(
            "PREDICTION over a join takes no star: name the columns, in USING and in SELECT, or "
            "put the join into a subquery"
        )
    rows = exp.Select(
        expressions=[], from_=select.args["from_"].copy(),
        joins=[join.copy() for join in select.args.get("joins") or []],
        laterals=[lateral.copy() for lateral in select.args.get("laterals") or []],
    )  # fmt: skip
    columns = list(_named_outside(select))
    select.set("joins", None)
    select.set("laterals", None)
    known: dict[tuple[str, str], str] = {}
    for column in columns:
        key = (column.table.casefold(), column.name.casefold())
        if key not in known:
            known[key] = "__".join(part for part in key if part)
            rows.append("expressions", exp.alias_(column.copy(), known[key], quoted=True))
        made = exp.column(exp.to_identifier(known[key], quoted=True), _ROWS)
        direct = column.parent is select or column.parent in calls
        column.replace(exp.alias_(made, column.name, quoted=True) if direct else made)
    return exp.Subquery(this=rows, alias=_alias(_ROWS))


def _named_outside(select: exp.Select) -> Iterator[exp.Column]:
    """The columns that a query names beside its joins, in subqueries too."""
    relations = {one.alias_or_name.casefold() for one in read_by(select)}
    joins = [select.args["from_"], *(select.args.get("joins") or [])]
    inside = {id(node) for part in joins for node in part.walk()}
    aliases = {one.alias.casefold() for one in select.selects if one.alias}
    for column in select.find_all(exp.Column):
        if id(column) in inside:
            continue
        own = column.find_ancestor(exp.Select) is select
        output = column.find_ancestor(exp.Ordered) and column.name.casefold() in aliases
        if column.table.casefold() in relations or (own and not column.table and not output):
            yield column
