"""Rows and predictions under one alias, told apart: what BigQuery's ML.PREDICT gives. Pure.

T-SQL gives DATA's columns under DATA's alias and predictions under PREDICT's. Where a statement has
one alias for both, each name is looked up in the columns of the two and gets the alias that T-SQL
would have: then it is the same statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.named import predicted
from sqlscore.predict.rules.stars import columns
from sqlscore.predict.scope import data_alias, qualifier, read_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.predict.tree import Predict

#: folded name -> the alias that it gets, and its spelling
_Known = dict[str, tuple[str, str]]


def tell_apart(predict: Predict, data_columns: Sequence[str], predictions: Sequence[str]) -> None:
    """Give the columns of the SELECT around a PREDICT their relations, and write its stars out.

    A prediction is named ``predicted_<name>``, or by its own name where DATA has no such column.
    """
    select = predict.find_ancestor(exp.Select)
    if not predict.args.get("whole") or select is None:
        return
    given: _Known = {predicted(n).casefold(): (predict.alias, predicted(n)) for n in predictions}
    data: _Known = {n.casefold(): (data_alias(predict), n) for n in data_columns}
    if predict.args.get("alone"):
        data = {}
    own: _Known = {n.casefold(): (predict.alias, predicted(n)) for n in predictions}
    known = {**own, **data, **given}
    for column in list(_mine(select, predict)):
        found = known.get(column.name.casefold())
        if found is not None:
            _name(column, found, select)
    written: list[exp.Expr] = []
    for one in select.expressions:
        written += _written_out(one, select, predict, [*given.values(), *data.values()])
    select.set("expressions", written)


def _mine(select: exp.Select, predict: Predict) -> Iterator[exp.Column]:
    """The columns that may be the relation's: by its alias, or without one in the SELECT itself."""
    aliases = {one.alias.casefold() for one in select.selects if one.alias}
    name = predict.alias.casefold()
    inside = {id(node) for node in predict.walk()}
    for column in select.find_all(exp.Column):
        if id(column) in inside or column.is_star:
            continue
        if qualifier(column):
            if qualifier(column) == name and not _is_inner(column, select, name):
                yield column
        elif column.find_ancestor(exp.Select) is select:
            sorted_by = column.find_ancestor(exp.Ordered, exp.Group)
            if sorted_by is None or column.name.casefold() not in aliases:
                yield column


def _is_inner(column: exp.Column, select: exp.Select, name: str) -> bool:
    """Whether a query inside of the SELECT reads another relation of that name."""
    query = column.find_ancestor(exp.Select)
    while query is not None and query is not select:
        if name in (origin.alias_or_name.casefold() for origin in read_by(query)):
            return True
        query = query.find_ancestor(exp.Select)
    return False


def _name(column: exp.Column, found: tuple[str, str], select: exp.Select) -> None:
    table, name = found
    named = column.copy()
    named.set("this", exp.to_identifier(name, quoted=True))
    named.set("table", exp.to_identifier(table, quoted=True))
    own = column.parent is select and name.casefold() != column.name.casefold()
    column.replace(exp.alias_(named, column.name, quoted=True) if own else named)


def _written_out(
    one: exp.Expr, select: exp.Select, predict: Predict, pairs: Sequence[tuple[str, str]]
) -> list[exp.Expr]:
    """A star as the columns that it means; anything else as it is."""
    star = one.this if isinstance(one, exp.Column) else one
    if not isinstance(star, exp.Star):
        return [one]
    if isinstance(one, exp.Column):
        mine = qualifier(one) == predict.alias.casefold()
        return columns(star, pairs) if mine else [one]
    origins = list(read_by(select))
    changed = star.args.get("except_") or star.args.get("replace")
    if changed and len(origins) > 1:
        raise StatementError(
            "SELECT * EXCEPT and REPLACE stand on one relation here: name it, as in p.* EXCEPT (…)"
        )
    found: list[exp.Expr] = []
    for origin in origins:
        if origin is predict:
            found += columns(star, pairs)
        else:
            table = exp.to_identifier(origin.alias_or_name, quoted=True)
            found.append(exp.Column(this=exp.Star(), table=table))
    return found
