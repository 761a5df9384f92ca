"""A target, or a slice of it, given other rows in one transaction, while the table itself stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.relations.sink import relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Target, Unit


def refill(
    unit: Unit,
    staged: sa.Table,
    target: Target,
    names: Sequence[str],
    slice_: sa.ColumnElement[bool] | None = None,
) -> None:
    """Give the target exactly the staged rows, in one transaction; the table itself stays.

    With `slice_`, a condition on the target's rows, only those are replaced; a staged row whose key
    the target has outside of it is a `DatabaseError`.
    """
    into = relation(target)
    new = sa.table(staged.name, *map(sa.column, names), schema=staged.schema)
    if slice_ is None:
        unit.execute(sa.delete(into))
    else:
        unit.execute(sa.delete(into).where(slice_))
        _refuse_outside(unit, new, into, target.key)
    rows: sa.Select[Any] = sa.select(*new.columns)
    unit.execute(sa.insert(into).from_select(list(names), rows))


def _refuse_outside(
    unit: Unit, new: sa.TableClause, into: sa.TableClause, key: Sequence[str]
) -> None:
    """After the slice's rows are deleted, no key of the new rows may be there."""
    twice = sa.select(sa.literal(1)).select_from(into).where(*(into.c[k] == new.c[k] for k in key))
    query = sa.select(sa.func.count()).select_from(new).where(twice.exists())
    ((rows,),) = unit.fetch(query)
    if rows:
        raise DatabaseError(
            f"{rows:,} rows of the slice have a key ({', '.join(key)}) that the target has outside "
            "of the slice, and nothing there is touched. If the same key may be in several slices, "
            "make the slice's column a part of it (key=); if the rows have moved, refill the "
            "slice that they were in first"
        )
