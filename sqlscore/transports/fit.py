"""A batch made to be exactly what its target's columns are, before its bytes are trusted.

Writers send bytes that a database takes as they come (an int64 in a binary COPY to a double
column is stored as another number, silently), so every batch is cast first, and a value that
does not fit is refused by the column's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import DatabaseError, nearest
from sqlscore.transports.constants import spread

if TYPE_CHECKING:
    from collections.abc import Mapping


def fitted(batch: pa.RecordBatch, types: Mapping[str, pa.DataType], table: str) -> pa.RecordBatch:
    """The batch with every column cast to the type that `types` names for it.

    What `constants.constant` made is spread out. Raises `DatabaseError` where `types` lacks a
    column, or a value would become another value. NULL and NaN stay what they are. `table` is
    named in messages.
    """
    batch = spread(batch)
    for name in batch.schema.names:
        if name not in types:
            raise DatabaseError(f"table {table} has no column {name!r}." + nearest(name, types))
    schema = pa.schema([(name, types[name]) for name in batch.schema.names])
    arrays = [
        fitted_column(array, field.type, f"column {field.name!r} of table {table}")
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def fitted_column(array: pa.Array, type_: pa.DataType, where: str) -> pa.Array:
    """`array` as `type_`; `DatabaseError`, which names `where`, for a value that does not fit."""
    if array.type == type_:
        return array
    try:
        cast = _cast(array, type_)
        if _overflowed(array, cast):
            raise pa.ArrowInvalid("a finite number became infinite")
    except pa.ArrowException as error:
        raise DatabaseError(
            f"a value of type {array.type} does not fit {where}, which takes {type_}. "
            "Give the column another type, or leave it out of what is written"
        ) from error
    return cast


def narrowed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch that a reader gave wider, as exactly `schema`; columns are matched by position.

    Numbers become floating point by rounding, as in any cast to double and on to float32; every
    other change that would lose something is a `DatabaseError` that names the column.
    """
    arrays = [_narrowed(array, field) for array, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _narrowed(array: pa.Array, field: pa.Field) -> pa.Array:
    if array.type == field.type:
        return array
    element = field.type.value_type if pa.types.is_list(field.type) else field.type
    try:
        return array.cast(field.type, safe=not pa.types.is_floating(element))
    except pa.ArrowException as error:
        raise DatabaseError(
            f"column {field.name!r} came as {array.type}, with a value that does not fit "
            f"{field.type}. Cast it in the source, or leave it out"
        ) from error


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return _cast(array.dictionary_decode(), type_)
    if pa.types.is_string(type_) and pa.types.is_list(array.type):
        texts = [None if v is None else json.dumps(v) for v in array.to_pylist()]
        return pa.array(texts, pa.string())
    return array.cast(type_, safe=True)


def _overflowed(before: pa.Array, after: pa.Array) -> bool:
    """Whether a finite number became infinite: Arrow's own checks do not look for that."""
    if not (pa.types.is_floating(before.type) and pa.types.is_floating(after.type)):
        return False
    if after.type.bit_width >= before.type.bit_width:
        return False
    return bool(pc.any(pc.and_(pc.is_inf(after), pc.is_finite(before))).as_py())
