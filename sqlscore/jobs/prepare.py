"""A job made ready: its source, key, models, binding and target found, checked and fitted together.

Nothing is written here, so a dry run ends here too.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs import lineage, slices, target_rows
from sqlscore.jobs.bound import BoundModel, bound_models
from sqlscore.jobs.job import Job, Lineage, Mode
from sqlscore.jobs.prepared import Prepared
from sqlscore.products import product_for
from sqlscore.relations import fitting, joins, keys, sink
from sqlscore.relations import source as sources
from sqlscore.relations.fitting import Wanted
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.jobs.engines import Engines
    from sqlscore.products.product import Product, Target
    from sqlscore.relations.source import Source


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
    made = made and job.where is None  # a slice leaves the other rows, and with them the columns
    source = staged or sources.resolve(
        engines.source, product_for(engines.source), job.source, job.params
    )
    key = keys.select_key(source, job.key)
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
    models = bound_models(job, engines.registry, source, product, [*key, *passed], versions)
    wanted = _wanted(job, source.product, product, key, passed, models)
    if target is not None and not (job.mode is Mode.REPLACE and made):
        wanted = fitting.spelled(wanted, target)
    target_rows.check_target(
        job,
        source.product,
        product,
        wanted,
        same=engines.source is engines.target,
        exists=target is not None,
    )
    return Prepared(
        job=job, source=source, key=key, passed=passed, models=models, wanted=wanted,
        target=_target(job, engines, product, target, wanted, made=made), where=where,
        exists=target is not None,
    )  # fmt: skip


def _wanted(
    job: Job,
    source: Product,
    target: Product,
    key: Sequence[Column],
    passed: Sequence[Column],
    models: Sequence[BoundModel],
) -> Wanted:
    """The columns that the target gets."""
    wanted = Wanted(
        key=tuple(written(column, source, target, key=True) for column in key),
        passed=tuple(written(column, source, target) for column in passed),
        predictions=tuple(
            Column(name=p.column, type=p.type, declared=target.declare(p.type))
            for model in models
            for p in model.binding.predictions
        ),
    )
    told = lineage.columns(
        Lineage.of(job.lineage),
        [model.prefix for model in models],
        taken=[column.name for column in wanted.columns],
        product=target,
    )
    return dataclasses.replace(wanted, lineage=told)


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


def ranged(prepared: Prepared) -> Prepared:
    """The job on a source that is read by key ranges, where its SELECT is a join that may be."""
    written_to = prepared.target.table.name
    source = joins.ranged(prepared.source, prepared.key, apart_from=written_to)
    return dataclasses.replace(prepared, source=source)


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
    wanted: Wanted,
    *,
    made: bool,
) -> Target:
    if found is None:
        return sink.design(product, job.target, wanted)
    if job.mode is Mode.REPLACE and made:
        return sink.beside(found, found.table.name, wanted)
    needs_key = job.mode in (Mode.UPSERT, Mode.APPEND)
    return fitting.check(engines.target, product, found, wanted, needs_key=needs_key)
