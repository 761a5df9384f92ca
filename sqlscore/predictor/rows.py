"""Several rows of Python values in, one prediction of each out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    try:
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(values, _type(feature))
            for values, feature in zip(columns, predictor.signature.features, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=predictor.feature_names)
        found: list[Any] = predictor(batch).batch.column(place).to_pylist()
    except (pa.ArrowException, SignatureError, TypeError, ValueError):
        return [row.one(values, place) for values in rows]
    return found


def _type(feature: Feature) -> pa.DataType | None:
    """What Arrow makes the values; None: what they are, for an integer may come as a float."""
    if pa.types.is_floating(feature.type):
        return pa.float64()
    return feature.type if pa.types.is_string(feature.type) else None
