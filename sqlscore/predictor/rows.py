"""Several rows of Python values in, one prediction of each out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predictor.predictor import Predictor
    from sqlscore.predictor.row import RowPredictor
    from sqlscore.signature import Feature


def predicted_rows(
    predictor: Predictor, row: RowPredictor, rows: Sequence[Sequence[Any]], place: int
) -> list[Any]:
    """The prediction at that place for rows of one value a feature; None is NULL.

    They run as one batch, or where they make none one by one, which says what does not fit: then it
    raises what `row` raises.
    """
    features = predictor.signature.features
    try:
        arrays = _numbers(features, rows) or [
            pa.array(values, _type(feature))
            for values, feature in zip(zip(*rows, strict=True), features, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=predictor.feature_names)
        found: list[Any] = predictor(batch).batch.column(place).to_pylist()
    except (pa.ArrowException, SignatureError, TypeError, ValueError):
        return [row.one(values, place) for values in rows]
    return found


def _numbers(features: Sequence[Feature], rows: Sequence[Sequence[Any]]) -> list[pa.Array]:
    """The columns of rows that hold nothing but numbers, for features that take them; else none.

    A row packed at once takes a third of the time that Arrow takes for its values.
    """
    if not all(pa.types.is_floating(feature.type) for feature in features):
        return []
    pack = struct.Struct(f"{len(features)}d").pack
    try:
        packed = b"".join([pack(*values) for values in rows])
    except (struct.error, OverflowError):  # NULL, text, an integer past the largest double
        return []
    block = np.frombuffer(packed).reshape(len(rows), len(features))
    return [pa.array(column) for column in np.ascontiguousarray(block.T)]


def _type(feature: Feature) -> pa.DataType | None:
    """What Arrow makes the values; None: what they are, for an integer may come as a float."""
    if pa.types.is_floating(feature.type):
        return pa.float64()
    return feature.type if pa.types.is_string(feature.type) else None
