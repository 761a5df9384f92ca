"""What identifies a source's rows: the key that is meant, and the proof that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa

from sqlscore import compute as pc
from sqlscore.errors import DatabaseError
from sqlscore.relations.ranges import of
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Product, Unit
    from sqlscore.relations.source import Base, Condition, Source
    from sqlscore.types import Column


def select_key(source: Source, key: Sequence[str]) -> tuple[Column, ...]:
    """The key's columns: those named, else the primary key of the table that the rows are from.

    Raises `DatabaseError` where there is neither, or a SELECT leaves a part of the key out.
    """
    if key:
        return tuple(source.column(name) for name in key)
    names: list[str] = []
    if source.base is not None:
        passed_as = {inner: outer for outer, inner in source.base.names.items()}
        with translated("looking for the key"), source.engine.connect() as connection:
            primary = source.product.keys(connection, source.base.table).primary
        names = [passed_as[name] for name in primary if name in passed_as]
        names = names if len(names) == len(primary) else []
    if not names:
        raise DatabaseError(
            f"the source {source.name!r} has no primary key that the catalogue knows. Say which "
            "columns identify a row: key= (on the command line: --key id)"
        )
    return tuple(source.column(name) for name in names)


def in_catalogue(source: Source, key: Sequence[Column]) -> bool:
    """Whether the catalogue knows that the key is one, of which there is an index."""
    with translated("looking at the key"), source.engine.connect() as connection:
        return source.base is not None and is_known(connection, source.product, source.base, key)


def prove_key(source: Source, key: Sequence[Column], where: Condition = None) -> bool:
    """Make sure that no key is NULL or there twice: by the catalogue, else by one query.

    Only the rows of `where` count. True if the catalogue knew it.
    Raises `DatabaseError` with the numbers; the values themselves are not shown.
    """
    if in_catalogue(source, key):
        return True
    with translated("proving the key"), source.engine.connect() as connection:
        columns = of(source.relation, key)
        mine = sa.true() if where is None else where
        missing = sa.or_(*(column.is_(None) for column in columns))
        nulls = connection.scalar(
            sa.select(sa.func.count()).select_from(source.relation).where(missing, mine)
        )
        repeated = (
            sa.select(sa.literal(1).label("one")).select_from(source.relation).where(mine)
            .group_by(*columns).having(sa.func.count() > 1).subquery()
        )  # fmt: skip
        duplicates = connection.scalar(sa.select(sa.func.count()).select_from(repeated))
    if nulls:
        raise DatabaseError(f"the key ({_named(key)}) of {source.name!r} is NULL in {nulls} rows")
    if duplicates:
        raise _repeated(source.name, key, duplicates)
    return False


def check_once(name: str, key: Sequence[Column], batches: Sequence[pa.RecordBatch]) -> None:
    """Make sure that no key is there twice in a range of a join; the key's columns come first.

    `joins` has proved that, and the tables may have changed since. Rows that a join makes of one
    row have the very same key, so they are in one range and are equal in Python, too.
    """
    rows = pa.Table.from_batches(batches).select(range(len(key))) if batches else None
    if rows is None or rows.group_by(rows.column_names).aggregate([]).num_rows == rows.num_rows:
        return
    counted = rows.group_by(rows.column_names).aggregate([([], "count_all")])
    raise _repeated(name, key, pc.sum(pc.greater(counted["count_all"], 1)).as_py())


def ask_once(unit: Unit, source: Source, key: Sequence[Column], where: Condition) -> None:
    """The same, of the rows of a condition, by a query in a unit."""
    columns = of(source.relation, key)
    repeated = sa.select(sa.literal(1).label("one")).select_from(source.relation)
    repeated = repeated if where is None else repeated.where(where)
    repeated = repeated.group_by(*columns).having(sa.func.count() > 1)
    ((keys,),) = unit.fetch(sa.select(sa.func.count()).select_from(repeated.subquery()))
    if keys:
        raise _repeated(source.name, key, keys)


def _repeated(name: str, key: Sequence[Column], keys: int) -> DatabaseError:
    return DatabaseError(
        f"the key ({_named(key)}) of {name!r} does not identify a row: {keys} keys are there more "
        "than once. Add a column to the key, or score a SELECT without duplicates"
    )


def _named(key: Sequence[Column]) -> str:
    return ", ".join(column.name for column in key)


def is_known(
    connection: sa.Connection, product: Product, base: Base, key: Sequence[Column]
) -> bool:
    """Whether the catalogue says that no row of a table has a NULL in the key, or another's."""
    if not all(column.name in base.names for column in key):
        return False
    wanted = {base.names[column.name].casefold() for column in key}
    nullable = {column.name.casefold() for column in base.columns if column.nullable}
    keys = product.keys(connection, base.table)
    known = [{name.casefold() for name in names} for names in (keys.primary, *keys.unique)]
    return not wanted & nullable and wanted in known
