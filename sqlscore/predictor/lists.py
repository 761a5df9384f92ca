"""Columns that hold a whole tensor a row, each form brought to one: lists of values, in lists.

The forms are list columns (arrays of PostgreSQL and DuckDB), JSON arrays in text (pgvector's and
PostgreSQL's own text of an array among them), and raw little-endian values in binary.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.errors import SignatureError
from sqlscore.predictor.scalars import as_number, as_text
from sqlscore.types import is_list, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.signature import Feature

#: ``{{1,2},{NaN,NULL}}``, as PostgreSQL writes an array
_BRACES = str.maketrans("{}", "[]")


def as_lists(column: pa.Array, feature: Feature, dtype: np.dtype[Any]) -> pa.Array:
    """The column as lists, nested or flat, of values that feed the feature without another check.

    NULL stays NULL, and a row that has a NULL inside is NULL. `dtype` is what binary holds. Raises
    SignatureError that names the feature, and in `rows` where the wrong values are.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return column.cast(pa.list_(feature.type))
    if is_text(column.type):
        column = _from_json(column, feature)
    elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = _from_bytes(column, feature, dtype)
    if not is_list(column.type) or not _feeds(_leaf(column.type), feature):
        raise SignatureError(
            f"the feature {feature.name!r} takes a tensor a row: a list of {_values(feature)}, a "
            f"JSON array in text, or raw values in binary. Its column is {column.type}."
        )
    check = as_text if pa.types.is_string(feature.type) else as_number
    column = _rebuilt(column.cast(_variable(column.type)), lambda leaf: check(leaf, feature))
    return _whole(column)


def children(column: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """The offsets of a column's lists, from 0, and the values that lie in them."""
    offsets = column.offsets.to_numpy()
    first, last = (offsets[0], offsets[-1]) if len(offsets) else (0, 0)
    return offsets - first, column.values.slice(first, last - first)


def _leaf(type_: pa.DataType) -> pa.DataType:
    return _leaf(type_.value_type) if is_list(type_) else type_


def _feeds(leaf: pa.DataType, feature: Feature) -> bool:
    if pa.types.is_null(leaf):  # of empty lists
        return True
    return is_text(leaf) if pa.types.is_string(feature.type) else is_number(leaf)


def _variable(type_: pa.DataType) -> pa.DataType:
    """The type with lists of any length in place of lists of a fixed one."""
    if not is_list(type_):
        return type_
    make = pa.large_list if pa.types.is_large_list(type_) else pa.list_
    return make(_variable(type_.value_type))


def _rebuilt(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The same lists of changed values."""
    offsets, child = children(column)
    inner = _rebuilt(child, change) if is_list(child.type) else change(child)
    large = pa.types.is_large_list(column.type)
    return (pa.LargeListArray if large else pa.ListArray).from_arrays(
        pa.array(offsets, pa.int64() if large else pa.int32()),
        inner,
        mask=column.is_null() if column.null_count else None,
    )


def _whole(column: pa.Array) -> pa.Array:
    """The column with NULL in place of the lists that have a NULL somewhere inside."""
    lacking = _lacking(column)
    if not lacking.any():
        return column
    return column.take(pa.array(np.arange(len(column)), mask=lacking))


def _lacking(column: pa.Array) -> np.ndarray:
    """Which lists have a NULL inside."""
    offsets, child = children(column)
    if not is_list(child.type) and not child.null_count:
        return np.zeros(len(column), bool)
    null: np.ndarray = child.is_null().to_numpy(zero_copy_only=False)
    if is_list(child.type):
        null = null | _lacking(child)
    before = np.concatenate([[0], np.cumsum(null)])
    lacking: np.ndarray = before[offsets[1:]] > before[offsets[:-1]]
    return lacking


def _from_json(column: pa.Array, feature: Feature) -> pa.Array:
    texts = ["null" if v is None else _as_json(v) for v in column.to_pylist()]
    try:
        return _parsed(texts, feature)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise SignatureError(
            f"the feature {feature.name!r} has text that is no JSON array of {_values(feature)}, "
            "or arrays of different depth"
        ).at_rows(i for i, text in enumerate(texts) if not _is_array(text, feature)) from error


def _as_json(text: str) -> str:
    if text[:1] == "{":
        return text.translate(_BRACES).replace("NULL", "null")
    return text


def _parsed(texts: list[str], feature: Feature) -> pa.Array:
    rows = json.loads(f"[{','.join(texts)}]")
    if len(rows) != len(texts):
        raise ValueError("a text holds more than one array")
    if not all(isinstance(row, list) for row in rows if row is not None):
        raise ValueError("a text holds no array")
    found = pa.array(rows)
    if not _feeds(_leaf(found.type), feature):
        raise ValueError("a text holds values of another kind")
    return found if is_list(found.type) else found.cast(pa.list_(feature.type))


def _is_array(text: str, feature: Feature) -> bool:
    try:
        _parsed([text], feature)
    except (ValueError, TypeError, pa.ArrowException):
        return False
    return True


def _from_bytes(column: pa.Array, feature: Feature, dtype: np.dtype[Any]) -> pa.Array:
    lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy()
    if dtype.kind == "O" or (lengths % dtype.itemsize).any():
        raise SignatureError(
            f"the feature {feature.name!r} has binary values that are no whole number of "
            f"{dtype.name} values of {dtype.itemsize} bytes"
        ).at_rows(np.flatnonzero(lengths % dtype.itemsize))
    offsets = np.concatenate([[0], np.cumsum(lengths // dtype.itemsize, dtype=np.int64)])
    whole = b"".join(v for v in column.to_pylist() if v is not None)
    values = np.frombuffer(whole, dtype.newbyteorder("<")).astype(dtype)
    return pa.LargeListArray.from_arrays(
        pa.array(offsets), pa.array(values), mask=column.is_null() if column.null_count else None
    )


def _values(feature: Feature) -> str:
    return "texts" if pa.types.is_string(feature.type) else "numbers"
