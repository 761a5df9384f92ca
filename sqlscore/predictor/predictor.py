"""A batch of features becomes a batch of predictions, and what was met on the way is counted.

columns, of their types -> NULLs told apart or filled -> tensors, in slices -> columns
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.errors import SignatureError
from sqlscore.predictor.columns import typed, values
from sqlscore.predictor.counts import Counts, Tally
from sqlscore.predictor.held import grouped
from sqlscore.predictor.nonfinite import tally_features, tally_predictions
from sqlscore.predictor.nulls import NullPolicy, NullRule, filled, null_policies
from sqlscore.predictor.scalars import changed
from sqlscore.predictor.slices import Slices
from sqlscore.predictor.tensors import to_columns
from sqlscore.predictor.type_rules import TypeRule, type_rules
from sqlscore.predictor.unexpected import tally_unexpected
from sqlscore.signature import InputKind
from sqlscore.types import array_of, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.session.fixed import Fixed
    from sqlscore.signature import Feature, Input, Signature


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
        self.policies = null_policies(signature, nulls or {})
        self.rules = type_rules(signature, types or {})
        self.inputs = {one.name: one for one in signature.inputs}
        self._slices = Slices(
            model, signature, provider=provider, options=options, threads=threads,
            rowwise=rowwise, constants=constants or {},
        )  # fmt: skip
        self._empty = _empty(signature)
        self._numbers = all(
            pa.types.is_floating(feature.type)
            and self.rules[feature.name] is not TypeRule.EXACT
            and self.inputs[feature.input].kind is not InputKind.TENSOR
            and not (feature.categories or feature.range)
            for feature in signature.features
        )

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
        if self._numbers and batch.num_rows and all(map(_is_plain, batch.columns)):
            return self._plainly(self._named(batch))
        columns = self._typed(batch)
        tallies = self._tallied(batch, columns)
        counts = Counts(rows=batch.num_rows, features=tallies)
        lost = self._lost(columns) if tallies else None
        if lost is None:
            predictions, found = self._scored(columns)
            return Predicted(batch=predictions, counts=counts + found)
        kept = numbers(~lost)
        try:
            predictions, found = self._scored([column.filter(kept) for column in columns])
        except SignatureError as error:
            error.at_rows(np.flatnonzero(~lost)[list(error.rows)])
            raise
        gone = Tally(nulls=int(lost.sum()))
        counts += Counts(predictions=dict.fromkeys(predictions.schema.names, gone))
        return Predicted(batch=_scattered(predictions, lost), counts=counts + found)

    @property
    def device(self) -> bool:
        """Whether it runs on a device, which larger batches keep busy."""
        return self._slices.device

    def outputs(self, feeds: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
        """The outputs of some rows' tensors, as arrays with the rows first."""
        return self._slices.outputs(feeds, rows)

    def fixed(self, feeds: dict[str, np.ndarray], output: str) -> Fixed | None:
        """A run of one row whose tensors, like these, stay where they are; see `Session.fixed`."""
        return self._slices.fixed(feeds, output)

    def _plainly(self, batch: pa.RecordBatch) -> Predicted:
        """What a batch of floating-point numbers without a NULL needs, and no more."""
        columns = batch.columns
        arrays = [array_of(column) for column in columns]
        outputs, suspects = self._slices.run(arrays, batch.num_rows)
        predictions = to_columns(outputs, self.signature)
        counts = Counts(
            rows=batch.num_rows,
            features=tally_features(self.signature, columns, suspects) if suspects else {},
            predictions=tally_predictions(self.signature, outputs, predictions),
        )
        return Predicted(batch=predictions, counts=counts)

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch; SignatureError where its columns are others."""
        if batch.schema.names != self.feature_names:
            raise SignatureError(
                f"the model takes the columns {', '.join(map(repr, self.feature_names))} in order, "
                f"and the batch has {', '.join(map(repr, batch.schema.names))}"
            )
        return batch

    def _typed(self, batch: pa.RecordBatch) -> list[pa.Array]:
        self._named(batch)
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
                    "policy is 'error'. Exclude these rows, or choose another policy"
                ).at_rows(np.flatnonzero(array_of(column.is_null())))
            if column.null_count and rule is NullRule.NULL:
                null = array_of(column.is_null())
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
        predictions = together.take(numbers(places)).combine_chunks().to_batches()[0]
        return predictions, sum((counts for _, counts in parts), Counts())

    def _scored_alike(
        self, fed: Sequence[tuple[pa.Array, Feature, Input]]
    ) -> tuple[pa.RecordBatch, Counts]:
        """The predictions of rows whose tensors have the same shapes."""
        columns = [column for column, _, _ in fed]
        rows = len(columns[0])
        arrays = [values(filled(c, self.policies[f.name]), f, one) for c, f, one in fed]
        outputs, suspects = self._slices.run(arrays, rows)
        predictions = to_columns(outputs, self.signature)
        return predictions, Counts(
            features=tally_features(self.signature, columns, suspects),
            predictions=tally_predictions(self.signature, outputs, predictions),
        ) + Counts(features=tally_unexpected(self.signature, columns))


def _is_plain(column: pa.Array) -> bool:
    return pa.types.is_floating(column.type) and not column.null_count


def _scattered(predictions: pa.RecordBatch, lost: np.ndarray) -> pa.RecordBatch:
    """The predictions at their rows' places, NULL at the lost ones."""
    places = numbers(np.cumsum(~lost) - 1, nulls=lost)
    return pa.RecordBatch.from_arrays(
        [column.take(places) for column in predictions.columns], schema=predictions.schema
    )


def _empty(signature: Signature) -> pa.RecordBatch:
    schema = pa.schema([(p.name, p.type) for p in signature.predictions])
    return pa.RecordBatch.from_arrays(
        [pa.nulls(0, p.type) for p in signature.predictions], schema=schema
    )
