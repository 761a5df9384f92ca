"""SQLite: files read by ADBC in a process of its own, everything else by Python's sqlite3.

The two never meet in one process; `transports/adbc.py` says why. The journal mode stays what it
is: with a rollback journal nothing may be read while a unit commits, with WAL it may.
"""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer
from sqlalchemy.pool import StaticPool

from sqlscore.errors import DatabaseError
from sqlscore.products import generic, passing
from sqlscore.products.product import Product, RowIndex
from sqlscore.products.sqlite import columns as sqlite_columns
from sqlscore.products.sqlite.catalogue import dependents, describe, swap, unfit
from sqlscore.products.sqlite.rewrite import rewrite
from sqlscore.products.sqlite.unit import SqliteUnit, told_when_locked
from sqlscore.transports import adbc
from sqlscore.transports.dbapi import fall_back, read_rows
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, ColumnElement, Connection, Engine, Executable, Select

    from sqlscore.products.product import Asked, Unit
    from sqlscore.types import Column

_WAIT = 30  # seconds that our own connections wait for a lock

#: words of SQLite's own (lang_keywords.html) that SQLAlchemy does not quote
_WORDS_OF_SQLITE = frozenset(
    {"abort", "action", "after", "always", "current", "do", "exclude", "fail", "filter", "first"}
    | {"following", "generated", "groups", "last", "materialized", "no", "nothing", "nulls"}
    | {"others", "over", "partition", "preceding", "range", "recursive", "regexp", "release"}
    | {"returning", "rollback", "row", "rows", "savepoint", "temp", "ties", "trigger", "unbounded"}
    | {"view", "virtual", "window", "with", "without"}
)


def engine(url: URL) -> Engine:
    """An engine that waits for locks; one in memory has one connection, which its threads share."""
    made = _connecting(url)
    # SQLAlchemy does not know all of SQLite's words, and would not quote a table named by one
    made.dialect.identifier_preparer.reserved_words = (
        SQLiteIdentifierPreparer.reserved_words | _WORDS_OF_SQLITE
    )
    return made


def _connecting(url: URL) -> Engine:
    if url.database in (None, "", ":memory:") or "mode=memory" in str(url.database):
        options = {"check_same_thread": False, "timeout": _WAIT}
        return sa.create_engine(url, poolclass=StaticPool, connect_args=options)
    return sa.create_engine(url, connect_args={"timeout": _WAIT})


