"""What a run reads of each row, and how a batch of that becomes a batch that is written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sqlscore.errors import ModelError, SignatureError, SqlscoreError
from sqlscore.jobs import quarantine
from sqlscore.jobs.loaded import Loaded
from sqlscore.predictor import Counts
from sqlscore.predictor.badrows import bad_rows, refuse_not_finite, refused_nulls
from sqlscore.products import product_for
from sqlscore.relations import source as sources
from sqlscore.relations.source import Projection
from sqlscore.relations.storable import storable
from sqlscore.transports.constants import constant
from sqlscore.types import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.quarantine import Quarantined
    from sqlscore.predictor import Predictor
    from sqlscore.predictor.badrows import BadRow
    from sqlscore.products.product import Product


_SHOWN = 5  #: keys in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The columns that a run reads, each once, and their places in the batch."""

    projection: Projection
    kept: tuple[int, ...]  #: places of the key and the passed columns
    features: tuple[tuple[int, ...], ...]  #: for each model the places of its features
    width: int  #: about how many values a row has

    @staticmethod
    def of(prepared: Prepared) -> Layout:
        """Lay out the projection; a column that is read twice in one type is read once."""
        carried = prepared.source.product.carried
        kept = [(column, carried(column)) for column in (*prepared.key, *prepared.passed)]
        fed = [[(b.column, b.read) for b in model.binding.features] for model in prepared.models]
        projection, places = Projection.once([*kept, *(part for parts in fed for part in parts)])
        left = iter(places)
        tensors = {b.column.name: b.width - 1 for m in prepared.models for b in m.binding.features}
        return Layout(
            projection=projection,
            kept=tuple(itertools.islice(left, len(kept))),
            features=tuple(tuple(itertools.islice(left, len(parts))) for parts in fed),
            width=len(projection.columns) + sum(tensors.values()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """A batch as it is written, what was counted, and the rows that are left out of it."""

    batch: pa.RecordBatch
    counts: Counts
    bad: Sequence[Quarantined] = ()


class Scorer:
    """Turns a batch as it was read into a batch as it is written, and counts what it met.

    Safe to call from several threads.
    """

    def __init__(
        self,
        prepared: Prepared,
        product: Product,
        stamp: Sequence[pa.Scalar] = (),
        loaded: Loaded | None = None,
    ) -> None:
        """`stamp` are the values of the lineage columns, which are left out without it.

        `loaded` has the models that the run has loaded by now.
        """
        self._layout = Layout.of(prepared)
        self._product = product
        self._key = list(zip((c.name for c in prepared.key), self._layout.kept, strict=False))
        self._stamp = tuple(stamp)
        self._job = prepared.job
        self._versions = [str(model.version) for model in prepared.models]
        self._prefixes = [model.prefix for model in prepared.models]
        self._names = [column.name for column in prepared.wanted.columns]
        loaded = loaded or Loaded()
        self._predictors = [loaded.predictor(model, prepared.job) for model in prepared.models]

    @property
    def projection(self) -> Projection:
        """What must be read of the source."""
        return self._layout.projection

    @property
    def width(self) -> int:
        """About how many values of a row are read."""
        return self._layout.width

    @property
    def device(self) -> bool:
        """Whether one of the models runs on a device, which larger batches keep busy."""
        return any(predictor.device for predictor in self._predictors)

    def __call__(self, batch: pa.RecordBatch) -> Scored:
        """The key, the passed columns, the predictions and their lineage, and the counts.

        Rows that cannot be scored are left out where the job says so; else the first is an error.
        """
        # as a rule NULL is all that is wrong, and it is seen without running a model in vain
        bad = self._bad(batch, refused_nulls) if self._job.quarantine else {}
        try:
            return self._without(batch, bad)
        except (SignatureError, ModelError):
            if not self._job.quarantine:
                raise
            bad = self._bad(batch, partial(bad_rows, finite=self._job.finite))
            if not bad:
                raise
        return self._without(batch, bad)

    def _without(self, batch: pa.RecordBatch, bad: dict[int, tuple[str, BadRow]]) -> Scored:
        """A batch, scored, without the bad ones of its rows."""
        if not bad:
            return self._scored(batch)
        good = np.ones(batch.num_rows, np.bool_)
        good[list(bad)] = False
        scored = self._scored(batch.filter(numbers(good)))
        return Scored(
            batch=scored.batch, counts=scored.counts + Counts(bad=len(bad)),
            bad=quarantine.of_batch(bad, {name: batch.column(i) for name, i in self._key}),
        )  # fmt: skip

    def _scored(self, batch: pa.RecordBatch) -> Scored:
        columns = [batch.column(i) for i in self._layout.kept]
        counts = Counts(rows=batch.num_rows)
        for prefix, (predictor, features) in zip(self._prefixes, self._fed(batch), strict=True):
            try:
                predicted = predictor(features)
                if self._job.finite:
                    refuse_not_finite(predicted.batch)
            except (SignatureError, ModelError) as error:
                raise self._with_keys(error, batch) from error
            columns += storable(predicted.batch, self._product).columns
            counts += predicted.counts.tallies_of(prefix)
        columns += [constant(value, batch.num_rows) for value in self._stamp]
        written = pa.RecordBatch.from_arrays(columns, names=self._names[: len(columns)])
        return Scored(batch=written, counts=counts)

    def _fed(self, batch: pa.RecordBatch) -> Iterator[tuple[Predictor, pa.RecordBatch]]:
        """Each model's predictor, and the columns that it takes."""
        for predictor, places in zip(self._predictors, self._layout.features, strict=True):
            columns = [batch.column(i) for i in places]
            names = predictor.feature_names
            yield predictor, pa.RecordBatch.from_arrays(columns, names=names)

    def _bad(
        self,
        batch: pa.RecordBatch,
        look: Callable[[Predictor, pa.RecordBatch], list[BadRow]],
    ) -> dict[int, tuple[str, BadRow]]:
        """The rows that one of the models cannot score: the version, and why."""
        found: dict[int, tuple[str, BadRow]] = {}
        for version, (predictor, features) in zip(self._versions, self._fed(batch), strict=True):
            for bad in look(predictor, features):
                found.setdefault(bad.row, (version, bad))
        return found

    def _with_keys(self, error: SqlscoreError, batch: pa.RecordBatch) -> SqlscoreError:
        """The error with the keys of the first rows that are wrong, where some are right."""
        keys = [
            ", ".join(f"{name} {batch.column(i)[row]}" for name, i in self._key)
            for row in error.rows[:_SHOWN]
        ]
        if not keys:
            return error
        more = len(error.rows) - len(keys)
        told = type(error)(f"{error} (at {'; '.join(keys)}{f'; {more} more' if more else ''})")
        return told.at_rows(error.rows)


def preview(prepared: Prepared, limit: int) -> pa.Table:
    """The first rows' key, passed columns and predictions, scored and written nowhere."""
    scorer = Scorer(prepared, product_for(prepared.source.engine))
    projection = scorer.projection
    schema = projection.schema
    nothing = [pa.nulls(0, type_) for type_ in schema.types]
    empty = pa.RecordBatch.from_arrays(nothing, schema=schema)
    batches = sources.read(
        prepared.source, projection, batch_rows=8192, limit=limit, where=prepared.where
    )
    return pa.Table.from_batches([scorer(batch).batch for batch in (empty, *batches)])
