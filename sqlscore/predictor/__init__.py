"""Batches of features in, batches of predictions out: tensors, session and columns together.

A row's predictions are the same bits whatever batch it comes in: rows run in slices, and a slice
that is too short for that is padded (see `kernels.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.errors import ModelError, ProviderError, SignatureError, nearest
from sqlscore.predictor.columns import DTYPES, typed, values
from sqlscore.predictor.constants import constants_of
from sqlscore.predictor.counts import Counts, Tally
from sqlscore.predictor.device import Room
from sqlscore.predictor.held import grouped
from sqlscore.predictor.kernels import is_steady, rows_at_once, rows_to_run
from sqlscore.predictor.nonfinite import tally_features, tally_predictions, unusual
from sqlscore.predictor.nulls import NullPolicy, NullRule, filled
from sqlscore.predictor.scalars import changed
from sqlscore.predictor.tensors import matrix, sliced, to_columns
from sqlscore.predictor.type_rules import TypeRule, type_rules
from sqlscore.predictor.unexpected import tally_unexpected
from sqlscore.session import DeviceFull, Session
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.session import Fed
    from sqlscore.signature import Feature, Input, Signature

__all__ = ["Counts", "NullPolicy", "Predicted", "Predictor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """The predictions of one batch, a row for each of its rows, and what was counted."""

    batch: pa.RecordBatch
    counts: Counts


class Predictor:
    """A loaded model with its signature; may be called by several threads at once."""

    def __init__(
        self,
        model: bytes,
        signature: Signature,
        *,
        provider: str = "cpu",
        options: Mapping[str, str] | None = None,
        threads: int = 1,
        rowwise: bool = False,
        nulls: Mapping[str, NullPolicy] | None = None,
        constants: Mapping[str, Any] | None = None,
        types: Mapping[str, TypeRule] | None = None,
    ) -> None:
        """Load a graph's bytes, original or rewritten; `signature` is that of either.

        `rowwise` runs every row by itself, for a model whose batch cannot be freed. `nulls` gives
        a feature's policy (`auto` where it has none), `types` likewise (`safe`). `constants` gives
        the inputs that have no batch dimension. Raises SignatureError for unknown or unfit policies
        and constants, and ModelError and ProviderError as `Session` does.
        """
        self.signature = signature
        self.policies = _policies(signature, nulls or {})
        self.rules = type_rules(signature, types or {})
        self._constants = constants_of(signature, constants or {})
        self._session = Session(model, provider=provider, options=options, threads=threads)
        #: where it runs on a device, in batches
        self._room = Room(self._session.memory) if self.device and not rowwise else None
        self.inputs = {one.name: one for one in signature.inputs}
        self._outputs = {one.name: one for one in signature.outputs}
        self._wanted = list(dict.fromkeys(p.output for p in signature.predictions))
        self._unused = [one for one in self._session.inputs if one.name not in self.inputs]
        self._rowwise = rowwise
        self._steady = is_steady(model)
        self._empty = _empty(signature)

    @property
    def feature_names(self) -> list[str]:
        """The names of the columns that a batch must have, in their order."""
        return [feature.name for feature in self.signature.features]

    def __call__(self, batch: pa.RecordBatch) -> Predicted:
        """Score a batch that has one column a feature, in the signature's order and names.

        The answer has one column a prediction and as many rows. A row with a NULL that makes its
        predictions NULL keeps its place. Raises SignatureError for columns that do not fit, and
        for a NULL where the policy is `error`; ModelError where the model fails.
        """
        columns = self._typed(batch)
        tallies = self._tallied(batch, columns)
        counts = Counts(rows=batch.num_rows, features=tallies)
        lost = self._lost(columns) if tallies else None
        if lost is None:
            predictions, found = self._scored(columns)
            return Predicted(batch=predictions, counts=counts + found)
        kept = pa.array(~lost)
        try:
            predictions, found = self._scored([column.filter(kept) for column in columns])
        except SignatureError as error:
            error.rows = tuple(np.flatnonzero(~lost)[list(error.rows)].tolist())
            raise
        gone = Tally(nulls=int(lost.sum()))
        counts += Counts(predictions=dict.fromkeys(predictions.schema.names, gone))
        return Predicted(batch=_scattered(predictions, lost), counts=counts + found)

    @property
    def device(self) -> bool:
        """Whether it runs on a device, which larger batches keep busy."""
        return self._session.device

    def _typed(self, batch: pa.RecordBatch) -> list[pa.Array]:
        if batch.schema.names != self.feature_names:
            raise SignatureError(
                f"the model takes the columns {', '.join(map(repr, self.feature_names))} in order, "
                f"and the batch has {', '.join(map(repr, batch.schema.names))}"
            )
        return [
            typed(column, feature, self.inputs[feature.input], self.rules[feature.name])
            for feature, column in zip(self.signature.features, batch.columns, strict=True)
        ]

    def _tallied(self, batch: pa.RecordBatch, columns: Sequence[pa.Array]) -> dict[str, Tally]:
        """What is counted in all rows: NULLs, and values that became whole numbers."""
        tallies = {}
        for feature, given, column in zip(
            self.signature.features, batch.columns, columns, strict=True
        ):
            lossy = self.rules[feature.name] is TypeRule.LOSSY
            truncated = changed(given, column) if lossy else 0
            if column.null_count or truncated:
                tallies[feature.name] = Tally(nulls=column.null_count, truncated=truncated)
        return tallies

    def _lost(self, columns: Sequence[pa.Array]) -> np.ndarray | None:
        """The rows whose predictions are NULL; None where there is none."""
        lost = None
        for feature, column in zip(self.signature.features, columns, strict=True):
            rule = self.policies[feature.name].rule
            if column.null_count and rule is NullRule.ERROR:
                raise SignatureError(
                    f"the feature {feature.name!r} has {column.null_count} NULLs, and its NULL "
                    "policy is 'error'. Exclude these rows, or choose another policy."
                )
            if column.null_count and rule is NullRule.NULL:
                null = column.is_null().to_numpy(zero_copy_only=False)
                lost = null if lost is None else lost | null
        return lost

    def _scored(self, columns: Sequence[pa.Array]) -> tuple[pa.RecordBatch, Counts]:
        """The predictions of rows whose NULLs, if any, are to be filled."""
        if not len(columns[0]):
            return self._empty, Counts()
        fed = [
            (column, feature, self.inputs[feature.input])
            for feature, column in zip(self.signature.features, columns, strict=True)
        ]
        groups = grouped([part for part in fed if part[2].kind is InputKind.TENSOR])
        if groups is None:
            return self._scored_alike(fed)
        parts = [self._scored_alike([(c.take(g), f, one) for c, f, one in fed]) for g in groups]
        together = pa.Table.from_batches([batch for batch, _ in parts]).combine_chunks()
        places = np.argsort(np.concatenate(groups))
        predictions = together.take(pa.array(places)).combine_chunks().to_batches()[0]
        return predictions, sum((counts for _, counts in parts), Counts())

    def _scored_alike(
        self, fed: Sequence[tuple[pa.Array, Feature, Input]]
    ) -> tuple[pa.RecordBatch, Counts]:
        """The predictions of rows whose tensors have the same shapes."""
        columns = [column for column, _, _ in fed]
        rows = len(columns[0])
        arrays = [values(filled(c, self.policies[f.name]), f, one) for c, f, one in fed]
        outputs, suspects = self._run(arrays, rows)
        predictions = to_columns(outputs, self.signature)
        return predictions, Counts(
            features=tally_features(self.signature, columns, suspects),
            predictions=tally_predictions(self.signature, outputs, predictions),
        ) + Counts(features=tally_unexpected(self.signature, columns))

    def _run(self, arrays: Sequence[np.ndarray], rows: int) -> tuple[dict[str, Any], set[str]]:
        """The outputs of all rows, and the inputs that were not finite somewhere."""
        step = self._rows_at_once(arrays)
        whole: dict[str, np.ndarray] = {}
        suspects: set[str] = set()
        start = 0
        while start < rows:
            stop = min(start + step, rows)
            with np.errstate(over="ignore", invalid="ignore"):
                feeds = sliced(arrays, self.signature, start, stop)
            suspects.update(name for name, tensor in feeds.items() if unusual(tensor))
            try:
                found = self.outputs(feeds, stop - start, alone=step == 1)
            except DeviceFull as error:
                step = self._fewer(stop - start, error)
                continue
            for name, value in found.items():
                if stop - start == rows:
                    whole[name] = value
                else:
                    _put(whole, name, value, start, rows)
            start = stop
        return whole, suspects

    def _fewer(self, rows: int, error: DeviceFull) -> int:
        """How many rows to try where so many were too many; a single row is the last."""
        if rows == 1 or self._room is None:
            raise ProviderError(f"{error}. A single row needs more than there is") from error
        return self._room.was_full(rows)

    def _rows_at_once(self, arrays: Sequence[np.ndarray]) -> int:
        width = sum(array.nbytes // len(array) for array in arrays if array.ndim > 1)
        if self._room is not None:
            return self._room.rows(width)
        return 1 if self._rowwise else rows_at_once(width, steady=self._steady)

    def outputs(
        self, feeds: dict[str, np.ndarray], rows: int, *, alone: bool = False
    ) -> dict[str, np.ndarray]:
        """The outputs of some rows' tensors, as arrays with the rows first; `alone` unpadded."""
        run = rows if alone or self._rowwise else rows_to_run(rows, steady=self._steady)
        if run > rows:
            feeds = {name: _padded(tensor, run - rows) for name, tensor in feeds.items()}
        feeds.update(self._constants)
        feeds.update({one.name: _zeros(one, run) for one in self._unused})
        found = self._session.run(feeds, self._wanted)
        outputs = {name: matrix(value, self._outputs[name]) for name, value in found.items()}
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != run:
                raise ModelError(
                    f"the output {name!r} has the shape {array.shape} for {run} rows, so it does "
                    f"not belong to rows. Leave it out: drop=[{name!r}]"
                )
        return outputs if run == rows else {name: a[:rows] for name, a in outputs.items()}


