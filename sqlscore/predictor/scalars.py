"""Single values on their way to a feature: numbers to a fitting type, text as it is.

A number never comes from text, and an integer never from a number that it does not equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.errors import SignatureError
from sqlscore.predictor.type_rules import TypeRule
from sqlscore.types import NUMPY_TYPES, is_number, is_text

if TYPE_CHECKING:
    from sqlscore.signature import Feature


def as_number(column: pa.Array, feature: Feature, rule: TypeRule = TypeRule.SAFE) -> pa.Array:
    """The column for a floating-point, integer or boolean feature; NULL stays NULL.

    For a floating-point feature: floating point as it is, every other number as double. For an
    integer or boolean feature: exactly its type; NaN, which it has not, becomes NULL. Raises
    SignatureError for what the policy does not let through, with the rows.
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
        if rule is TypeRule.EXACT:
            _refuse_rounded(column, feature)
        return column if pa.types.is_floating(column.type) else _double(column)
    return _exact(_whole_part(column, feature) if rule is TypeRule.LOSSY else column, feature)


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


def changed(given: pa.Array, column: pa.Array) -> int:
    """How many numbers are others in a column of whole numbers than they were; NULL is none."""
    if isinstance(given.type, pa.DictionaryType):
        given = given.dictionary_decode()
    whole = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if not whole or given.type == column.type or pa.types.is_null(given.type):
        return 0
    return pc.sum(pc.not_equal(_double(column), _double(given))).as_py() or 0


def _double(column: pa.Array) -> pa.Array:
    if pa.types.is_decimal(column.type):
        # Arrow's own cast is off by an ulp for one value in ten; text is read exactly
        return pc.cast(pc.cast(column, pa.string()), pa.float64())
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    return pc.cast(column, pa.float64(), safe=False)  # safe refuses integers past 2**53


def _refuse_rounded(column: pa.Array, feature: Feature) -> None:
    """Raise SignatureError for values that the feature's floating-point type does not hold."""
    if pa.types.is_decimal(column.type):
        raise SignatureError(
            f"the feature {feature.name!r} has the policy 'exact' and its column is {column.type}, "
            "which no floating-point number holds. Convert it in the source, or use 'safe'"
        )
    held = _held(column, NUMPY_TYPES[feature.type])
    if not held.all():
        raise SignatureError(
            f"the feature {feature.name!r} has {len(held) - held.sum()} values that {feature.type} "
            "does not hold exactly, and its policy of types is 'exact'"
        ).at_rows(np.flatnonzero(~held))


def _held(column: pa.Array, dtype: type[np.generic]) -> np.ndarray:
    """Which values come back from a floating-point type as they were; NULL and NaN do."""
    if pa.types.is_boolean(column.type):
        return np.ones(len(column), np.bool_)
    given = column.fill_null(0).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        there = given.astype(dtype)
    if given.dtype.kind == "f":
        back = there.astype(given.dtype) == given
        return np.asarray(back | np.isnan(given))
    limit = 2.0 ** (given.dtype.itemsize * 8)  # past it a cast back means nothing
    wide = there.astype(np.float64)
    inside = np.abs(wide) < (limit if given.dtype.kind == "u" else limit / 2)
    # the least integer is minus the limit itself, a power of two that every type but half holds
    inside |= (wide == -limit / 2) & (given == np.iinfo(given.dtype).min)
    return np.asarray(inside & (np.where(inside, wide, 0).astype(given.dtype) == given))


def _whole_part(column: pa.Array, feature: Feature) -> pa.Array:
    """The whole parts, as near as the feature's type has them; NaN becomes NULL."""
    if pa.types.is_boolean(column.type):
        return column
    if not pa.types.is_integer(column.type):
        column = column if pa.types.is_floating(column.type) else _double(column)
        column = pc.trunc(pc.if_else(pc.is_nan(column), None, column))
    kind, least, most = _whole_numbers(feature)
    numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
    nearest = np.where(numbers > least, np.array(most, kind), np.array(least, kind))
    inside = (numbers > least) & (numbers < most)
    nearest[inside] = numbers[inside].astype(kind)
    return pa.array(nearest, mask=column.is_null().to_numpy(zero_copy_only=False))


def _whole_numbers(feature: Feature) -> tuple[np.dtype[Any], int, int]:
    """The type for a feature's whole numbers, the least of them and the largest."""
    if pa.types.is_boolean(feature.type):
        return np.dtype(np.uint8), 0, 1
    kind = np.dtype(NUMPY_TYPES[feature.type])
    limits = np.iinfo(kind)
    return kind, int(limits.min), int(limits.max)


def _exact(column: pa.Array, feature: Feature) -> pa.Array:
    """The column in the feature's own integer or boolean type, or SignatureError."""
    as_given, given = column, column.type
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
        raise _inexact(as_given, feature) from error
    raise _inexact(as_given, feature)


def _inexact(column: pa.Array, feature: Feature) -> SignatureError:
    wrong = pc.not_equal(_double(_whole_part(column, feature)), _double(column))
    return SignatureError(
        f"the feature {feature.name!r} takes {feature.type}, and its column ({column.type}) has a "
        "value that is none: out of range, or not whole. Convert the column in the source, or take "
        "the whole parts (types= lossy)"
    ).at_rows(np.flatnonzero(wrong.fill_null(False)))
