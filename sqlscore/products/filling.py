"""Rows of a query written to a table of the same database, by one statement inside a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products.product import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.product import Target, Unit

ROWS = "sqlscore_rows"  #: what the query is called in the statement


def by_conflict(insert: Callable[[Any], Any]) -> Callable[..., None]:
    """`Product.fill` where INSERT has ON CONFLICT; `insert` makes one of that dialect."""

    def fill(
        unit: Unit, target: Target, names: Sequence[str], query: sa.Select[Any], how: Write
    ) -> None:
        statement = _statement(insert, target, names, query, how)
        if statement is not None:
            unit.execute(statement)

    return fill


def _statement(
    insert: Callable[[Any], Any],
    target: Target,
    names: Sequence[str],
    query: sa.Select[Any],
    how: Write,
) -> sa.Executable | None:
    """The statement; None where an update would change nothing but keys."""
    table = sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)
    rows = query.subquery(ROWS)
    values = dict(zip(names, rows.c, strict=True))
    changed = [name for name in names if name not in target.key]
    if how is Write.UPDATE:
        same = [table.c[name] == values[name] for name in target.key]
        new = {name: values[name] for name in changed}
        return sa.update(table).where(*same).values(new) if changed else None
    # without a WHERE, SQLite would take ON CONFLICT for the condition of a join
    found: Any = sa.select(*rows.c).where(sa.literal_column("1") == sa.literal_column("1"))
    whole = insert(table).from_select(list(names), found)
    if how is Write.INSERT:
        return whole  # type: ignore[no-any-return]
    key = list(target.key)
    if not changed:
        return whole.on_conflict_do_nothing(index_elements=key)  # type: ignore[no-any-return]
    new = {name: whole.excluded[name] for name in changed}
    return whole.on_conflict_do_update(index_elements=key, set_=new)  # type: ignore[no-any-return]
