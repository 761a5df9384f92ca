"""UPDATE … FROM and DELETE … FROM, as databases other than SQL Server know them. Pure.

T-SQL names the table that is written among those of FROM, and may name it by its alias. Elsewhere
that would be a second reading of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.ctes import cte_of, inlined
from sqlscore.predict.scope import data_alias, table_name
from sqlscore.predict.tree import Predict

if TYPE_CHECKING:
    from collections.abc import Sequence

Changed = TypeVar("Changed", bound=exp.Expression)


def plain(tree: exp.Expression, *, inline: bool = False) -> exp.Expression:
    """The statement with the table that is written named once; others stay as they are.

    `inline`: its CTEs become subqueries.
    """
    if isinstance(tree, exp.Update | exp.Delete):
        _check(tree)
        if inline:
            inlined(tree)
    if isinstance(tree, exp.Update) and tree.args.get("from_") is not None:
        return _update(tree)
    if isinstance(tree, exp.Delete):
        return _delete(tree)
    return tree


def _check(tree: exp.Update | exp.Delete) -> None:
    """`StatementError` where the rows of a CTE are written, which is a table's."""
    named = next(iter(tree.args.get("tables") or [tree.this]))
    wanted = table_name(named).casefold()
    meant = [t for t in tree.find_all(exp.Table) if t.alias.casefold() == wanted] or [named]
    if cte_of(meant[0]) is not None:
        raise StatementError(
            f"{named.name!r} is a CTE, and no table is written through it here: name the table, "
            "and say which rows by their key: WHERE id IN (…)"
        )


def _update(tree: exp.Update) -> exp.Update:
    relations, conditions = _flat(tree.args["from_"].this)
    target = _written(tree.this, relations)
    others = [relation for relation in relations if relation is not target]
    target = target or tree.this
    tree.set("this", target)
    tree.set("from_", _from(others) if others else None)
    for one in tree.expressions:
        own = one.expression.this if one.meta.get("compound") else None
        if isinstance(own, exp.Column) and not own.table:  # its own column, whoever has one too
            own.set("table", exp.to_identifier(target.alias or target.name))
    return narrowed(tree, conditions)


def _delete(tree: exp.Delete) -> exp.Delete:
    named = tree.args.get("tables") or []
    if not named and not tree.this.args.get("joins"):
        return tree
    relations, conditions = _flat(tree.this)
    target = _written(named[0] if named else tree.this, relations) or relations[0]
    others = [relation for relation in relations if relation is not target]
    tree.set("tables", None)
    tree.set("this", target)
    if others:
        inside = exp.Select(expressions=[exp.Literal.number(1)], from_=_from(others))
        where = tree.args.get("where")
        inner = [*conditions, *([where.this.copy()] if where is not None else [])]
        tree.set("where", None)
        return narrowed(tree, [exp.Exists(this=narrowed(inside, inner))])
    return tree


def _flat(first: exp.Expr) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """The relations of a FROM whose joins are inner ones, and the conditions of the joins."""
    relations, conditions = [first], []
    for join in first.args.get("joins") or []:
        if join.args.get("side"):
            raise StatementError(
                "UPDATE and DELETE … FROM take inner joins here. Write a condition with EXISTS, or "
                "read the rows into a temporary table first"
            )
        relations.append(join.this)
        if join.args.get("on") is not None:
            conditions.append(join.args["on"])
    first.set("joins", None)
    return relations, conditions


def _written(named: exp.Table, relations: Sequence[exp.Expr]) -> exp.Table | None:
    """The relation of FROM that the statement writes; None where it is not among them."""
    wanted = table_name(named).casefold()
    tables = [one for one in relations if isinstance(one, exp.Table)]
    by_alias = [one for one in tables if one.alias.casefold() == wanted]
    by_name = [one for one in tables if table_name(one).casefold() == wanted]
    return next(iter([*by_alias, *by_name]), None)


def _from(relations: Sequence[exp.Expr]) -> exp.From:
    first, *others = relations
    joins = [exp.Join(this=other, kind="CROSS") for other in others]
    first.set("joins", joins or None)
    return exp.From(this=first)


def narrowed(tree: Changed, more: Sequence[exp.Expr]) -> Changed:
    """The tree with conditions more."""
    where = tree.args.get("where")
    parts = [*([where.this] if where is not None else []), *more]
    if parts:
        tree.set("where", exp.Where(this=exp.and_(*parts)))
    return tree


def with_one_source(tree: exp.Expression) -> exp.Expression:
    """MERGE … USING PREDICT with the rows and predictions as one relation, under one name."""
    predict = tree.args.get("using") if isinstance(tree, exp.Merge) else None
    if not isinstance(predict, Predict):
        return tree
    name = predict.alias or data_alias(predict)
    old = {data_alias(predict).casefold(), name.casefold()}
    everything = exp.Select(expressions=[exp.Star()])
    source = exp.Subquery(this=everything, alias=exp.TableAlias(this=exp.to_identifier(name)))
    predict.replace(source)
    everything.set("from_", exp.From(this=predict))
    for column in tree.find_all(exp.Column):
        if column.table.casefold() in old and column.find_ancestor(exp.Subquery) is not source:
            column.set("table", exp.to_identifier(name))
    return tree
