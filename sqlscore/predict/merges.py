"""MERGE in plain statements, one for each WHEN, for a database that has none or gives no rows back.

Each must see the rows as they were: what is missing is read first, into a temporary table, and rows
are deleted before others are updated. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.scope import qualifier
from sqlscore.predict.writes import narrowed

if TYPE_CHECKING:
    from collections.abc import Sequence


def merged(tree: exp.Merge, name: str) -> list[exp.Expression]:
    """The statements in their order; temporary tables have names that begin with `name`.

    Those that change rows give back what OUTPUT asks for.
    """
    whens = tree.args["whens"].expressions
    matched = [when for when in whens if when.args.get("matched")]
    changes = []
    for number, when in enumerate(matched):
        before = [other.args.get("condition") for other in matched[:number]]
        changes.append(_matched(tree, when, before))
    changes.sort(key=lambda change: isinstance(change, exp.Update))
    missing = [
        _missing(tree, when, f"{name}{number}")
        for number, when in enumerate(whens)
        if not when.args.get("matched")
    ]
    return [*(read for read, _ in missing), *changes, *(insert for _, insert in missing)]


def counts(tree: exp.Merge) -> tuple[exp.Select, exp.Select] | None:
    """How many pairs of rows a MERGE would change, and how many rows; None where it changes none.

    They are as many where no row is changed twice, which T-SQL refuses.
    """
    matched = [when for when in tree.args["whens"].expressions if when.args.get("matched")]
    if not matched:
        return None
    conditions = [when.args.get("condition") for when in matched]
    changed = [tree.args["on"].copy()]
    if all(one is not None for one in conditions):
        changed.append(exp.or_(*(one.copy() for one in conditions if one is not None)))
    count = exp.Count(this=exp.Star())
    joined = exp.Join(this=tree.args["using"].copy(), on=exp.and_(*changed))
    pairs = exp.select(exp.alias_(count.copy(), "n")).from_(tree.this.copy())
    pairs.append("joins", joined)
    there = exp.Select(
        expressions=[exp.Literal.number(1)], from_=exp.From(this=tree.args["using"].copy())
    )
    rows = exp.select(exp.alias_(count, "n")).from_(tree.this.copy())
    return pairs, narrowed(rows, [exp.Exists(this=narrowed(there, changed))])


def _matched(tree: exp.Merge, when: exp.When, before: Sequence[exp.Expr | None]) -> exp.Expression:
    conditions = [tree.args["on"].copy()]
    conditions += [exp.not_(_sure(one)) for one in before if one is not None]
    if when.args.get("condition") is not None:
        conditions.append(when.args["condition"].copy())
    source, change = tree.args["using"].copy(), when.args["then"]
    if isinstance(change, exp.Update):
        made = exp.Update(
            this=tree.this.copy(), from_=exp.From(this=source),
            expressions=[one.copy() for one in change.expressions],
        )  # fmt: skip
        made.set("returning", _given(tree, "UPDATE"))
        return narrowed(made, conditions)
    inside = exp.Select(expressions=[exp.Literal.number(1)], from_=exp.From(this=source))
    delete = exp.Delete(this=tree.this.copy(), returning=_given(tree, "DELETE"))
    return _without_alias(narrowed(delete, [exp.Exists(this=narrowed(inside, conditions))]))


def _without_alias(delete: exp.Delete) -> exp.Delete:
    """DELETE … RETURNING under the table's own name: not every database gives it an alias."""
    alias = delete.this.alias
    if not alias or not delete.args.get("returning"):
        return delete
    delete.this.set("alias", None)
    for column in delete.find_all(exp.Column):
        if column.table.casefold() == alias.casefold():
            column.set("table", exp.to_identifier(delete.this.name))
    return delete


#: what a statement does -> whose columns it has none of
_NONE_OF = {"INSERT": "deleted", "DELETE": "inserted"}


def _given(tree: exp.Merge, action: str) -> exp.Returning | None:
    """OUTPUT of a MERGE as that of one of its statements."""
    returning = tree.args.get("returning")
    if returning is None:
        return None
    return exp.Returning(expressions=[_of(one, action) for one in returning.expressions])


def _of(one: exp.Expr, action: str) -> exp.Expr:
    name = one.alias_or_name
    held = exp.Paren(this=one.unalias().copy())
    for column in list(held.find_all(exp.Column)):
        relation = qualifier(column)
        if column.name.upper() == "$ACTION":
            column.replace(exp.Literal.string(action))
        elif relation not in ("inserted", "deleted"):
            raise StatementError(
                "OUTPUT of MERGE gives inserted.…, deleted.… and $action here: read the source's "
                "columns in another statement"
            )
        elif relation == _NONE_OF.get(action):
            column.replace(exp.Null())
        elif relation == "deleted" and action == "UPDATE":
            raise StatementError(
                "OUTPUT deleted.… of MERGE … UPDATE is not supported here: the old values are gone"
            )
    return exp.alias_(held.this, name, quoted=True) if name else held.this


def _sure(condition: exp.Expr) -> exp.Expr:
    """A condition that counts as false where it is unknown."""
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    case = exp.Case(ifs=[exp.If(this=condition.copy(), true=one)], default=zero)
    return exp.EQ(this=case, expression=exp.Literal.number(1))


def _missing(tree: exp.Merge, when: exp.When, name: str) -> tuple[exp.Select, exp.Insert]:
    """What reads the rows to insert into a temporary table, and what inserts them from there."""
    change = when.args["then"]
    if when.args.get("source") or not isinstance(change, exp.Insert):
        raise StatementError(
            "MERGE … WHEN NOT MATCHED BY SOURCE is not supported on this database: write a DELETE "
            "or an UPDATE of its own"
        )
    there = exp.Select(
        expressions=[exp.Literal.number(1)], from_=exp.From(this=tree.this.copy()),
        where=exp.Where(this=tree.args["on"].copy()),
    )  # fmt: skip
    conditions: list[exp.Expr] = [exp.not_(exp.Exists(this=there))]
    if when.args.get("condition") is not None:
        conditions.append(when.args["condition"].copy())
    names = [column.name for column in change.this.expressions]
    values = zip(change.expression.expressions, names, strict=True)
    kept = exp.Table(this=exp.Identifier(this=name, quoted=False, temporary=True))
    read = exp.Select(
        expressions=[exp.alias_(value.copy(), name, quoted=True) for value, name in values],
        into=exp.Into(this=kept.copy()),
        from_=exp.From(this=tree.args["using"].copy()),
        where=exp.Where(this=exp.and_(*conditions)),
    )
    target = tree.this.copy()
    target.set("alias", None)
    columns = [exp.to_identifier(name) for name in names]
    rows = exp.Select(expressions=[exp.Star()], from_=exp.From(this=kept))
    return read, exp.Insert(
        this=exp.Schema(this=target, expressions=columns), expression=rows,
        returning=_given(tree, "INSERT"),
    )  # fmt: skip
