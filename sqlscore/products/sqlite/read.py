"""Reading from SQLite: a file by ADBC in a process of its own, all else by rows over SQLAlchemy."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlscore.errors import DatabaseError
from sqlscore.products.sqlite.columns import another_kind, received, sent
from sqlscore.products.sqlite.unit import told_when_locked
from sqlscore.transports import adbc
from sqlscore.transports.dbapi import fall_back, read_rows
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import Connection, Engine, Select

WAIT = 30  #: seconds that our own connections wait for a lock


def read(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Iterator[pa.RecordBatch]:
    """`products.product.Read`: a file by ADBC, all else by rows over SQLAlchemy."""
    wire = sent(schema)
    path = None if connection is not None else _file(engine)
    with told_when_locked():
        batches = (
            read_rows(engine, query, wire, batch_rows=batch_rows, connection=connection)
            if path is None
            else _read_file(engine, path, query, wire, batch_rows)
        )
        with closing(batches):  # type: ignore[type-var]
            for batch in batches:
                yield received(batch, schema)


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
        batches = adbc.read_file(path, text, wire, batch_rows=batch_rows, busy_ms=WAIT * 1000)
        with closing(batches):  # type: ignore[type-var]
            for batch in batches:
                started = started or batch.num_rows > 0
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
        return another_kind(wire.names[number], rest.partition(":")[2].strip())
    failure = DatabaseError(f"reading from {path} failed: {words}")
    failure.code = "SQLITE_BUSY" if "locked" in words else None
    return failure


def reads_elsewhere(engine: Engine) -> bool:
    """Whether another process reads the file; over the engine, one connection may be all it has."""
    return _file(engine) is not None
