"""A run from its start, or from where it was killed, to its end.

    lease -> plan and ranges, stored -> the ranges, a unit each -> the target whole -> done

Whatever stops it, and when, the next start of the same job goes on with the ranges that are not
done, with the models and the binding that it began with.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlscore.errors import JobConflict, SqlscoreError
from sqlscore.jobs import lease, mirroring, planning, slices, staging
from sqlscore.jobs.finish import finish
from sqlscore.jobs.records import Run, Status, new_id
from sqlscore.jobs.scoring import Progress, score_ranges
from sqlscore.jobs.work import Work
from sqlscore.products import product_for
from sqlscore.relations import sink
from sqlscore.relations import source as sources
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.jobs.job import Job
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.prepare import Engines, Prepared

__all__ = ["Progress", "Run", "resume", "start"]


def start(
    job: Job,
    engines: Engines,
    *,
    restart: bool = False,
    abandon: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run a job, or go on with its unfinished run.

    `restart` gives an unfinished run up and begins anew; `abandon` gives it up and does no more.
    Raises `JobConflict` where another run holds the target or the unfinished run began otherwise;
    a `SqlscoreError` of another kind for what fails, with the run as its attribute ``run``.
    """
    slices.check(job)
    job = engines.placed(job)
    sources.refuse_absent(engines.source, product_for(engines.source), job.source)
    work = Work.on(engines)
    place = sink.place(engines.target, work.product, job.target)
    before = _unfinished(work, job)
    fresh = new_id()
    run = before.id if before is not None and before.planned and not restart else fresh
    with _leased(work, place, run) as held:
        before = _unfinished(work, job)
        if abandon:
            return _abandon(work, held, job, before)
        if before is not None and (restart or not before.planned):
            _give_up(work, held, before)
            before = None
        if before is not None and before.id != run:
            raise JobConflict(f"job {job.identity!r} was begun by another process just now")
        task = _Task(work, held, on_progress)
        return task.new(job, fresh, place) if before is None else task.go_on(before, job)


def resume(
    run: str, engines: Engines, *, on_progress: Callable[[Progress], None] | None = None
) -> Run:
    """Go on with one unfinished run, by its id, exactly as it began."""
    work = Work.on(engines)
    found = work.ask(lambda unit: work.records.one(unit, run))
    if not found.unfinished:
        raise JobConflict(f"run {found.id} is {found.status}: there is nothing to go on with")
    if not found.planned:
        raise JobConflict(
            f"run {found.id} ended before its ranges were stored, and has written nothing: start "
            "its job again"
        )
    with _leased(work, found.target, found.id) as held:
        plan = work.ask(lambda unit: work.records.plan(unit, found.id))
        return _Task(work, held, on_progress).go_on(found, engines.placed(plan.job))


def _unfinished(work: Work, job: Job) -> Run | None:
    last = work.ask(lambda unit: work.records.last(unit, job=job.identity))
    return last if last and last.unfinished else None


@contextmanager
def _leased(work: Work, place: str, run: str) -> Iterator[Lease]:
    """Hold the lease on a target for the length of a block."""
    held = lease.acquire(work.engines.target, work.product, work.tables, target=place, run=run)
    try:
        with lease.kept(work.engines.target, work.product, held):
            yield held
    finally:
        # where the database is gone, the lease is: this process ends, or its heartbeat does
        with suppress(SqlscoreError), work.unit() as unit:
            held.release(unit)
            unit.commit()


def _abandon(work: Work, held: Lease, job: Job, before: Run | None) -> Run:
    if before is None:
        raise JobConflict(f"job {job.identity!r} has no unfinished run to abandon")
    _give_up(work, held, before)
    return work.ask(lambda unit: work.records.one(unit, before.id))


def _give_up(work: Work, held: Lease, run: Run) -> None:
    """Drop what an unfinished run staged, and say that nobody will go on with it."""
    plan = work.ask(lambda unit: work.records.plan(unit, run.id))
    ended = {"status": Status.ABANDONED, "finished_at": now()}
    work.tell(held, lambda unit: work.records.set(unit, run.id, **ended))
    staging.drop(work, plan, run.target)


class _Task:
    """One run, held by its lease."""

    def __init__(
        self, work: Work, held: Lease, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._work, self._held, self._on_progress = work, held, on_progress

    def new(self, job: Job, run: str, place: str) -> Run:
        """Plan a run, store the plan and the ranges, and do it."""
        plan, prepared = planning.begin(self._work, self._held, job, run, place)
        with self._failing(run):
            return self._do(run, *planning.complete(self._work, self._held, run, plan, prepared))

    def go_on(self, before: Run, job: Job) -> Run:
        """Do what is left of a run that was stopped."""
        work, records = self._work, self._work.records
        plan = work.ask(lambda unit: records.plan(unit, before.id))
        job.refuse_other(plan.job)
        with self._failing(before.id):
            if before.status in (Status.SWAPPING, Status.CLEANING):
                run = finish(work, self._held, before.id, plan)
            else:
                prepared = planning.again(work, plan, job)
                reopen = {"status": Status.RUNNING, "error": None, "owner": lease.owner()}
                work.tell(self._held, lambda unit: records.set(unit, before.id, **reopen))
                run = self._do(before.id, plan, prepared)
        return dataclasses.replace(run, resumed=True)

    def _do(self, run: str, plan: Plan, prepared: Prepared) -> Run:
        """The ranges that are left, then the end."""
        score_ranges(self._work, self._held, run, plan, prepared, self._on_progress)
        if plan.job.sync:
            mirroring.remove(self._work, self._held, run, plan, prepared)
        return finish(self._work, self._held, run, plan)

    @contextmanager
    def _failing(self, run: str) -> Iterator[None]:
        """Note in the run's row what ended it, and attach the run to the error."""
        try:
            yield
        except BaseException as error:
            words = str(error) if isinstance(error, SqlscoreError) else type(error).__name__
            work = self._work
            with suppress(SqlscoreError):
                work.tell(self._held, lambda unit: work.records.fail(unit, run, words))
                if isinstance(error, SqlscoreError):
                    error.run = work.ask(lambda unit: work.records.one(unit, run))
            raise
