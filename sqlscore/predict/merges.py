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


def merged(tree: exp.Merge, name: str, columns: Sequence[str]) -> list[exp.Expression]:
    """The statements in their order; temporary tables have names that begin with `name`.

    `columns` are the target's, for an INSERT that names none. Those that change rows give back what
    OUTPUT asks for.
    """
    whens = tree.args["whens"].expressions
    _check_updates(tree, whens)
    changes = [
        _change(tree, when, [before for before in whens[:number] if _alike(when, before)])
        for number, when in enumerate(whens)
        if not _inserts(when)
    ]
    changes.sort(key=lambda change: isinstance(change, exp.Update))
    missing = [
        _missing(tree, when, f"{name}{number}", columns)
        for number, when in enumerate(whens)
        if _inserts(when)
    ]
    return [*(read for read, _ in missing), *changes, *(insert for _, insert in missing)]


def by_source(tree: exp.Merge) -> bool:
    """Whether a MERGE has WHEN NOT MATCHED BY SOURCE, which few databases know."""
    return any(when.args.get("source") for when in tree.args["whens"].expressions)


def _inserts(when: exp.When) -> bool:
    return not when.args.get("matched") and not when.args.get("source")


def _alike(one: exp.When, other: exp.When) -> bool:
    """Whether two are of rows of one sort: matched, or of the target alone."""
    return bool(one.args.get("source")) == bool(other.args.get("source")) and not _inserts(other)


def _check_updates(tree: exp.Merge, whens: Sequence[exp.When]) -> None:
    """`StatementError` where one UPDATE could change which rows are the other's."""
    updates = [w.args["then"] for w in whens if isinstance(w.args["then"], exp.Update)]
    named = {column.name.casefold() for column in tree.args["on"].find_all(exp.Column)}
    changed = {one.this.name.casefold() for update in updates for one in update.expressions}
    if len(updates) > 1 and named & changed:
        raise StatementError(
            f"MERGE with two UPDATEs changes {', '.join(sorted(named & changed))}, which ON "
            "compares: write two statements"
        )


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


def _change(tree: exp.Merge, when: exp.When, before: Sequence[exp.When]) -> exp.Expression:
    """The UPDATE or DELETE of one WHEN, of the rows that those before it left."""
    conditions = [one.args["condition"] for one in before if one.args.get("condition") is not None]
    own = [exp.not_(_sure(one)) for one in conditions]
    if when.args.get("condition") is not None:
        own.append(when.args["condition"].copy())
    source, change, on = tree.args["using"].copy(), when.args["then"], tree.args["on"].copy()
    there = exp.Select(expressions=[exp.Literal.number(1)], from_=exp.From(this=source))
    if isinstance(change, exp.Update):
        made = exp.Update(
            this=tree.this.copy(), expressions=[one.copy() for one in change.expressions]
        )
        made.set("returning", _given(tree, "UPDATE"))
        if when.args.get("source"):
            return narrowed(made, [exp.not_(exp.Exists(this=narrowed(there, [on]))), *own])
        made.set("from_", exp.From(this=source))
        return narrowed(made, [on, *own])
    delete = exp.Delete(this=tree.this.copy(), returning=_given(tree, "DELETE"))
    if when.args.get("source"):
        alone = exp.not_(exp.Exists(this=narrowed(there, [on])))
        return _without_alias(narrowed(delete, [alone, *own]))
    return _without_alias(narrowed(delete, [exp.Exists(this=narrowed(there, [on, *own]))]))


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
    return exp.alias_(held.this, name, quoted=True) if name else held.this


def _sure(condition: exp.Expr) -> exp.Expr:
    """A condition that counts as false where it is unknown."""
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    case = exp.Case(ifs=[exp.If(this=condition.copy(), true=one)], default=zero)
    return exp.EQ(this=case, expression=exp.Literal.number(1))


def _missing(
    tree: exp.Merge, when: exp.When, name: str, columns: Sequence[str]
) -> tuple[exp.Select, exp.Insert]:
    """What reads the rows to insert into a temporary table, and what inserts them from there."""
    names, values = _inserted(when.args["then"], columns)
    there = exp.Select(
        expressions=[exp.Literal.number(1)], from_=exp.From(this=tree.this.copy()),
        where=exp.Where(this=tree.args["on"].copy()),
    )  # fmt: skip
    conditions: list[exp.Expr] = [exp.not_(exp.Exists(this=there))]
    if when.args.get("condition") is not None:
        conditions.append(when.args["condition"].copy())
    kept = exp.Table(this=exp.Identifier(this=name, quoted=False, temporary=True))
    read = exp.Select(
        expressions=[
            exp.alias_(value.copy(), name, quoted=True)
            for value, name in zip(values, names, strict=True)
        ],
        into=exp.Into(this=kept.copy()),
        from_=exp.From(this=tree.args["using"].copy()),
        where=exp.Where(this=exp.and_(*conditions)),
    )
    target = tree.this.copy()
    target.set("alias", None)
    written = [exp.to_identifier(name) for name in names]
    rows = exp.Select(expressions=[exp.Star()], from_=exp.From(this=kept))
    return read, exp.Insert(
        this=exp.Schema(this=target, expressions=written), expression=rows,
        returning=_given(tree, "INSERT"),
    )  # fmt: skip


def _inserted(
    change: exp.Expression, columns: Sequence[str]
) -> tuple[Sequence[str], Sequence[exp.Expr]]:
    """The columns that an INSERT of MERGE writes, and their values."""
    values = change.expression.expressions if isinstance(change.expression, exp.Tuple) else None
    if values is None:
        raise StatementError(
            "MERGE … INSERT DEFAULT VALUES is not supported here: write VALUES (…)"
        )
    named = change.this
    names = list(columns) if named is None else [str(one.name) for one in named.expressions]
    if len(names) != len(values):
        raise StatementError(f"MERGE inserts {len(values)} values into {len(names)} columns")
    return names, values
