"""UPDATE with the rows as they were: read, locked and kept before it, and given back with the new.

The rows that it will change are put into a temporary table with their key; the UPDATE changes those
alone; then each is read again by its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict import writes
from sqlscore.predict.scope import qualifier, table_name
from sqlscore.statements import made, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predict.scope import Relation
    from sqlscore.statements.conversation import Conversation

_NEW, _OLD = "inserted", "deleted"
_KEPT = "sqlscore_before"  #: the rows as they were


def needed(on: Conversation, tree: exp.Expression) -> bool:
    """Whether OUTPUT of an UPDATE asks for more than RETURNING gives on this database."""
    if not isinstance(tree, exp.Update):
        return False
    columns = tree.args["returning"].find_all(exp.Column)
    return "update" not in on.product.returning or any(qualifier(c) != _NEW for c in columns)


def update(on: Conversation, tree: exp.Update, text: str) -> exp.Select:
    """Run the UPDATE; the query that gives what its OUTPUT lists."""
    listed = tree.args["returning"].expressions
    writes.plain(tree)
    tree.set("returning", None)
    target: exp.Table = tree.this
    relation = writing.relation_of(on, target, text)
    alias = target.alias or table_name(target)
    key = _key(on, tree, relation)
    kept = exp.Table(
        this=exp.Identifier(this=on.names.fresh("before"), quoted=False, temporary=True),
        alias=exp.TableAlias(this=exp.to_identifier(_KEPT)),
    )
    keys = [f"k{i}" for i in range(len(key))]
    same = [
        exp.EQ(this=_of(_KEPT, kept_as), expression=_of(alias, name))
        for name, kept_as in zip(key, keys, strict=True)
    ]
    outputs, read = _split(listed, alias)
    read += [exp.alias_(_of(alias, n), k) for n, k in zip(key, keys, strict=True)]
    _read(on, tree, read, kept, text)
    _check(on, kept, keys, text)
    there = exp.Select(expressions=[exp.Literal.number(1)], from_=exp.From(this=kept.copy()))
    writes.narrowed(tree, [exp.Exists(this=writes.narrowed(there, [one.copy() for one in same]))])
    with on.transaction(), on.plainly():
        on.execute(on.write(on.translated(tree, text)))
    found = exp.Select(expressions=outputs, from_=exp.From(this=kept))
    again = target.copy()
    again.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    found.append("joins", exp.Join(this=again, on=exp.and_(*(one.copy() for one in same))))
    return found


def _key(on: Conversation, tree: exp.Update, relation: Relation) -> Sequence[str]:
    """The primary key of the table that is written, if the UPDATE leaves it as it is."""
    table = sa.Table(relation.name, sa.MetaData(), schema=relation.schema)
    with on.told("looking for a primary key"):
        key = on.product.keys(on.connection, table).primary
    changed = {one.this.name.casefold() for one in tree.expressions if isinstance(one, exp.EQ)}
    if not key or changed & {name.casefold() for name in key}:
        lacks = "changes its primary key" if key else "is of a table without a primary key"
        raise StatementError(
            f"OUTPUT of this UPDATE needs to find its rows again, and it {lacks}: SELECT the rows "
            "into a temporary table before"
        )
    if tree.find(exp.Rand, exp.Uuid):
        raise StatementError("OUTPUT of an UPDATE by chance is not supported here")
    return key


def _split(listed: Sequence[exp.Expr], alias: str) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """What OUTPUT lists over both tables, and what must be read before the UPDATE."""
    outputs: list[exp.Expr] = []
    read: list[exp.Expr] = []
    for one in listed:
        held = exp.Paren(this=one.unalias().copy())
        for column in list(held.find_all(exp.Column)):
            relation = qualifier(column)
            if relation == _NEW:
                column.set("table", exp.to_identifier(alias))
                continue
            name = f"c{len(read)}"
            old = _of(alias, column.name) if relation == _OLD else column.copy()
            read.append(exp.alias_(old, name))
            column.replace(_of(_KEPT, name))
        outputs.append(exp.alias_(held.this, one.alias_or_name or f"column{len(outputs) + 1}"))
    return outputs, read


def _read(
    on: Conversation, tree: exp.Update, columns: list[exp.Expr], kept: exp.Table, text: str
) -> None:
    """Read the rows that an UPDATE will change, and lock them where others could change them."""
    target: exp.Table = tree.this.copy()
    others = tree.args.get("from_")
    select = exp.Select(expressions=columns, from_=exp.From(this=target))
    if others is not None:
        select.append("joins", exp.Join(this=others.this.copy(), kind="CROSS"))
    where = tree.args.get("where")
    if where is not None:
        select.set("where", where.copy())
    if on.product.locks_rows:
        of = exp.to_identifier((target.alias or table_name(target)).lower(), quoted=True)
        select.set("locks", [exp.Lock(update=True, expressions=[of])])
    into = kept.copy()
    into.set("alias", None)
    select.set("into", exp.Into(this=into))
    made.select_into(on, select, text)


def _check(on: Conversation, kept: exp.Table, key: Sequence[str], text: str) -> None:
    """`StatementError` where several rows of FROM change one row: which, T-SQL does not say."""
    keys = exp.Select(expressions=[exp.column(name) for name in key], distinct=exp.Distinct())
    keys.set("from_", exp.From(this=kept.copy()))
    once = exp.Subquery(this=keys, alias=exp.TableAlias(this=exp.to_identifier("q")))
    counts = []
    for rows in (once, kept.copy()):
        count = exp.alias_(exp.Count(this=exp.Star()), "n")
        select = exp.Select(expressions=[count], from_=exp.From(this=rows))
        counts.append(on.rows(on.write(on.translated(select, text)))[0][0])
    if counts[0] != counts[1]:
        raise StatementError(
            "OUTPUT of an UPDATE whose FROM has several rows for one of the table's is not "
            "supported here: group them by its key"
        )


def _of(alias: str, name: str) -> exp.Column:
    return exp.column(name, table=exp.to_identifier(alias))
