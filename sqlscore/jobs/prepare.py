"""A job made ready: its source, key, models, binding and target found, checked and fitted together.

Nothing is written here, so a dry run ends here too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.binding import Binding, bind
from sqlscore.errors import DatabaseError, SignatureError, SqlscoreError, nearest
from sqlscore.graph import signature_of
from sqlscore.jobs import slices
from sqlscore.jobs.job import Job, Mode
from sqlscore.products import product_for
from sqlscore.prove import runnable
from sqlscore.registry import Registry
from sqlscore.relations import sink
from sqlscore.relations import source as sources
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from sqlscore.products.product import Product, Target
    from sqlscore.registry.versions import Version
    from sqlscore.relations.source import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """The three databases of a run, usually one."""

    registry: sa.Engine
    source: sa.Engine
    target: sa.Engine  #: holds the run's marks, lease and staging too

    @classmethod
    def one(cls, engine: sa.Engine) -> Engines:
        """All three in one."""
        return cls(registry=engine, source=engine, target=engine)

    def placed(self, job: Job) -> Job:
        """The job with the databases of its source and models, where they are not the target's."""
        return dataclasses.replace(
            job, source_db=self._other(self.source), registry_db=self._other(self.registry)
        )

    def _other(self, engine: sa.Engine) -> str | None:
        return None if engine is self.target else engine.url.render_as_string(hide_password=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundModel:
    """One version of a model, bound to the source's columns."""

    spec: str  #: as typed
    version: Version
    binding: Binding
    graph: bytes  #: what the session runs
    rowwise: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """All that a run needs to know before the first row is read."""

    job: Job
    source: Source
    key: tuple[Column, ...]
    passed: tuple[Column, ...]
    models: tuple[BoundModel, ...]
    wanted: sink.Wanted
    target: Target
    where: sources.Condition  #: the job's own condition on the source's rows
    exists: bool  #: the target is there already


def prepare(
    job: Job,
    engines: Engines,
    *,
    versions: Sequence[str] = (),
    staged: Source | None = None,
    made: bool = False,
) -> Prepared:
    """Find, check and fit together what a job names.

    `versions` are the exact versions that a resumed run began with, in the order of the job's
    models; `staged` is the table that took the rows of a SELECT which cannot be asked twice;
    `made` says that sqlscore made the target, so that a replace may give it other columns.
    """
    product = product_for(engines.target)
    source = staged or sources.resolve(engines.source, product_for(engines.source), job.source)
    key = sources.select_key(source, job.key)
    where = None if staged else slices.condition_of(job, source)
    passed = tuple(source.column(name) for name in job.columns)
    if job.incremental is not None:
        source.column(job.incremental)
    target = sink.find(engines.target, product, job.target)
    if job.mode is Mode.UPDATE:
        _check_update(job, engines, source, target, passed)
    elif job.mode is not Mode.UPSERT and _same(engines, source, target):
        raise DatabaseError(
            f"the target {job.target!r} is the table that the rows come from, and mode {job.mode} "
            "would replace or double them. Use mode update, or another target"
        )
    models = _bound(job, engines, source, product, [*key, *passed], versions)
    _check_named(job, models)
    wanted = sink.Wanted(
        key=tuple(written(column, source.product, product, key=True) for column in key),
        passed=tuple(written(column, source.product, product) for column in passed),
        predictions=tuple(
            Column(name=p.column, type=p.type, declared=product.declare(p.type))
            for model in models
            for p in model.binding.predictions
        ),
    )
    if target is not None and not (job.mode is Mode.REPLACE and made):
        wanted = sink.spelled(wanted, target)
    return Prepared(
        job=job, source=source, key=key, passed=passed, models=models, wanted=wanted,
        target=_target(job, engines, product, target, wanted, made=made), where=where,
        exists=target is not None,
    )  # fmt: skip


def _check_update(
    job: Job, engines: Engines, source: Source, target: Target | None, passed: Sequence[Column]
) -> None:
    if source.table is None or not _same(engines, source, target):
        raise DatabaseError(
            f"mode update fills columns of the source table itself, so the target is the source: "
            f"here the source is {job.source!r} and the target {job.target!r}"
        )
    if passed or job.incremental:
        raise SqlscoreError(
            "mode update takes neither columns= (they are there already) nor incremental= "
            "(the write itself may move the watermark). Use mode upsert into another table"
        )


def _same(engines: Engines, source: Source, target: Target | None) -> bool:
    """Whether the table that a source's rows come from is the target."""
    if target is None or source.base is None or engines.source.url != engines.target.url:
        return False
    return sink.place(engines.target, source.product, source.base.table.fullname) == sink.place(
        engines.target, source.product, target.table.fullname
    )


def _bound(
    job: Job,
    engines: Engines,
    source: Source,
    product: Product,
    taken: Sequence[Column],
    versions: Sequence[str],
) -> tuple[BoundModel, ...]:
    registry = Registry(engines.registry, product_for(engines.registry))
    names = [column.name for column in taken]
    bound = []
    for spec, exact in zip(job.models, versions or job.models, strict=True):
        version = registry.get(exact)
        graph = registry.graph(version)
        signature = signature_of(
            graph, features=version.features, outputs=version.outputs, drop=version.drop
        )
        mine = {feature.name for feature in signature.features}
        binding = bind(
            signature,
            source.columns,
            key=tuple(column.name for column in taken),
            taken=names,
            map=_map_of(job, mine, single=len(job.models) == 1),
            positional=source.chosen,
            identifier_limit=product.identifier_limit,
            column_limit=product.column_limit,
            arrays=product.arrays,
            prefix="" if len(job.models) == 1 else _prefix(spec),
        )
        names += [prediction.column for prediction in binding.predictions]
        bound.append(
            BoundModel(
                spec=spec,
                version=version,
                binding=binding,
                graph=runnable(graph, version.proof),
                rowwise=version.proof.rowwise,
            )
        )
    return tuple(bound)


def _check_named(job: Job, models: Sequence[BoundModel]) -> None:
    """Every name in `map` and `nulls` is a feature of one of the models."""
    features = [f.name for model in models for f in model.binding.signature.features]
    for option, names in (("map", job.map), ("nulls", job.nulls)):
        for name in names:
            if name not in features:
                raise SignatureError(
                    f"{option}= names {name!r}, which is no feature of the model."
                    f"{nearest(name, features)} The model wants: {', '.join(map(repr, features))}"
                )


def _map_of(job: Job, features: set[str], *, single: bool) -> Mapping[str, str]:
    """The part of `map` that names a model's features; of one model, all of it, typos included."""
    return {f: c for f, c in job.map.items() if single or f in features}


def _prefix(spec: str) -> str:
    """What tells the predictions of one model from another's: ``churn_3_``."""
    return "".join(c if c.isalnum() else "_" for c in spec) + "_"


def written(column: Column, source: Product, target: Product, *, key: bool = False) -> Column:
    """A source's column as the target has it: of its own type on the same product, else a like."""
    if source is target and column.declared is not None:
        return column
    type_ = pa.string() if pa.types.is_null(column.type) else column.type
    declare = (target.declare_key if key else None) or target.declare
    return Column(name=column.name, type=type_, declared=declare(type_), nullable=not key)


def _target(
    job: Job,
    engines: Engines,
    product: Product,
    found: Target | None,
    wanted: sink.Wanted,
    *,
    made: bool,
) -> Target:
    if found is None:
        return sink.design(product, job.target, wanted)
    if job.mode is Mode.REPLACE and made:
        return sink.beside(found, found.table.name, wanted)
    needs_key = job.mode in (Mode.UPSERT, Mode.APPEND)
    return sink.check(engines.target, product, found, wanted, needs_key=needs_key)
