"""DuckDB's own Arrow: a query's rows as batches, on a cursor of the instance that is open."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

#: what DuckDB raises at once, and what its stream raises in the middle
ERRORS: tuple[type[BaseException], ...] = (duckdb.Error, pa.ArrowException, OSError, RuntimeError)


def raw(connection: Connection) -> duckdb.DuckDBPyConnection:
    """DuckDB's own connection beneath SQLAlchemy's; it shares the transaction and temporary tables.

    A `cursor()` of it is another connection to the same instance, which works at the same time.
    """
    # duckdb-engine's wrapper passes on every attribute but `cursor`, `close` and `connection`
    execute = connection.connection.driver_connection.execute  # type: ignore[union-attr]
    own: duckdb.DuckDBPyConnection = execute.__self__
    return own


def read_arrow(
    connection: duckdb.DuckDBPyConnection, query: str, *, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream a query's rows as batches; closing the iterator early interrupts the query."""
    reader = _reader(connection.sql(query), batch_rows)
    try:
        yield from reader
    except GeneratorExit:
        connection.interrupt()
        raise
    finally:
        reader.close()


def _reader(relation: duckdb.DuckDBPyRelation, batch_rows: int) -> Any:
    # `sql` streams; `execute` materialises the whole result first
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    return read(batch_rows)


class _Given:
    """Rows that a view reads through Arrow's C stream, until they are left.

    DuckDB keeps what a view was made of until the transaction ends, also when the view is gone: the
    rows themselves would stay in memory, and with them all columns that were read with their own.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __arrow_c_schema__(self) -> object:
        return self._rows.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)

    def leave(self) -> None:
        """Let the rows go."""
        self._rows = pa.Table.from_batches([], self._rows.schema)


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    """The rows as a view of that name on this connection, for one statement to read."""
    given = _Given(rows)
    connection.register(name, given)
    try:
        yield
    except BaseException:
        # in an aborted transaction even this fails, and would hide what went wrong
        with suppress(duckdb.Error):
            connection.unregister(name)
        raise
    finally:
        given.leave()
    connection.unregister(name)
