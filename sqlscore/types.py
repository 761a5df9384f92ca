"""The types that cross the project: ONNX element types and Arrow types, and what a column is.

Arrow is the spine: a batch is a `pyarrow.RecordBatch`, a column's type is a `pyarrow.DataType`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.elements import SMALL_FLOATS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: ONNX element type (as ONNX Runtime prints it, without ``tensor()``) -> Arrow type of its column.
#: The small floats have no Arrow type: their column is float32, which holds them exactly.
ARROW_TYPES: dict[str, pa.DataType] = {
    "float": pa.float32(),
    "double": pa.float64(),
    "float16": pa.float16(),
    **dict.fromkeys(SMALL_FLOATS, pa.float32()),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}

#: Arrow type of numbers or truths -> numpy's; pyarrow that is older asks pandas for it
NUMPY_TYPES: dict[pa.DataType, Any] = {
    pa.from_numpy_dtype(kind): kind
    for kind in (
        np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64,
        np.uint8, np.uint16, np.uint32, np.uint64, np.bool_,
    )
}  # fmt: skip

#: numpy's name of a type -> ONNX's, where they differ
_ELEMENTS = {"float32": "float", "float64": "double"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a relation in a database, as its catalogue describes it."""

    name: str  #: in the catalogue's own spelling
    type: pa.DataType  #: what the column means, in Arrow's terms; pa.null() where unknown
    declared: str | None = None  #: the type in the product's own words, e.g. ``numeric(10,2)``
    nullable: bool = True


def numbers(
    values: np.ndarray, type_: pa.DataType | None = None, nulls: np.ndarray | None = None
) -> pa.Array:
    """Numbers or truths as Arrow's array; the memory is shared. `nulls` is true where one is NULL.

    `pyarrow.array` would import pandas to see whether it is given something of it.
    """
    type_ = type_ or ARROW_TYPES[_ELEMENTS.get(values.dtype.name, values.dtype.name)]
    if values.dtype.kind not in "iufb" or values.dtype != NUMPY_TYPES.get(type_, np.void):
        return pa.array(values, type_, mask=nulls)
    there = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    truths = values.dtype.kind == "b"
    held = np.packbits(values, bitorder="little") if truths else np.ascontiguousarray(values)
    return pa.Array.from_buffers(type_, len(values), [there, pa.py_buffer(held)])


def strings(values: Sequence[str]) -> pa.Array:
    """Texts as Arrow's array, likewise without pandas."""
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    held = pa.py_buffer(b"".join(encoded))
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), held)


def scalar(value: float | str, type_: pa.DataType) -> pa.Scalar:
    """A value as Arrow's, likewise; of a type that holds it."""
    if isinstance(value, str):
        return strings([value]).cast(type_)[0]
    array = np.array([value])
    if array.dtype.kind == "O":  # numpy has no integer so large
        return pa.scalar(value, type_)
    return numbers(array).cast(type_)[0]


def array_of(column: pa.Array) -> np.ndarray:
    """A column as numpy's array: as `to_numpy(zero_copy_only=False)`, which would import pandas.

    Numbers without a NULL share the column's memory; a NULL among floats is NaN.
    """
    found: np.ndarray
    if column.null_count and pa.types.is_floating(column.type):
        found = with_nulls(column, np.nan)
    elif column.null_count or not (
        is_plain_number(column.type) or pa.types.is_boolean(column.type)
    ):
        found = column.to_numpy(zero_copy_only=False)
    elif pa.types.is_boolean(column.type):
        found = np.from_dlpack(column.cast(pa.uint8())).view(np.bool_)
    else:
        found = np.from_dlpack(column)
    return found


def with_nulls(column: pa.Array, value: Any) -> np.ndarray:
    """A column of numbers as numpy's array, with a value in the place of each NULL."""
    buffers = [None, column.buffers()[1]]  # those of a NULL hold some number, too
    given = pa.Array.from_buffers(column.type, len(column), buffers, offset=column.offset)
    found = np.array(np.from_dlpack(given))
    found[array_of(column.is_null())] = value
    return found


def is_plain_number(type_: pa.DataType) -> bool:
    """Whether Arrow and numpy hold such values in the same bytes."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def is_number(type_: pa.DataType) -> bool:
    """Whether a column of this type can feed a numeric feature."""
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_boolean(type_)
    )


def is_list(type_: pa.DataType) -> bool:
    """Whether a column of this type holds lists, of whatever form."""
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def is_text(type_: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
        or (pa.types.is_dictionary(type_) and is_text(type_.value_type))
    )
