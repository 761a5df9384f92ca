"""PostgreSQL's COPY over psycopg: rows in as binary made by pgpq, rows out as csv.

Binary COPY trusts its bytes: whoever calls `copy_in` has made every column exactly what the
table's column is (`fit.fitted`).
"""

from __future__ import annotations

import importlib.util
import io
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sqlscore.errors import DatabaseError
from sqlscore.transports.fit import narrowed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from psycopg import Connection, Copy

_BLOCK = 16 << 20  # no csv row may be longer than a block


def installed() -> bool:
    """Whether pgpq can be imported."""
    return importlib.util.find_spec("pgpq") is not None


def copy_in(connection: Connection, into: str, batches: Sequence[pa.RecordBatch]) -> None:
    """COPY the batches, all of one schema, into `into`: a quoted table with its column list.

    Raises psycopg's own errors, and `DatabaseError` for a NUL in text, which the server would
    refuse without naming the column.
    """
    from pgpq import ArrowToPostgresBinaryEncoder

    encoder = ArrowToPostgresBinaryEncoder(batches[0].schema)
    _refuse_nul(batches)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {into} FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(encoder.write_header())
        for batch in batches:
            copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())


def _refuse_nul(batches: Sequence[pa.RecordBatch]) -> None:
    for batch in batches:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_string(array.type) and _has_nul(array):
                raise DatabaseError(
                    f"column {name!r} holds text with a NUL character, which PostgreSQL cannot "
                    "store. Remove it in the source"
                )


def _has_nul(array: pa.StringArray) -> bool:
    # A search through the whole buffer at once; only a hit is looked at value by value.
    values = array.buffers()[2]
    if values is None or b"\0" not in memoryview(values).tobytes():
        return False
    return bool(pc.any(pc.match_substring(array, "\0")).as_py())


def copy_out(
    connection: Connection, sql: str, schema: pa.Schema, batch_rows: int
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of `sql` over this connection, as batches of exactly `schema`.

    For columns of numbers, booleans and text only. Raises psycopg's own errors.
    """
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)") as copy,
        closing(_Stream(copy)) as stream,
    ):
        if not stream.begin():
            return
        for batch in _parsed(stream, schema):
            for start in range(0, batch.num_rows, batch_rows):
                yield narrowed(batch.slice(start, batch_rows), schema)


def _parsed(stream: _Stream, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # COPY writes NULL as nothing and the empty text as "": quotes tell them apart. An empty line
    # is a NULL in a single column.
    names = [str(i) for i in range(len(schema))]  # names may repeat, positions do not
    reader = csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(names, schema.types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    yield from reader


class _Stream(io.RawIOBase):
    """What COPY sends, as a file that pyarrow reads."""

    def __init__(self, copy: Copy) -> None:
        self._blocks = iter(copy)
        self._rest = b""

    def begin(self) -> bool:
        """Wait for the first bytes; False where there is no row at all."""
        self._rest = bytes(next(self._blocks, b""))
        return bool(self._rest)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts = [self._rest]
        length = len(self._rest)
        while size < 0 or length < size:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(bytes(block))
            length += len(block)
        whole = b"".join(parts)
        size = len(whole) if size < 0 else size
        self._rest = whole[size:]
        return whole[:size]
