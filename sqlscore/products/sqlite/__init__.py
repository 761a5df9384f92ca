"""SQLite: files read by ADBC in a process of its own, everything else by Python's sqlite3.

The two never meet in one process; `transports/adbc.py` says why. The journal mode stays what it
is: with a rollback journal nothing may be read while a unit commits, with WAL it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer
from sqlalchemy.pool import StaticPool

from sqlscore.products import generic, transient
from sqlscore.products.filling import by_conflict
from sqlscore.products.product import Product, RowIndex
from sqlscore.products.sqlite.catalogue import dependents, describe, swap, unfit
from sqlscore.products.sqlite.columns import project, returned
from sqlscore.products.sqlite.literals import literal
from sqlscore.products.sqlite.read import WAIT, read, reads_elsewhere
from sqlscore.products.sqlite.rewrite import rewrite
from sqlscore.products.sqlite.texts import TEXTS
from sqlscore.products.sqlite.types import carried, declare
from sqlscore.products.sqlite.unit import SqliteUnit, begin, unspilled
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, Connection, Engine, Executable

    from sqlscore.products.product import Asked, Unit

#: words of SQLite's own (lang_keywords.html) that SQLAlchemy does not quote
_WORDS_OF_SQLITE = frozenset(
    {"abort", "action", "after", "always", "current", "do", "exclude", "fail", "filter", "first"}
    | {"following", "generated", "groups", "last", "materialized", "no", "nothing", "nulls"}
    | {"others", "over", "partition", "preceding", "range", "recursive", "regexp", "release"}
    | {"returning", "rollback", "row", "rows", "savepoint", "temp", "ties", "trigger", "unbounded"}
    | {"view", "virtual", "window", "with", "without"}
)


def engine(url: URL, **pool: int) -> Engine:
    """An engine that waits for locks; one in memory has one connection, which its threads share."""
    made = _connecting(url, pool)
    # SQLAlchemy does not know all of SQLite's words, and would not quote a table named by one
    made.dialect.identifier_preparer.reserved_words = (
        SQLiteIdentifierPreparer.reserved_words | _WORDS_OF_SQLITE
    )
    return made


def _connecting(url: URL, pool: Mapping[str, int]) -> Engine:
    if url.database in (None, "", ":memory:") or "mode=memory" in str(url.database):
        options = {"check_same_thread": False, "timeout": WAIT}
        return sa.create_engine(url, poolclass=StaticPool, connect_args=options)
    return sa.create_engine(url, connect_args={"timeout": WAIT}, **pool)


def unit(engine: Engine, connection: Connection | None) -> Unit:
    """A unit that begins with BEGIN IMMEDIATE."""
    return SqliteUnit(engine, connection)


def readers_block_commit(engine: Engine) -> bool:
    """Yes, unless the database is in WAL mode: then readers see the state that they began with."""
    with translated("asking for the journal mode"), engine.connect() as connection:
        return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal")


def settings(_connection: Connection, asked: Asked) -> list[Executable]:
    """How long to wait for a lock."""
    if asked.lock_timeout is None:
        return []
    return [sa.text(f"PRAGMA busy_timeout = {max(1, round(asked.lock_timeout * 1000))}")]


#: what bears a name
_NAMED = """
SELECT sql FROM sqlite_master
WHERE name = :name COLLATE NOCASE AND coalesce(:schema, 'main') = 'main'
"""

SQLITE = Product(
    name="SQLite",
    dialect="sqlite",
    schemas=False,
    identifier_limit=200,  # SQLite has none; people and error messages do
    column_limit=2000,
    nan=False,
    infinity=True,
    arrays=False,
    loose_types=True,
    transactional_ddl=True,
    row_values=True,
    keyset_walk=True,
    shared=True,
    roles=False,
    merge=False,
    returning=frozenset({"insert", "update", "delete"}),
    replaces_views=False,
    lateral=False,
    row_index=RowIndex.WITHIN,
    rewrite=rewrite,
    text_tests=TEXTS,
    server=False,
    transient=transient.SQLITE,
    timeouts=frozenset({"lock_timeout"}),
    settings_stay=True,
    settings=settings,
    begin=begin,
    engine=engine,
    absent=generic.absent_file,
    describe=describe,
    keys=generic.keys,
    carried=carried,
    returned=returned,
    project=project,
    literal=literal,
    declare=declare,
    read=read,
    unit=unit,
    readers_block_commit=readers_block_commit,
    reader_connections=1,
    unspilled=unspilled,
    reads_elsewhere=reads_elsewhere,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    fill=by_conflict(sqlite.insert),
    named=_NAMED,
)
