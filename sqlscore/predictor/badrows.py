"""The rows that a model cannot score, found one by one where a whole batch has failed.

Columns are looked at first, each by itself, which names the feature; then the model runs on ever
smaller parts of the rest. It costs nothing where no batch fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.errors import ModelError, ProviderError, SignatureError
from sqlscore.predictor.columns import typed
from sqlscore.predictor.held import fitted
from sqlscore.predictor.nulls import NullRule
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.predictor.predictor import Predictor
    from sqlscore.signature import Feature, Input

_NOT_FINITE = "it is NaN or infinite, and predictions are to be finite"
_LONGEST = 500  #: characters of a reason


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """One row that cannot be scored."""

    row: int  #: its place in the batch
    name: str | None  #: the feature or prediction that it is about; None: the model as a whole
    reason: str  #: without contents of the row


def refused_nulls(predictor: Predictor, batch: pa.RecordBatch) -> list[BadRow]:
    """Those of `bad_rows` that are NULL where NULL is an error: seen without running anything."""
    found: dict[int, BadRow] = {}
    for feature, column in zip(predictor.signature.features, batch.columns, strict=True):
        for row, reason in _of_nulls(predictor, feature, column):
            found.setdefault(row, BadRow(row=row, name=feature.name, reason=reason))
    return [found[row] for row in sorted(found)]


def bad_rows(predictor: Predictor, batch: pa.RecordBatch, *, finite: bool = False) -> list[BadRow]:
    """The rows of a batch that the predictor refuses, in their order, each with one reason.

    With `finite`, also those with a prediction that is NaN or infinite.

    None is found where the batch fails only as a whole. Raises SignatureError for a column that
    could feed its feature in no row, and ProviderError where the provider is at fault.
    """
    found: dict[int, BadRow] = {}
    inputs = {one.name: one for one in predictor.signature.inputs}
    for feature, column in zip(predictor.signature.features, batch.columns, strict=True):
        for row, reason in _of_column(predictor, feature, inputs[feature.input], column):
            found.setdefault(row, BadRow(row=row, name=feature.name, reason=reason))

    def run(rows: pa.Array) -> None:
        predictor(batch.take(rows))

    left = np.setdiff1d(np.arange(batch.num_rows), list(found))
    for row, reason in _failing(left, run):
        found[row] = BadRow(row=row, name=None, reason=reason)
    if finite:
        left = np.setdiff1d(left, list(found))
        predicted = predictor(batch.take(pa.array(left))).batch
        for name, places in _not_finite(predicted).items():
            for row in left[places].tolist():
                found.setdefault(row, BadRow(row=row, name=name, reason=_NOT_FINITE))
    return [found[row] for row in sorted(found)]


def refuse_not_finite(predictions: pa.RecordBatch) -> None:
    """Raise ModelError where a prediction is NaN or infinite; NULL is neither."""
    for name, places in _not_finite(predictions).items():
        message = f"the prediction {name!r} of {len(places)} rows: {_NOT_FINITE}"
        raise ModelError(message).at_rows(places)


def _not_finite(predictions: pa.RecordBatch) -> dict[str, np.ndarray]:
    """Prediction -> the rows where it is NaN or infinite, or holds such a value."""
    found = {}
    for name, column in zip(predictions.schema.names, predictions.columns, strict=True):
        flat, parents = column, None
        if isinstance(column.type, pa.ListType):
            flat, parents = column.flatten(), pc.list_parent_indices(column)
        if not pa.types.is_floating(flat.type):
            continue
        places = np.flatnonzero(pc.invert(pc.is_finite(flat)).fill_null(False))
        if len(places):
            rows = places if parents is None else parents.to_numpy()[places]
            found[name] = np.unique(rows)
    return found


def _of_column(
    predictor: Predictor, feature: Feature, one: Input, column: pa.Array
) -> Iterator[tuple[int, str]]:
    """The rows whose value cannot feed the feature, with the reason."""
    yield from _of_nulls(predictor, feature, column)

    def feed(rows: pa.Array) -> None:
        taken = typed(column.take(rows), feature, one, predictor.rules[feature.name])
        if one.kind is InputKind.TENSOR and len(taken):
            fitted(taken, feature, one)

    feed(pa.array([], pa.int64()))  # what fails without a row fails for none of them
    given = column.is_valid().to_numpy(zero_copy_only=False)
    yield from _failing(np.flatnonzero(given), feed)


def _of_nulls(
    predictor: Predictor, feature: Feature, column: pa.Array
) -> Iterator[tuple[int, str]]:
    if predictor.policies[feature.name].rule is not NullRule.ERROR or not column.null_count:
        return
    for row in column.is_null().to_numpy(zero_copy_only=False).nonzero()[0]:
        yield int(row), "it is NULL, and its NULL policy is 'error'"


def _failing(rows: np.ndarray, act: Callable[[pa.Array], None]) -> Iterator[tuple[int, str]]:
    """The rows on which `act` fails alone: by halves, so few bad rows need few calls."""
    parts = [rows]
    while parts:
        part = parts.pop()
        if not len(part):
            continue
        try:
            act(pa.array(part))
        except ProviderError:
            raise
        except (SignatureError, ModelError) as error:
            if len(part) == 1:
                yield int(part[0]), _reason(error)
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]


def _reason(error: SignatureError | ModelError) -> str:
    """What an error says, without the numbers and texts that onnxruntime may quote of the row."""
    text = str(error)
    if isinstance(error, ModelError):
        text = re.sub(r"(?<![\w.])-?\d+(\.\d+)?(e[-+]?\d+)?\b|'[^']*'|\"[^\"]*\"", "…", text)
    return text[:_LONGEST]
