"""Columns that hold a whole tensor a row: lists, JSON arrays in text, raw values in binary."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import SignatureError
from sqlscore.types import is_number

if TYPE_CHECKING:
    from sqlscore.signature import Feature, Input


def held(column: pa.Array, feature: Feature, one: Input, dtype: np.dtype[Any]) -> np.ndarray:
    """An array of the shape ``(rows, d1, …)`` from a column that holds one tensor a row.

    A list column (nested or flat), a JSON array in text, or raw little-endian values in binary.
    Raises SignatureError that names the feature where the values do not have the input's shape.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if _is_list(column.type):
        flat = _flattened(column, feature)
        if not is_number(flat.type) and dtype.kind != "O":
            raise _no_tensor(feature, column.type)
        array = flat.to_numpy(zero_copy_only=False)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        array = _from_json(column, feature, dtype)
    elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        array = _from_bytes(column, feature, dtype.newbyteorder("<"))
    else:
        raise _no_tensor(feature, column.type)
    return _shaped(array.astype(dtype, copy=False), len(column), feature, one)


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def _flattened(column: pa.Array, feature: Feature) -> pa.Array:
    """The values of lists in lists; at each level all lists must be equally long."""
    while _is_list(column.type):
        if column.null_count:
            raise SignatureError(f"the feature {feature.name!r} has a list with NULL in it")
        lengths = pc.min_max(pc.list_value_length(column))
        if lengths["min"] != lengths["max"]:
            raise SignatureError(f"the feature {feature.name!r} has lists of different lengths")
        column = column.flatten()
    if column.null_count:
        raise SignatureError(f"the feature {feature.name!r} has a list with NULL in it")
    return column


def _from_json(column: pa.Array, feature: Feature, dtype: np.dtype[Any]) -> np.ndarray:
    try:
        rows = json.loads(f"[{','.join(column.to_pylist())}]")
        if len(rows) != len(column):
            raise ValueError("a text holds more than one array")
        return np.array(rows, dtype).reshape(-1)
    except (ValueError, TypeError) as error:
        raise SignatureError(
            f"the feature {feature.name!r} has text that is no JSON array of numbers, "
            "or arrays of different lengths"
        ) from error


def _from_bytes(column: pa.Array, feature: Feature, dtype: np.dtype[Any]) -> np.ndarray:
    lengths = pc.unique(pc.binary_length(column)).to_pylist()
    if len(lengths) > 1 or any(length % dtype.itemsize for length in lengths):
        raise SignatureError(
            f"the feature {feature.name!r} has binary values that are not all equally many "
            f"{dtype.name} values of {dtype.itemsize} bytes"
        )
    return np.frombuffer(b"".join(column.to_pylist()), dtype)


def _shaped(array: np.ndarray, rows: int, feature: Feature, one: Input) -> np.ndarray:
    """Give the values the input's shape; one free dimension follows from the others."""
    inner = [-1 if d is None else d for d in one.shape[1:]]
    known = math.prod(d for d in inner if d > 0)
    free = inner.count(-1)
    width = array.size // rows if rows else known
    fits = width * rows == array.size and (width % known == 0 if free else width == known)
    if not fits or free > 1:
        wants = " by ".join("?" if d == -1 else str(d) for d in inner)
        raise SignatureError(
            f"the feature {feature.name!r} takes {wants} values a row, and its column holds "
            f"{width if width * rows == array.size else 'different numbers of them'}"
        )
    return array.reshape(rows, *(width // known if d == -1 else d for d in inner))


def _no_tensor(feature: Feature, type_: pa.DataType) -> SignatureError:
    return SignatureError(
        f"the feature {feature.name!r} takes a tensor a row: a list of numbers, a JSON array in "
        f"text, or raw values in binary. Its column is {type_}."
    )
