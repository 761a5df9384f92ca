"""A source's column as a feature takes it: of a fitting type, with its NULLs still in it.

Numbers go column -> double -> float32, ties to even. A number never comes from text, and an
integer never from a number that it does not equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import SignatureError
from sqlscore.predictor.held import held
from sqlscore.signature import InputKind
from sqlscore.types import SMALL_FLOATS, is_number

if TYPE_CHECKING:
    from sqlscore.signature import Feature, Input

#: ONNX element type -> what a session is fed; small floats go in as float32
DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    **dict.fromkeys(SMALL_FLOATS, np.dtype(np.float32)),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
    "uint32": np.dtype(np.uint32),
    "uint64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
    "string": np.dtype(np.object_),
}


def typed(column: pa.Array, feature: Feature, one: Input) -> pa.Array:
    """The column in a type that feeds the feature without another check; NULLs stay NULL.

    For a floating-point feature: floating point as it is, every other number as double. For an
    integer or boolean feature: exactly its type; NaN, which it has not, becomes NULL. Text stays
    text, and a column that holds tensors stays as it is. Raises SignatureError otherwise.
    """
    if one.kind is InputKind.TENSOR:
        return column
    if one.element == "string":
        return _text(column, feature)
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return column.cast(pa.float64() if pa.types.is_floating(feature.type) else feature.type)
    if not is_number(column.type):
        raise SignatureError(
            f"the feature {feature.name!r} takes a number ({one.element}), and its column is "
            f"{column.type}. Convert the column to a number in the source."
        )
    if pa.types.is_floating(feature.type):
        return column if pa.types.is_floating(column.type) else _double(column)
    return _exact(column, feature)


def values(column: pa.Array, feature: Feature, one: Input) -> np.ndarray:
    """The values of a column that `typed` made and that has no NULL left, as an array."""
    if one.kind is InputKind.TENSOR:
        return held(column, feature, one, DTYPES[one.element])
    if one.element == "string":
        # each different text becomes a `str` once, however many rows have it
        encoded = column.dictionary_encode()
        texts: np.ndarray = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
        repeated: np.ndarray = texts[encoded.indices.to_numpy(zero_copy_only=False)]
        return repeated
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers


def _double(column: pa.Array) -> pa.Array:
    if pa.types.is_decimal(column.type):
        # Arrow's own cast is off by an ulp for one value in ten; text is read exactly
        return pc.cast(pc.cast(column, pa.string()), pa.float64())
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    return pc.cast(column, pa.float64(), safe=False)  # safe refuses integers past 2**53


def _exact(column: pa.Array, feature: Feature) -> pa.Array:
    """The column in the feature's own integer or boolean type, or SignatureError."""
    given = column.type
    try:
        if pa.types.is_floating(given):
            column = pc.if_else(pc.is_nan(column), None, column)
        if pa.types.is_boolean(given):
            column = pc.cast(column, pa.uint8())
        elif not pa.types.is_integer(given):
            large = pa.types.is_uint64(feature.type)
            column = pc.cast(column, pa.uint64() if large else pa.int64())
        if not pa.types.is_boolean(feature.type):
            return pc.cast(column, feature.type)
        column = pc.cast(column, pa.uint8())
        if (pc.max(column).as_py() or 0) <= 1:
            return pc.cast(column, feature.type)
    except pa.ArrowInvalid as error:
        raise _inexact(feature, given) from error
    raise _inexact(feature, given)


def _inexact(feature: Feature, type_: pa.DataType) -> SignatureError:
    return SignatureError(
        f"the feature {feature.name!r} takes {feature.type}, and its column ({type_}) has a value "
        "that is none: out of range, or not whole. Convert the column in the source."
    )


def _text(column: pa.Array, feature: Feature) -> pa.Array:
    type_ = column.type
    if isinstance(type_, pa.DictionaryType):
        type_ = type_.value_type
    if pa.types.is_null(type_):
        return column.cast(pa.string())
    if not (
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    ):
        raise SignatureError(
            f"the feature {feature.name!r} takes text, and its column is {type_}. "
            "Convert the column to text in the source."
        )
    return column
