"""Single values on their way to a feature: numbers to a fitting type, text as it is.

A number never comes from text, and an integer never from a number that it does not equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import SignatureError
from sqlscore.types import is_number, is_text

if TYPE_CHECKING:
    from sqlscore.signature import Feature


def as_number(column: pa.Array, feature: Feature) -> pa.Array:
    """The column for a floating-point, integer or boolean feature; NULL stays NULL.

    For a floating-point feature: floating point as it is, every other number as double. For an
    integer or boolean feature: exactly its type; NaN, which it has not, becomes NULL. Raises
    SignatureError otherwise.
    """
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return column.cast(pa.float64() if pa.types.is_floating(feature.type) else feature.type)
    if not is_number(column.type):
        raise SignatureError(
            f"the feature {feature.name!r} takes a number ({feature.type}), and its column is "
            f"{column.type}. Convert the column to a number in the source."
        )
    if pa.types.is_floating(feature.type):
        return column if pa.types.is_floating(column.type) else _double(column)
    return _exact(column, feature)


def as_text(column: pa.Array, feature: Feature) -> pa.Array:
    """The column for a text feature, dictionaries as they are; SignatureError for what is none."""
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    if not is_text(column.type):
        raise SignatureError(
            f"the feature {feature.name!r} takes text, and its column is {column.type}. "
            "Convert the column to text in the source."
        )
    return column


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
