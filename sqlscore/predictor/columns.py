"""A source's column as a feature takes it: of a fitting type, with its NULLs still in it.

Numbers go column -> double -> float32, ties to even.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.predictor.held import held
from sqlscore.predictor.lists import as_lists
from sqlscore.predictor.scalars import as_number, as_text
from sqlscore.predictor.type_rules import TypeRule
from sqlscore.signature import InputKind
from sqlscore.types import SMALL_FLOATS

if TYPE_CHECKING:
    import pyarrow as pa

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


def typed(
    column: pa.Array, feature: Feature, one: Input, rule: TypeRule = TypeRule.SAFE
) -> pa.Array:
    """The column in a type that feeds the feature without another check; NULLs stay NULL.

    For a floating-point feature: floating point as it is, every other number as double. For an
    integer or boolean feature: exactly its type; NaN, which it has not, becomes NULL. Text stays
    text, and a column that holds tensors becomes lists of such values. Raises SignatureError
    otherwise, and for what the policy of types does not let through.
    """
    if one.kind is InputKind.TENSOR:
        return as_lists(column, feature, DTYPES[one.element])
    return as_text(column, feature) if one.element == "string" else as_number(column, feature, rule)


def values(column: pa.Array, feature: Feature, one: Input) -> np.ndarray:
    """The values of a column that `typed` made and that has no NULL left, as an array.

    Those of tensors have one shape: `grouped` finds the rows of each.
    """
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
