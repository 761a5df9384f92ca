"""A source's column as a feature takes it: of a fitting type, with its NULLs still in it.

Numbers go column -> double -> float32, ties to even.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.predictor.held import held
from sqlscore.predictor.lists import as_lists
from sqlscore.predictor.scalars import as_number, as_text
from sqlscore.predictor.type_rules import TypeRule
from sqlscore.signature import InputKind
from sqlscore.types import array_of

if TYPE_CHECKING:
    import pyarrow as pa

    from sqlscore.signature import Feature, Input


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
        texts = np.array(encoded.dictionary.to_pylist(), object)
        repeated: np.ndarray = texts[array_of(encoded.indices)]
        return repeated
    return array_of(column)
