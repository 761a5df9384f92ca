"""The tables that sqlscore owns, and how they come to be.

They live in the schema ``sqlscore``, or in another of the caller's choice (`schema_of`), or carry
that prefix where the product has no schemas. Times are UTC without a zone; structured values are
JSON text, so that any client can read them.

Their layout has a number, which the table ``layout`` holds. A database of an older layout is
upgraded step by step, in place, by the first sqlscore that opens it; one of a newer layout is never
touched. To add a table to the layout that is not released yet (`LAYOUT`), describe it in `owned`
with ``since=LAYOUT`` written as a number, name it in `Tables`, and note it in CHANGELOG.md. A
column goes to the end of its table, with ``since`` and ``nullable=True``, since the rows that are
there have no value for it. What came in a released layout is never changed. To release a layout is
to tag it; what is added after that gets the next number, and ``LAYOUT`` with it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.tables.owned import Tables, owned
from sqlscore.tables.schema import placed, placed_like, schema_of
from sqlscore.tables.steps import step

__all__ = [
    "LAYOUT", "Tables", "ensure", "layout_version", "now", "opened", "owned", "owned_by", "pending",
    "placed", "placed_like", "schema_of",
]  # fmt: skip

LAYOUT = 2  #: the layout that this code reads and writes


def now() -> datetime:
    """The time as the owned tables hold it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def owned_by(engine: sa.Engine, *, schemas: bool) -> Tables:
    """The owned tables of a database, whether they are there or not."""
    return owned(schemas=schemas, schema=schema_of(engine))


def layout_version(connection: sa.Connection, tables: Tables) -> int:
    """The number of the layout that this database has; 0 where it has none."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(tables.layout.name, schema=tables.layout.schema):
        return 0
    return connection.scalar(sa.select(sa.func.max(tables.layout.c.version))) or 0


def opened(engine: sa.Engine, *, schemas: bool) -> Tables | None:
    """The owned tables, to be read; None where there are none: reading makes nothing.

    Those of an older layout are upgraded first. `DatabaseError` for a layout newer than this code.
    """
    tables = owned_by(engine, schemas=schemas)
    with engine.connect() as connection:
        found = _known(connection, tables)
    if 0 < found < LAYOUT:
        _make(engine, tables)
    return tables if found else None


def ensure(engine: sa.Engine, *, schemas: bool) -> Tables:
    """Make the owned tables where they are missing, and upgrade those of an older layout.

    `DatabaseError` for a layout newer than this code. Two processes may do it at once: one waits
    for the other where DDL is part of a transaction; elsewhere the second of two equal statements
    is refused, so this is called within `transact`, which then calls it again.
    """
    tables = owned_by(engine, schemas=schemas)
    with engine.connect() as connection:
        found = _known(connection, tables)
    if found < LAYOUT:
        _make(engine, tables)
    return tables


def pending(connection: sa.Connection, tables: Tables) -> list[sa.Executable]:
    """The statements that bring the database to this layout, in their order; empty: it has it.

    `DatabaseError` for a layout newer than this code.
    """
    found = _known(connection, tables)
    if found == LAYOUT:
        return []
    numbers = range(found + 1, LAYOUT + 1)
    steps = [step(connection, tables.metadata, number) for number in numbers]
    reached = {"version": LAYOUT, "applied_at": now()}
    noted = (tables.layout.update() if found else tables.layout.insert()).values(reached)
    return [*(statement for statements in steps for statement in statements), noted]


def _make(engine: sa.Engine, tables: Tables) -> None:
    layout = tables.layout
    with engine.begin() as connection:
        if layout_version(connection, tables):
            # locks the row until this ends: who comes second finds the work done
            connection.execute(layout.update().values(applied_at=layout.c.applied_at))
        for statement in pending(connection, tables):
            connection.execute(statement)


def _known(connection: sa.Connection, tables: Tables) -> int:
    """The layout that this database has; `DatabaseError` if it is a newer one."""
    found = layout_version(connection, tables)
    if found > LAYOUT:
        raise DatabaseError(
            f"the sqlscore tables of this database have layout {found}, and this sqlscore knows "
            f"layouts up to {LAYOUT}. Upgrade sqlscore: pip install -U sqlscore"
        )
    return found
