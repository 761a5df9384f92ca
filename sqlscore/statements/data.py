"""DATA of a PREDICT as a query of its own, with the CTEs that it can see; and the reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.ctes import cte_of
from sqlscore.predict.scope import data_alias, qualifier
from sqlscore.predict.tree import OURS, Predict, predicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.types import Column

ROW = "sqlscore_row"  #: the number that joins a row to its predictions


def normalised(tree: exp.Expression) -> exp.Expression:
    """The tree with ``DATA = PREDICT(…) AS x`` as a subquery, which any DATA may be."""
    for predict in predicts(tree):
        inner = predict.data
        if isinstance(inner, Predict):
            alias = inner.args.get("alias")
            query = exp.Select(expressions=[exp.Star()])
            outer = exp.Subquery(this=query, alias=alias.copy() if alias else _named(inner))
            inner.replace(outer)
            query.set("from_", exp.From(this=inner))
    return tree


def _named(predict: Predict) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(data_alias(predict)))


def is_chosen(predict: Predict) -> bool:
    """Whether DATA names its columns one by one, so that their order means something."""
    data = predict.data
    cte = cte_of(data) if isinstance(data, exp.Table) else None
    query = cte.this if cte is not None else data.this if isinstance(data, exp.Subquery) else None
    return isinstance(query, exp.Query) and not any(one.is_star for one in query.selects)


def query_of(predict: Predict, columns: Sequence[Column] | None = None) -> exp.Select:
    """DATA as a SELECT: of everything, or of some columns."""
    alias = data_alias(predict)
    data = predict.data.copy()
    data.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    names: list[exp.Expr] = [exp.Star()]
    if columns is not None:
        names = [exp.column(exp.to_identifier(c.name, quoted=True)) for c in columns]
        names = names or [exp.alias_(exp.Literal.number(1), "sqlscore_nothing")]
    select = exp.Select(expressions=names, from_=exp.From(this=data))
    if predict.args.get("where") is not None:
        select.set("where", exp.Where(this=predict.args["where"].copy()))
    ctes = _visible_ctes(predict)
    if ctes:
        select.set("with_", exp.With(expressions=ctes))
    return select


def reaching_out(predict: Predict) -> exp.Column | None:
    """A column in DATA that names a relation of the statement around it."""
    inside = [predict.data, *predict.data.find_all(exp.Select)]
    own = {one.alias_or_name.casefold() for query in inside for one in [query, *_read_by(query)]}
    select = predict.find_ancestor(exp.Select)
    around = {one.alias_or_name.casefold() for one in _read_by(select)} - own
    columns = predict.data.find_all(exp.Column)
    return next((column for column in columns if qualifier(column) in around), None)


def _read_by(query: exp.Expr | None) -> list[exp.Expr]:
    return _origins(query) if isinstance(query, exp.Select) else []


def _visible_ctes(predict: Predict) -> list[exp.CTE]:
    """Copies of the CTEs that DATA may name, in their order."""
    found: list[exp.CTE] = []
    node: exp.Expr = predict
    while node.parent is not None:
        within, node = node, node.parent
        if isinstance(node, exp.With):
            before = node.expressions.index(within)
            found = [cte.copy() for cte in node.expressions[:before]] + found
        clause = node.args.get("with_")
        if clause is not None and clause is not within:
            found = [cte.copy() for cte in clause.expressions] + found
    return found


def replace(
    predict: Predict, rows: str, predicted: str, kept: Sequence[str], given: Sequence[str]
) -> None:
    """Put a join of two tables, rows and their predictions, in the place of a PREDICT."""
    alias = data_alias(predict)
    named = predict.alias or "sqlscore_predictions"
    _expand_stars(predict, alias, named, kept, given)
    left = exp.table_(rows, quoted=True, alias=alias)
    right = exp.table_(predicted, quoted=True, alias=named)
    same = exp.EQ(this=exp.column(ROW, alias), expression=exp.column(ROW, named))
    left.set("joins", [exp.Join(this=right, on=same)])
    joins = predict.args.get("joins") or []
    parent = predict.parent
    if isinstance(parent, exp.From):
        left.args["joins"].extend(join.copy() for join in joins)
        predict.replace(left)
    elif isinstance(parent, exp.Lateral):
        _replace_apply(parent, exp.Subquery(this=left))
    else:
        predict.replace(exp.Subquery(this=left, joins=joins or None))


def derive(predict: Predict, name: str, kept: Sequence[str], given: Sequence[str]) -> None:
    """Put one relation that has both, rows and predictions, in the place of a PREDICT."""
    alias = data_alias(predict)
    named = predict.alias or "sqlscore_predictions"
    _expand_stars(predict, alias, named, kept, given)
    holder = predict.find_ancestor(exp.Select, exp.Update, exp.Delete)
    one = predict.alias or alias or named
    relation = exp.table_(name, quoted=True, alias=one)
    relation.set("joins", predict.args.get("joins"))
    if isinstance(predict.parent, exp.Lateral):
        _replace_apply(predict.parent, relation)
    else:
        predict.replace(relation)
    old = {alias.casefold(), named.casefold()}
    for column in holder.find_all(exp.Column) if holder is not None else ():
        if qualifier(column) in old and not _is_inner(column, holder, qualifier(column)):
            column.set("table", exp.to_identifier(one, quoted=True))


def _is_inner(column: exp.Column, holder: exp.Expr | None, name: str) -> bool:
    """Whether a column's relation is one that a query inside of the holder reads."""
    query = column.find_ancestor(exp.Select)
    while query is not None and query is not holder:
        names = (
            origin.alias_or_name if not isinstance(origin, Predict) else data_alias(origin)
            for origin in _origins(query)
        )
        if name in (other.casefold() for other in names):
            return True
        query = query.find_ancestor(exp.Select)
    return False


