"""PostgreSQL's COPY over psycopg: rows in as binary made by pgpq, rows out as csv.

Binary COPY trusts its bytes: whoever calls `copy_in` has made every column exactly what the
table's column is (`fit.fitted`).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sqlscore.errors import DatabaseError
from sqlscore.transports.fit import narrowed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from psycopg import Connection, Copy

_MOST_BYTES = 16 << 20  # gathered before they are parsed


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
    ):
        for lines in _gathered(copy, batch_rows):
            yield narrowed(_parsed(lines, schema), schema)


def _gathered(copy: Copy, most_rows: int) -> Iterator[bytes]:
    """Whole rows, joined: the protocol has every row in a message of its own."""
    rows: list[bytes] = []
    length = 0
    for row in copy:
        rows.append(bytes(row))
        length += len(row)
        if len(rows) == most_rows or length >= _MOST_BYTES:
            yield b"".join(rows)
            rows, length = [], 0
    if rows:
        yield b"".join(rows)


def _parsed(lines: bytes, schema: pa.Schema) -> pa.RecordBatch:
    # COPY writes NULL as nothing and the empty text as "": quotes tell them apart. An empty line
    # is a NULL in a single column. Without threads of pyarrow's own, so that a reader that is
    # closed early leaves nobody behind who waits for the connection.
    names = [str(i) for i in range(len(schema))]  # names may repeat, positions do not
    rows = csv.read_csv(
        pa.BufferReader(lines),
        read_options=csv.ReadOptions(
            column_names=names, block_size=len(lines) + 1, use_threads=False
        ),
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
    return rows.combine_chunks().to_batches()[0]
