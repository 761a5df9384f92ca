"""Rows as SQL text, ``(1,0.5e0,_utf8mb4 x'61'),(…)``, for databases that take many in one INSERT.

Whole columns are turned into text by Arrow, without a Python loop over values. The text means the
same whatever the session's settings: numbers say the double exactly, text and binary are
hexadecimal.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import DatabaseError
from sqlscore.types import strings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 4096  #: rows of one statement: more gain nothing, and a server parses them all at once

_TEXT = pa.large_string()  # hexadecimal doubles a column, past what 4-byte offsets reach


def statements(
    head: str, batch: pa.RecordBatch, tail: str, *, most_bytes: int, end: str = ""
) -> Iterator[str]:
    """Statements that together hold all rows: ``head (…end),(…end) tail``.

    None is longer than `most_bytes`, unless a single row is: `DatabaseError`. NULL is NULL; NaN
    and ±inf have no literal: `DatabaseError`. Types: boolean, integers, floating point, string,
    binary.
    """
    room = most_bytes - len(head.encode()) - len(tail.encode()) - 16
    between = f"{end}),("
    for start in range(0, batch.num_rows, ROWS):
        texts = _rows(batch.slice(start, ROWS))
        for piece in _pieces(texts, room, len(between)):
            yield f"{head} ({between.join(piece)}{end}){tail}"


def literals(row: pa.RecordBatch) -> list[str]:
    """The values of a batch of one row, each by itself."""
    named = zip(row.columns, row.schema.names, strict=True)
    return [_texts(array, name)[0].as_py() or "NULL" for array, name in named]


def _rows(batch: pa.RecordBatch) -> list[str]:
    named = zip(batch.columns, batch.schema.names, strict=True)
    columns = [_texts(array, name).cast(_TEXT) for array, name in named]
    joined = pc.binary_join_element_wise(
        *columns, _constant(","), null_handling="replace", null_replacement="NULL"
    )
    rows: list[str] = joined.to_pylist()
    return rows


def _pieces(rows: list[str], room: int, between: int) -> Iterator[list[str]]:
    """The rows in order, in as few lists as the room allows."""
    sizes = np.cumsum([len(row) + between for row in rows])
    start = 0
    while start < len(rows):
        before = sizes[start - 1] if start else 0
        stop = int(np.searchsorted(sizes, before + room, side="right"))
        if stop == start:
            raise DatabaseError(
                f"one row needs {len(rows[start]):,} bytes in a statement, and the server takes "
                f"{max(room, 0):,}. Raise its max_allowed_packet, or leave out the long columns"
            )
        yield rows[start:stop]
        start = stop


def _texts(array: pa.Array, name: str) -> pa.Array:
    """The column as SQL text, NULL where it is NULL."""
    type_ = array.type
    if pa.types.is_floating(type_):
        return _doubles(array, name)
    if pa.types.is_boolean(type_):
        return array.cast(pa.int8()).cast(pa.string())
    if pa.types.is_integer(type_):
        return array.cast(pa.string())
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _wrapped("_utf8mb4 x'", _hexadecimal(array.cast(pa.string())))
    return _wrapped("x'", _hexadecimal(array.cast(pa.binary())))


def _doubles(array: pa.Array, name: str) -> pa.Array:
    """Each value as the shortest text that is exactly this double, and never a decimal."""
    doubles = array.cast(pa.float64())
    if pc.any(pc.invert(pc.is_finite(doubles))).as_py():
        raise DatabaseError(
            f"column {name!r} holds NaN or an infinite value, which this database has not. "
            "Write NULL in its place, or leave the rows out"
        )
    texts = doubles.cast(pa.string())
    nothing, exponent = strings(["", "e0"])
    missing = pc.if_else(pc.match_substring(texts, "e"), nothing, exponent)
    return pc.binary_join_element_wise(texts, missing, nothing)


def _constant(text: str) -> pa.Scalar:
    return strings([text]).cast(_TEXT)[0]


def _wrapped(before: str, hexadecimal: pa.Array) -> pa.Array:
    parts = (_constant(before), hexadecimal, _constant("'"))
    return pc.binary_join_element_wise(*parts, _constant(""))


def _hexadecimal(array: pa.Array) -> pa.Array:
    """The bytes of each value as hexadecimal digits, the whole column at once."""
    _, ends, content = array.buffers()
    offsets = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    digits = binascii.hexlify(memoryview(content)[first:last]) if last > first else b""
    twice = ((offsets.astype(np.int64) - first) * 2).astype(np.int64)
    present = pc.is_valid(array)
    made = pa.LargeStringArray.from_buffers(len(array), pa.py_buffer(twice), pa.py_buffer(digits))
    return pc.if_else(present, made, pa.nulls(1, _TEXT)[0])