def _replace_apply(lateral: exp.Lateral, relation: exp.Expression) -> None:
    """An APPLY of rows that depend on nothing before it is a plain join."""
    join = lateral.parent
    cross = lateral.args.get("cross_apply")
    lateral.replace(relation)
    if isinstance(join, exp.Join):
        join.set("kind", "CROSS" if cross else None)
        join.set("side", None if cross else "LEFT")
        join.set("on", None if cross else exp.Boolean(this=True))


def _expand_stars(
    predict: Predict, alias: str, named: str, kept: Sequence[str], given: Sequence[str]
) -> None:
    """Name the columns of stars that take in PREDICT's, so that its row numbers stay inside."""
    select = predict.find_ancestor(exp.Select)
    if select is None:
        return
    mine = {
        alias.casefold(): [(alias, n) for n in kept if not n.startswith(OURS)],
        named.casefold(): [(named, n) for n in given],
    }
    expanded: list[exp.Expression] = []
    for one in select.expressions:
        table = qualifier(one) if isinstance(one, exp.Column) and one.is_star else None
        if table in mine:
            expanded += _columns(mine[table])
        elif isinstance(one, exp.Star):
            for origin in _origins(select):
                if origin is predict:
                    expanded += _columns([pair for pairs in mine.values() for pair in pairs])
                elif isinstance(origin, Predict):
                    other = data_alias(origin)
                    expanded += [_star(other), *([_star(origin.alias)] if origin.alias else [])]
                else:
                    expanded.append(_star(origin.alias_or_name))
        else:
            expanded.append(one)
    select.set("expressions", expanded)


def _columns(pairs: Sequence[tuple[str, str]]) -> list[exp.Expression]:
    return [
        exp.Column(
            this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True)
        )
        for table, name in pairs
    ]


def _star(table: str) -> exp.Expression:
    return exp.Column(this=exp.Star(), table=exp.to_identifier(table, quoted=True))


def _origins(select: exp.Select) -> list[exp.Expr]:
    """What a SELECT reads, in the order of its FROM."""
    start = select.args.get("from_")
    first = [start.this] if start is not None else []
    joined = [join.this for node in first for join in node.args.get("joins") or []]
    joined += [join.this for join in select.args.get("joins") or []]
    return [
        node.this if isinstance(node, exp.Lateral) and isinstance(node.this, Predict) else node
        for node in [*first, *joined]
    ]
