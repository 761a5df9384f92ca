"""What a run would read and write, for a look before it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlscore.jobs.planning import cut
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.relations import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.jobs.prepared import Prepared
    from sqlscore.products.product import Product


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundColumn:
    """One feature of a model and the column that it takes."""

    model: str  #: as typed
    feature: str
    column: str
    cast: str  #: ``numeric(10,2) -> double -> float``
    nulls: str  #: the policy as it works: ``nan``, ``null``, ``error``, ``=value``; or ``not read``


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What a run would read and write."""

    source: str
    target: str
    target_exists: bool
    key: tuple[str, ...]
    features: tuple[BoundColumn, ...]
    predictions: tuple[tuple[str, str, str], ...]  #: prediction, column, the column's type
    by_position: bool  #: an unnamed block: the columns are taken in their order
    ranges: int | None  #: None: the SELECT is evaluated once, into a staging table, and then cut
    rows: int | None  #: about

    @classmethod
    def of(cls, prepared: Prepared, product: Product) -> Bound:
        """What a prepared job binds, for a target of the product; no row is read, but counted."""
        ranges = rows = None
        if prepared.source.repeatable:
            by_index = keys.in_catalogue(prepared.source, prepared.key)
            found = cut(prepared, product, prepared.where, held=by_index)
            ranges, rows = len(found.ranges), found.rows
        return cls(
            source=prepared.job.source, target=prepared.target.table.fullname,
            target_exists=prepared.exists, key=tuple(column.name for column in prepared.key),
            features=tuple(_features(prepared)), predictions=tuple(_predictions(prepared)),
            by_position=any(model.binding.by_position for model in prepared.models),
            ranges=ranges, rows=rows,
        )  # fmt: skip


def _features(prepared: Prepared) -> Iterator[BoundColumn]:
    for model in prepared.models:
        for bound in model.binding.features:
            policy = NullPolicy.of(prepared.job.nulls.get(bound.feature.name, "auto"))
            yield BoundColumn(
                model=model.spec, feature=bound.feature.name, column=bound.column.name,
                cast=bound.cast, nulls=str(policy.resolved(bound.feature)),
            )  # fmt: skip
        for bound in model.binding.idle:
            yield BoundColumn(
                model=model.spec, feature=bound.feature.name, column=bound.column.name,
                cast=bound.cast, nulls="not read",
            )  # fmt: skip


def _predictions(prepared: Prepared) -> Iterator[tuple[str, str, str]]:
    declared = {column.name: column.declared or "" for column in prepared.wanted.predictions}
    for model in prepared.models:
        for bound in model.binding.predictions:
            yield bound.prediction.name, bound.column, declared[bound.column]
