"""Counting NaN and ±inf, which costs one look at each tensor while there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.predictor.counts import Tally
from sqlscore.types import NUMPY_TYPES, array_of, is_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlscore.signature import Signature


def unusual(tensor: np.ndarray) -> bool:
    """Whether a tensor holds NaN or ±inf."""
    return tensor.dtype.kind == "f" and not np.isfinite(tensor).all()


def tally_features(
    signature: Signature, columns: Sequence[pa.Array], inputs: Iterable[str]
) -> dict[str, Tally]:
    """NaN, ±inf and overflows of the features of `inputs`, from their columns as they came.

    A NULL that was filled with NaN is no NaN of the column's: it is counted as NULL elsewhere.
    """
    looked_at = set(inputs)
    tallies = {}
    for feature, column in zip(signature.features, columns, strict=True):
        while is_list(column.type):
            column = column.flatten()
        if feature.input in looked_at and pa.types.is_floating(column.type):
            tally = _tally_column(array_of(column.drop_null()), NUMPY_TYPES[feature.type])
            if tally:
                tallies[feature.name] = tally
    return tallies


def _tally_column(values: np.ndarray, dtype: type[np.generic]) -> Tally:
    nans, infinities = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    with np.errstate(over="ignore"):
        infinite_after = int(np.isinf(values.astype(dtype, copy=False)).sum())
    return Tally(nans=nans, infinities=infinities, overflows=infinite_after - infinities)


def tally_predictions(
    signature: Signature, outputs: Mapping[str, np.ndarray], batch: pa.RecordBatch
) -> dict[str, Tally]:
    """NaN and ±inf of each prediction; those of a list column are counted value by value."""
    looked_at = {name for name, array in outputs.items() if unusual(array)}
    tallies = {}
    for one in signature.predictions:
        if one.output in looked_at:
            column = batch.column(one.name)
            if isinstance(one.type, pa.ListType):
                column = column.flatten()
            nans, infinities = pc.sum(pc.is_nan(column)), pc.sum(pc.is_inf(column))
            tally = Tally(nans=nans.as_py() or 0, infinities=infinities.as_py() or 0)
            if tally:
                tallies[one.name] = tally
    return tallies
