"""TOP … PERCENT and TOP … WITH TIES, which few databases have: by numbering the rows. Pure.

SELECT a FROM (SELECT q.*, RANK() OVER (ORDER BY …) AS place, COUNT(*) OVER () AS rows
               FROM (SELECT … ) AS q) AS q WHERE place <= n ORDER BY place
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError

if TYPE_CHECKING:
    from sqlscore.predict.scope import Scope

_INNER, _PLACE, _ROWS = "sqlscore_q", "sqlscore_place", "sqlscore_rows"


def write_out(tree: exp.Expr, scope: Scope) -> None:
    """Put queries that number their rows in the place of those with PERCENT or WITH TIES."""
    for select in list(tree.find_all(exp.Select))[::-1]:
        limit = select.args.get("limit")
        options = limit.args.get("limit_options") if limit is not None else None
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            inside = exp.Subquery(alias=exp.TableAlias(this=exp.to_identifier(_INNER)))
            select.replace(_numbered(select, inside, _names(select, scope), options))
            inside.set("this", select)


def _numbered(
    select: exp.Select, inside: exp.Subquery, names: list[str], options: exp.Expr
) -> exp.Select:
    """The query around one, which stands in it later: its rows up to the last wanted."""
    order, clause = select.args.get("order"), select.args.get("with_")
    most = select.args["limit"].expression.copy()
    ties = options.args.get("with_ties")
    if ties and order is None:
        raise StatementError("TOP … WITH TIES needs an ORDER BY, which says what is a tie")
    for key in ("limit", "order", "with_"):
        select.set(key, None)
    keys = [_key(select, one, i) for i, one in enumerate(order.expressions if order else [])]
    place = exp.Window(this=exp.Anonymous(this="RANK") if ties else exp.RowNumber())
    if keys:
        place.set("order", exp.Order(expressions=keys))
    every = exp.Window(this=exp.Count(this=exp.Star()))
    middle = exp.Select(
        expressions=[exp.Star(), exp.alias_(place, _PLACE), exp.alias_(every, _ROWS)],
        from_=exp.From(this=inside),
    )
    rows = exp.Subquery(this=middle, alias=exp.TableAlias(this=exp.to_identifier(_INNER)))
    wanted: exp.Expr = exp.LTE(this=exp.column(_PLACE), expression=most)
    if options.args.get("percent"):  # as many as the rows' share, rounded up
        before = exp.Paren(this=exp.Sub(this=exp.column(_PLACE), expression=exp.Literal.number(1)))
        hundred = exp.Mul(this=before, expression=exp.Literal.number(100))
        share = exp.Mul(this=exp.Paren(this=most), expression=exp.column(_ROWS))
        wanted = exp.LT(this=hundred, expression=share)
    return exp.Select(
        with_=clause, expressions=[exp.column(name, quoted=True) for name in names],
        from_=exp.From(this=rows), where=exp.Where(this=wanted),
        order=exp.Order(expressions=[exp.Ordered(this=exp.column(_PLACE), nulls_first=True)]),
    )  # fmt: skip


def _names(select: exp.Select, scope: Scope) -> list[str]:
    names: list[str] = []
    for one in select.selects:
        found = scope.expanded(select, one) if one.is_star else None
        if found is not None:
            names += [column.name for column in found]
        elif one.is_star or not one.alias_or_name:
            raise StatementError("TOP … PERCENT and WITH TIES need a name for each column: use AS")
        else:
            names.append(one.alias_or_name)
    if len({name.casefold() for name in names}) < len(names):
        raise StatementError("TOP … PERCENT and WITH TIES need a name of its own for each column")
    return names


def _key(select: exp.Select, one: exp.Expr, number: int) -> exp.Expr:
    """What ORDER BY compares, as a column of the query."""
    ordered = one if isinstance(one, exp.Ordered) else exp.Ordered(this=one, nulls_first=True)
    wanted = ordered.this
    for output in select.selects:
        bare = isinstance(wanted, exp.Column) and not wanted.table
        alike = bare and output.alias_or_name.casefold() == wanted.name.casefold()
        if not output.is_star and (alike or output.unalias() == wanted):
            name = output.alias_or_name
            break
    else:
        if select.args.get("distinct"):
            raise StatementError("SELECT DISTINCT TOP … orders by what it selects")
        name = f"sqlscore_key{number}"
        select.append("expressions", exp.alias_(wanted.copy(), name))
    return exp.Ordered(
        this=exp.column(name, quoted=True), desc=ordered.args.get("desc"),
        nulls_first=ordered.args.get("nulls_first"),
    )  # fmt: skip
