"""SQLite files read as Arrow batches by ADBC, in a process of its own.

Why another process: ADBC brings its own copy of the SQLite library beside the one of Python's
sqlite3, and two copies in one process do not see each other's locks. Worse, when one copy closes
the file, the system drops the locks of both, and closing the last connection of a WAL database
deletes the log that the other copy goes on writing: another process's committed rows are then
lost without an error. See https://www.sqlite.org/howtocorrupt.html (2.2.1) and
tests/unit/test_sqlite_product.py. Across processes the locks work as they should.

Why a row that is not in the result: ADBC takes a column's type from the values of its first batch
(NULL counts as integer), so the query is made to begin with one row of the right kinds.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.transports import process
from sqlscore.transports.process import ReaderFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ReaderFailed", "missing", "read_file"]

#: Arrow's name of what ADBC gives for each of SQLite's kinds of values -> a value of that kind
_FIRST = {"int64": "0", "double": "0.5", "string": "''", "binary": "x'00'"}


def missing() -> str | None:
    """Why this transport cannot be used here; None where it can."""
    if find_spec("adbc_driver_sqlite") is None:
        return "the package adbc-driver-sqlite is not installed"
    return process.missing()


def read_file(
    path: str, query: str, schema: pa.Schema, *, batch_rows: int, busy_ms: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a query on a SQLite file, as batches of exactly `schema`.

    The schema's types are int64, double, string and binary; a value of another kind, and every
    other failure, is a `ReaderFailed`. A query with an ORDER BY needs a LIMIT (-1 is none) beside
    it: without one SQLite may leave out the order of a query inside a query. Closing the iterator
    early ends the query at once. The first batch is empty: it says that the file is locked against
    a commit, until the last one.
    """
    kinds = [_kind(field.type) for field in schema]
    first = ", ".join(_FIRST[kind] for kind in kinds)
    request = {
        "reader": "sqlite",
        "path": path,
        "query": f"SELECT {first} UNION ALL SELECT * FROM ({query})",  # noqa: S608 - a whole query
        "columns": list(zip(schema.names, kinds, strict=True)),
        "batch_rows": batch_rows,
        "busy_ms": busy_ms,
    }
    return process.read(request)


def _kind(type_: pa.DataType) -> str:
    return {pa.int64(): "int64", pa.float64(): "double", pa.binary(): "binary"}.get(type_, "string")
