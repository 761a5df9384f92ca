"""The memory of PostgreSQL's arrays, one a row (`array_bytes` in sql/postgres), as numbers: pure.

No loop goes over values, and no Arrow is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

_START = 4  #: bytes of an array's length word, which is not sent; offsets count from before it
_LOWEST = 12  #: number of dimensions, offset of the values, element type
_OFFSET = range(4, 8)  #: bytes of the offset, which is given where NULLs are


def packed(arrays: Sequence[bytes]) -> bytes | Sequence[bytes]:
    """The memory of one array a row in one piece, where no value is NULL; else as it is given."""
    size, joined = len(arrays[0]), b"".join(arrays)
    if len(joined) != size * len(arrays):
        return arrays
    # Where the first array with NULLs begins is known: those before it have the size of the first.
    if any(joined[at::size].strip(b"\0") for at in _OFFSET):
        return arrays
    return joined


def matrix(
    pieces: Sequence[bytes | Sequence[bytes]], width: int, dtype: type[np.generic] = np.float64
) -> tuple[np.ndarray, np.ndarray | None]:
    """The values of one array a row, of 8 bytes each, and where they are NULL (None: nowhere).

    The arrays come in pieces that `packed` gave.
    """
    head = _aligned(_START + _LOWEST + 8) - _START
    if not all(isinstance(piece, bytes) for piece in pieces):
        arrays = [array for piece in pieces for array in _apart(piece, head + 8 * width)]
        return _with_nulls(arrays, width, head, dtype)
    whole = b"".join(pieces)  # type: ignore[arg-type]  # each is bytes
    rows = np.frombuffer(whole, np.uint8).reshape(-1, head + 8 * width)
    return rows[:, head:].copy().view(dtype), None


def _apart(piece: bytes | Sequence[bytes], size: int) -> Sequence[bytes]:
    if not isinstance(piece, bytes):
        return piece
    return [piece[start : start + size] for start in range(0, len(piece), size)]


def row(array: bytes, width: int, dtype: type[np.generic] = np.float64) -> list[Any]:
    """The values of one array, of 8 bytes each, as Python's; None for NULL."""
    head = _aligned(_START + _LOWEST + 8) - _START
    if len(array) == head + 8 * width and not any(array[_OFFSET.start : _OFFSET.stop]):
        plain: list[Any] = np.frombuffer(array, dtype, width, head).tolist()
        return plain
    values, nulls = _with_nulls([array], width, head, dtype)
    return [
        None if null else value for value, null in zip(values[0].tolist(), nulls[0], strict=True)
    ]


def _with_nulls(
    arrays: Sequence[bytes], width: int, head: int, dtype: type[np.generic]
) -> tuple[np.ndarray, np.ndarray]:
    """Arrays some of which have a bitmap of what is not NULL, and values for these only."""
    offsets = np.frombuffer(b"".join(a[4:8] for a in arrays), np.int32)
    bits = -(-width // 8)
    at = _LOWEST + 8
    full = b"\xff" * bits
    maps = b"".join(
        a[at : at + bits] if offset else full for a, offset in zip(arrays, offsets, strict=True)
    )
    flags = np.frombuffer(maps, np.uint8).reshape(len(arrays), bits)
    there = np.unpackbits(flags, axis=1, count=width, bitorder="little").astype(bool)
    starts = np.where(offsets > 0, offsets - _START, head).tolist()
    values = np.zeros(there.shape, dtype)
    values[there] = np.frombuffer(
        b"".join(a[start:] for a, start in zip(arrays, starts, strict=True)), dtype
    )
    return values, ~there


def rows_of_array(array: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows of one array of two dimensions; of one dimension, its one row.

    Raises SignatureError for more dimensions.
    """
    dimensions, offset = np.frombuffer(array[:8], np.int32)
    if not dimensions:
        return np.empty((0, 0)), None
    if dimensions > 2:
        raise SignatureError(
            f"an array of {dimensions} dimensions is given, and rows of features have two: "
            "array_agg(ARRAY[age, spend])"
        )
    sizes = np.frombuffer(array[_LOWEST : _LOWEST + 4 * dimensions], np.int32)
    rows, width = (1, int(sizes[0])) if dimensions == 1 else (int(sizes[0]), int(sizes[1]))
    at = _LOWEST + 8 * int(dimensions)
    start = offset - _START if offset else _aligned(_START + at) - _START
    given = np.frombuffer(array[start:], np.float64)
    if not offset:
        return given.reshape(rows, width), None
    count = rows * width
    flags = np.frombuffer(array[at : at + -(-count // 8)], np.uint8)
    there = np.unpackbits(flags, count=count, bitorder="little").astype(bool).reshape(rows, width)
    values = np.zeros((rows, width))
    values[there] = given
    return values, ~there


def _aligned(offset: int) -> int:
    return -(-offset // 8) * 8
