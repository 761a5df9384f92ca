"""A run's plan: what a resume needs to go on as it began, stored before the first range is read.

begun (versions, columns, names of what will be staged) -> staged source -> proved key
-> watermark and ranges fixed -> tables made, ranges stored
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlscore.errors import JobConflict
from sqlscore.jobs import routing, slices, staging
from sqlscore.jobs.job import Job, Mode
from sqlscore.jobs.limits import Limits, Share
from sqlscore.jobs.plan import Plan
from sqlscore.jobs.prepare import prepare, ranged, written
from sqlscore.jobs.scorer import Layout
from sqlscore.plan import Route
from sqlscore.relations import keys, sink
from sqlscore.relations import source as sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.loaded import Loaded
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Product, Target, Unit
    from sqlscore.relations.cutting import Cut
    from sqlscore.relations.ranges import KeyRange

_RANGE_ROWS = 131_072  #: of a range, about
_RANGE_BYTES = 2**27  #: of a range as it is read, about: rows wider than usual make shorter ranges
_LOOK_BACK = 5  #: runs whose plans tell whether sqlscore made a target


def begin(
    work: Work, held: Lease, job: Job, run: str, place: str, loaded: Loaded
) -> tuple[Plan, Prepared]:
    """Find and check all that the job names, and store the new run; nothing else is written."""
    made = _made(work, place)
    prepared = ranged(prepare(job, work.engines, made=bool(made)))
    taken = routing.taken(work, prepared)
    if taken.route is Route.BRIDGE:
        for model in prepared.models:  # what its provider or a policy refuses, it refuses now
            loaded.predictor(model, job)
    columns = tuple(column.name for column in prepared.wanted.columns)
    whole = job.mode is Mode.REPLACE and job.where is None
    new = not prepared.exists or (whole and bool(made))
    elsewhere = work.engines.source is not work.engines.target and prepared.source.repeatable
    plan = Plan(
        job=job,
        versions=tuple(str(model.version) for model in prepared.models),
        sha256=tuple(model.version.sha256 for model in prepared.models),
        features=tuple(model.binding.columns for model in prepared.models),
        written=columns,
        staging=None if prepared.source.repeatable else f"staging_{run}",
        staged=f"sqlscore_staged_{run}" if job.mode is Mode.REPLACE else None,
        made=columns if new else made,
        chosen=prepared.source.chosen,
        route=taken.route,
        because=taken.because,
        providers=providers(prepared, taken.route),
        key=tuple(column.name for column in prepared.wanted.key),
        keys=f"keys_{run}" if job.sync and elsewhere else None,
    )
    work.tell(held, lambda unit: work.records.begin(unit, run, place, plan))
    return plan, prepared


def providers(prepared: Prepared, route: str) -> tuple[str, ...]:
    """Where each model runs and why, for the run's record; none where the CPU was asked for."""
    if route != Route.BRIDGE:
        return ()
    return tuple(
        f"{model.version} on {model.provider} ({prepared.job.provider} asked for): {model.taken}"
        for model in prepared.models
        if model.taken is not None
    )


def _made(work: Work, place: str) -> tuple[str, ...]:
    """The target's columns, if sqlscore made it and nobody changed them since; else none."""
    target = sink.find(work.engines.target, work.product, place)
    names = tuple(column.name for column in target.columns) if target is not None else ()
    plans = work.ask(lambda unit: work.records.plans(unit, place, limit=_LOOK_BACK))
    return names if any(plan.made == names for plan in plans) else ()


def complete(
    work: Work, held: Lease, run: str, plan: Plan, prepared: Prepared
) -> tuple[Plan, Prepared]:
    """Stage the source if it must be, prove its key, make the tables, fix and store the ranges."""
    if plan.staging:
        prepared = _stage(work, plan.staging, plan, prepared)
    by_index = keys.prove_key(prepared.source, prepared.key, prepared.where)
    plan, ranges = _cut(work, plan, prepared, by_index=by_index)

    def store(unit: Unit) -> None:
        work.records.store_ranges(unit, run, ranges, plan)

    new = _new(plan, prepared)
    if work.product.transactional_ddl:  # one commit for all
        work.tell(held, lambda unit: _make(unit, new), store)
    else:
        for target in new:
            with work.unit() as unit:
                _make(unit, [target])
                unit.commit()
        work.tell(held, store)
    return plan, prepared