def read(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Iterator[pa.RecordBatch]:
    """`products.product.Read`: a file by ADBC, all else by rows over SQLAlchemy."""
    wire = sqlite_columns.sent(schema)
    path = None if connection is not None else _file(engine)
    with told_when_locked():
        batches = (
            read_rows(engine, query, wire, batch_rows=batch_rows, connection=connection)
            if path is None
            else _read_file(engine, path, query, wire, batch_rows)
        )
        with closing(batches):  # type: ignore[type-var]
            for batch in batches:
                yield sqlite_columns.received(batch, schema)


def _file(engine: Engine) -> str | None:
    """The file that ADBC can read for this engine; None where only the engine's own way sees it.

    An engine with a `creator`, a URI, further settings or attached databases is one of those.
    """
    url = engine.url
    if not url.database or url.query or url.database.startswith("file:"):
        return None
    with translated("looking for the database's file", url=url), engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA database_list").all()
    files = [file for _, name, file in found if name != "temp"]
    same = len(files) == 1 and files[0] and Path(files[0]).samefile(url.database)
    if not same:
        return None
    reason = adbc.missing()
    if reason:
        fall_back("SQLite is read row by row", reason)
    return None if reason else files[0]


def _read_file(
    engine: Engine, path: str, query: Select[Any], wire: pa.Schema, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    plain = query._limit_clause is not None or not query._order_by_clauses
    limited = query if plain else query.limit(-1)
    text = str(limited.compile(engine, compile_kwargs={"literal_binds": True}))
    started = False
    try:
        batches = adbc.read_file(path, text, wire, batch_rows=batch_rows, busy_ms=_WAIT * 1000)
        with closing(batches):  # type: ignore[type-var]
            for batch in batches:
                started = True
                yield batch
        return
    except adbc.ReaderFailed as error:
        if started or "locked" in str(error):
            raise _failure(error, path, wire) from error
    # Nothing came yet. Row by row may see what ADBC cannot (functions and collations that the
    # engine's connections have), and else knows better what is wrong.
    yield from read_rows(engine, query, wire, batch_rows=batch_rows)


def _failure(error: adbc.ReaderFailed, path: str, wire: pa.Schema) -> DatabaseError:
    words = str(error).splitlines()[0]
    _, found, rest = words.partition("Type mismatch in column ")
    if found:
        number = int(rest.partition(":")[0])
        return sqlite_columns.another_kind(wire.names[number], rest.partition(":")[2].strip())
    failure = DatabaseError(f"reading from {path} failed: {words}")
    failure.code = "SQLITE_BUSY" if "locked" in words else None
    return failure


def literal(value: Any, _column: Column) -> ColumnElement[Any]:
    """The value as SQL text, by its own kind, which decides how SQLite compares it."""
    if isinstance(value, bool) or value is None:
        return sa.literal_column(str(int(value)) if value is not None else "NULL")
    if isinstance(value, int):
        # no literal gives the least integer: 9223372036854775808 is a real before it is negated
        least = value == -(2**63)
        return sa.literal_column("(-9223372036854775807 - 1)" if least else str(value))
    if isinstance(value, float):
        return sa.literal_column(_real(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return sa.literal_column(f"x'{bytes(value).hex()}'")
    text = str(value)
    if "\x00" in text:
        return sa.literal_column(f"CAST(x'{text.encode().hex()}' AS TEXT)", sa.String())
    return sa.literal_column("'" + text.replace("'", "''") + "'", sa.String())


def _real(value: float) -> str:
    """A real that every version of SQLite reads right: old ones misread very large exponents."""
    if math.isinf(value):
        return "9e999" if value > 0 else "(-9e999)"
    if value == 0 or 1e-15 <= abs(value) <= 1e15:
        return f"({value!r})" if "e" in repr(value) or "." in repr(value) else f"({value!r}.0)"
    mantissa, exponent = math.frexp(value)
    whole, power = int(mantissa * 2**53), exponent - 53
    while whole % 2 == 0:  # odd: then no step on the way is finer than the value itself
        whole, power = whole // 2, power + 1
    sign, steps = "*" if power > 0 else "/", []
    power = abs(power)
    while power:
        step = min(power, 62)
        steps.append(f" {sign} {2**step}.0")
        power -= step
    return f"({whole}.0{''.join(steps)})"


#: Arrow type -> the declared type of a column that holds it
_WORDS = {pa.int64(): "INTEGER", pa.float64(): "REAL", pa.binary(): "BLOB", pa.string(): "TEXT"}


def declare(type_: pa.DataType) -> str:
    """INTEGER, REAL, BLOB or TEXT."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    return _WORDS[sqlite_columns.wire(type_)]


def unit(engine: Engine, connection: Connection | None) -> Unit:
    """A unit that begins with BEGIN IMMEDIATE."""
    return SqliteUnit(engine, connection)


def readers_block_commit(engine: Engine) -> bool:
    """Yes, unless the database is in WAL mode: then readers see the state that they began with."""
    with translated("asking for the journal mode"), engine.connect() as connection:
        return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal")


def reads_elsewhere(engine: Engine) -> bool:
    """Whether another process reads the file; over the engine, one connection may be all it has."""
    return _file(engine) is not None


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
    transactional_ddl=True,
    row_values=True,
    keyset_walk=True,
    shared=True,
    roles=False,
    merge=False,
    replaces_views=False,
    lateral=False,
    row_index=RowIndex.WITHIN,
    rewrite=rewrite,
    server=False,
    passing=passing.SQLITE,
    timeouts=frozenset({"lock_timeout"}),
    settings_stay=True,
    settings=settings,
    engine=engine,
    absent=generic.absent_file,
    describe=describe,
    keys=generic.keys,
    carried=sqlite_columns.carried,
    returned=sqlite_columns.returned,
    project=sqlite_columns.project,
    literal=literal,
    declare=declare,
    read=read,
    unit=unit,
    readers_block_commit=readers_block_commit,
    reads_elsewhere=reads_elsewhere,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    named=_NAMED,
)
