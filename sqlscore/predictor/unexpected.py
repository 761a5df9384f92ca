"""Counting values that a model has not seen in training, where it says what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.predictor.counts import Tally
from sqlscore.types import is_text, numbers, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlscore.signature import Category, Feature, Signature, Span


def tally_unexpected(signature: Signature, columns: Sequence[pa.Array]) -> dict[str, Tally]:
    """Categories that the graph does not know, and values out of the range of its metadata.

    From columns as they came, of which NULL and NaN are neither. A name is there only where
    something was counted.
    """
    return {
        feature.name: tally
        for feature, column in zip(signature.features, columns, strict=True)
        if feature.categories or feature.range
        if (tally := _tally(feature, column))
    }


def _tally(feature: Feature, column: pa.Array) -> Tally:
    unknown = 0 if feature.categories is None else _unknown(column, feature, feature.categories)
    outside = 0 if feature.range is None else _outside(column, feature.range)
    return Tally(unknown=unknown, outside=outside)


def _unknown(column: pa.Array, feature: Feature, categories: Iterable[Category]) -> int:
    column = column.cast(feature.type, safe=False).drop_null()
    if pa.types.is_floating(column.type):
        column = column.filter(pc.invert(pc.is_nan(column)))
        if all(isinstance(category, int) for category in categories):
            column = pc.trunc(column)  # it becomes a whole number on its way to its encoder
    known = _array(list(categories)).cast(column.type, safe=False)
    return len(column) - (pc.sum(pc.is_in(column, value_set=known)).as_py() or 0)


def _array(categories: list[Category]) -> pa.Array:
    of_text = [category for category in categories if isinstance(category, str)]
    return strings(of_text) if of_text else numbers(np.array(categories))


def _outside(column: pa.Array, range_: Span) -> int:
    if is_text(column.type) or pa.types.is_boolean(column.type):
        return 0
    low, high = range_
    below = 0 if low is None else pc.sum(pc.less(column, low)).as_py() or 0
    above = 0 if high is None else pc.sum(pc.greater(column, high)).as_py() or 0
    return int(below + above)
