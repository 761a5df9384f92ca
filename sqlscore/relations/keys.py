"""What identifies a source's rows: the key that is meant, and the proof that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.relations.ranges import of
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.relations.source import Condition, Source
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


def prove_key(source: Source, key: Sequence[Column], where: Condition = None) -> None:
    """Make sure that no key is NULL or there twice: by the catalogue, else by one query.

    Only the rows of `where` count.
    Raises `DatabaseError` with the numbers; the values themselves are not shown.
    """
    with translated("proving the key"), source.engine.connect() as connection:
        if _proved_by_catalogue(connection, source, key):
            return
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
    names = ", ".join(column.name for column in key)
    if nulls:
        raise DatabaseError(f"the key ({names}) of {source.name!r} is NULL in {nulls} rows")
    if duplicates:
        raise DatabaseError(
            f"the key ({names}) of {source.name!r} does not identify a row: {duplicates} keys are "
            "there more than once. Add a column to the key, or score a SELECT without duplicates"
        )


def _proved_by_catalogue(connection: sa.Connection, source: Source, key: Sequence[Column]) -> bool:
    base = source.base
    if base is None or not all(column.name in base.names for column in key):
        return False
    wanted = {base.names[column.name].casefold() for column in key}
    nullable = {column.name.casefold() for column in base.columns if column.nullable}
    keys = source.product.keys(connection, base.table)
    known = [{name.casefold() for name in names} for names in (keys.primary, *keys.unique)]
    return not wanted & nullable and wanted in known