def _padded(tensor: np.ndarray, more: int) -> np.ndarray:
    """The rows, and the last one so many times more."""
    return np.concatenate([tensor, np.repeat(tensor[-1:], more, axis=0)])


def _put(whole: dict[str, np.ndarray], name: str, array: np.ndarray, start: int, rows: int) -> None:
    """Copy a slice's output to its place; at once, for it may share memory with the input."""
    if name not in whole:
        whole[name] = np.empty((rows, *array.shape[1:]), array.dtype)
    if array.shape[1:] != whole[name].shape[1:]:
        raise ModelError(
            f"the output {name!r} has rows of the shape {array.shape[1:]} and of the shape "
            f"{whole[name].shape[1:]}, so no column can hold it. Leave it out: drop=[{name!r}]"
        )
    whole[name][start : start + len(array)] = array


def _scattered(predictions: pa.RecordBatch, lost: np.ndarray) -> pa.RecordBatch:
    """The predictions at their rows' places, NULL at the lost ones."""
    places = pa.array(np.cumsum(~lost) - 1, mask=lost)
    return pa.RecordBatch.from_arrays(
        [column.take(places) for column in predictions.columns], schema=predictions.schema
    )


def _zeros(one: Fed, rows: int) -> np.ndarray:
    """A value for an input that nothing in the graph looks at."""
    shape = [rows if i == 0 and d is None else d or 1 for i, d in enumerate(one.shape)]
    return np.full(shape, "" if one.element == "string" else 0, DTYPES[one.element])


def _empty(signature: Signature) -> pa.RecordBatch:
    schema = pa.schema([(p.name, p.type) for p in signature.predictions])
    return pa.RecordBatch.from_pylist([], schema=schema)


def _policies(signature: Signature, given: Mapping[str, NullPolicy]) -> dict[str, NullPolicy]:
    features = {feature.name: feature for feature in signature.features}
    for name in given:
        if name not in features:
            raise SignatureError(
                f"a NULL policy is given for {name!r}, and the model has no such feature."
                f"{nearest(name, features)}"
            )
    tensors = {one.name for one in signature.inputs if one.kind is InputKind.TENSOR}
    return {
        name: given.get(name, NullPolicy.AUTO).resolved(feature, whole=feature.input in tensors)
        for name, feature in features.items()
    }