def _stage(work: Work, name: str, plan: Plan, prepared: Prepared) -> Prepared:
    """Evaluate the source once, and prepare the job on what came out."""
    source = prepared.source
    columns = [written(column, source.product, work.product) for column in source.columns]
    staging.fill(work, name, source, columns, prepared.where)
    prepared = again_on(work, plan, prepared.job, made=bool(plan.made))
    staging.index(work, name, prepared.key)
    return prepared


def _new(plan: Plan, prepared: Prepared) -> list[Target]:
    """The tables that are missing."""
    new = [] if prepared.exists else [prepared.target]
    if plan.staged:
        new.append(sink.beside(prepared.target, plan.staged, prepared.wanted))
    return new


def _make(unit: Unit, new: Sequence[Target]) -> None:
    for target in new:
        sink.make(unit, target)


def _cut(
    work: Work, plan: Plan, prepared: Prepared, *, by_index: bool
) -> tuple[Plan, list[KeyRange]]:
    """The watermark and the ranges; `by_index` says that an index holds the key unique."""
    mark = slices.watermark(prepared, _low(work, plan, prepared))
    plan = dataclasses.replace(plan, watermark=None if mark is None else dataclasses.asdict(mark))
    condition = where(work, plan, prepared)
    found = cut(prepared, work.product, condition, held=by_index, limits=work.limits)
    return dataclasses.replace(plan, total=found.rows), found.ranges


def cut(
    prepared: Prepared,
    product: Product,
    condition: sources.Condition,
    *,
    held: bool,
    limits: Limits | None = None,
) -> Cut:
    """The source in ranges for a target of the product; `held` says that an index holds the key."""
    rows, long = _range_rows(prepared, product, limits or Limits()), product.range_length > 1
    return sources.ranges_of(
        prepared.source, prepared.key, rows=rows, where=condition, held=held, long=long
    )


def usual_rows(product: Product) -> int:
    """Rows of a range whose rows are of a usual width, for a target of the product."""
    return _RANGE_ROWS * product.range_length


def _range_rows(prepared: Prepared, product: Product, limits: Limits) -> int:
    """Rows of a range: fewer where rows are wide, so that memory stays bounded."""
    width = Layout.of(prepared).width
    usual = min(usual_rows(product), max(16, _RANGE_BYTES // (8 * max(width, 1))))
    written_too = width + len(prepared.wanted.columns)
    return Share.of(limits).range_rows(usual, written_too)


def _low(work: Work, plan: Plan, prepared: Prepared) -> str | None:
    """How far the job's last run got; nowhere, if the target has gone since."""
    job = plan.job
    if job.incremental is None:
        return None
    found = work.ask(lambda unit: work.records.watermark(unit, job.identity))
    if found is None:
        return None
    high, run = found
    before = work.ask(lambda unit: work.records.plan(unit, run)).job
    if slices.about(before) != slices.about(job):
        raise JobConflict(
            f"job {job.identity!r} got as far as its watermark with another source, target "
            f"or watermark column ({slices.about(before)}): from there it would leave rows "
            "out. Give this job another name"
        )
    return high if prepared.exists else None


def where(work: Work, plan: Plan, prepared: Prepared) -> sources.Condition:
    """The condition on the source's rows that the run is about."""
    same = prepared.source.engine is work.engines.target
    return slices.where(prepared, plan.watermark, same=same)


def again(work: Work, plan: Plan, job: Job) -> Prepared:
    """The job as it began: the same versions, the same columns for the same features.

    Raises `JobConflict` where that cannot be any more.
    """
    prepared = again_on(work, plan, job, made=bool(plan.made))
    if not prepared.exists:
        raise JobConflict(
            f"the target {job.target!r} is not there any more, and with it what the unfinished "
            "run had written. Begin anew: --restart"
        )
    now_is = (
        tuple(model.version.sha256 for model in prepared.models),
        tuple(dict(model.binding.columns) for model in prepared.models),
        tuple(column.name for column in prepared.wanted.columns),
    )
    if now_is != (plan.sha256, tuple(map(dict, plan.features)), plan.written):
        raise JobConflict(
            "the unfinished run cannot go on as it began: its model, the columns that feed "
            "it, or the columns that it writes are not the same any more. Begin anew: --restart"
        )
    return prepared


def again_on(work: Work, plan: Plan, job: Job, *, made: bool) -> Prepared:
    """The job prepared with the versions of its plan, on the staged source if there is one."""
    source = None
    if plan.staging:
        source = staging.source(work, plan.staging, job.source, chosen=plan.chosen)
    return prepare(job, work.engines, versions=plan.versions, staged=source, made=made)
