"""A run from its start, or from where it was killed, to its end.

    lease -> plan and ranges, stored -> the ranges, a unit each -> the target whole -> done

Whatever stops it, and when, the next start of the same job goes on with the ranges that are not
done, with the models and the binding that it began with.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlscore.errors import JobConflict, RunStopped, SqlscoreError
from sqlscore.jobs import lease, mirroring, planning, slices, staging
from sqlscore.jobs.brake import Brake, applied
from sqlscore.jobs.finish import finish
from sqlscore.jobs.limits import Limits
from sqlscore.jobs.loaded import Loaded
from sqlscore.jobs.manners import Manners
from sqlscore.jobs.patience import Patience
from sqlscore.jobs.scoring import Progress, score_ranges
from sqlscore.jobs.status import Run, Status, new_id
from sqlscore.jobs.work import Work
from sqlscore.products import product_for
from sqlscore.relations import sink
from sqlscore.relations import source as sources
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.jobs.engines import Engines
    from sqlscore.jobs.job import Job
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.prepared import Prepared

__all__ = ["Progress", "Run", "resume", "start"]


def start(
    job: Job,
    engines: Engines,
    *,
    restart: bool = False,
    abandon: bool = False,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run a job, or go on with its unfinished run.

    `restart` gives an unfinished run up and begins anew; `abandon` gives it up and does no more.
    Raises `JobConflict` where another run holds the target or the unfinished run began otherwise;
    `RunStopped` where it was cancelled or its deadline passed; a `SqlscoreError` of another kind
    for what fails, with the run as its attribute ``run``.
    """
    slices.check(job)
    job = engines.placed(job)
    with _tasked(engines, limits, on_progress, job.source) as task:
        # what fails before the ranges are stored has written nothing: it is begun anew
        return task.patience.through(lambda: _start(task, job, restart=restart, abandon=abandon))


@contextmanager
def _tasked(
    engines: Engines,
    limits: Limits | None,
    on_progress: Callable[[Progress], None] | None,
    source: str | None = None,
) -> Iterator[_Task]:
    """A task on these databases, which are as they were afterwards; not without its source."""
    manners = Manners(limits or Limits())
    with manners.over(engines) as mannered:
        if source is not None:
            sources.refuse_absent(mannered.source, product_for(mannered.source), source)
        yield _Task(Work.on(mannered, limits), manners, on_progress)


def _start(task: _Task, job: Job, *, restart: bool, abandon: bool) -> Run:
    work = task.work
    place = sink.place(work.engines.target, work.product, job.target)
    before = _unfinished(work, job)
    fresh = new_id()
    run = before.id if before is not None and before.planned and not restart else fresh
    task.called(run)
    with _leased(work, place, run) as held:
        before = _unfinished(work, job)
        if abandon:
            return _abandon(work, held, job, before)
        if before is not None and (restart or not before.planned):
            _give_up(work, held, before)
            before = None
        if before is not None and before.id != run:
            raise JobConflict(f"job {job.identity!r} was begun by another process just now")
        if before is None:
            return task.new(held, job, fresh, place)
        return task.go_on(held, before, job)


def resume(
    run: str,
    engines: Engines,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Go on with one unfinished run, by its id, exactly as it began."""
    with _tasked(engines, limits, on_progress) as task:
        work = task.work
        found = work.ask(lambda unit: work.records.one(unit, run))
        if not found.unfinished:
            raise JobConflict(f"run {found.id} is {found.status}: there is nothing to go on with")
        if not found.planned:
            raise JobConflict(
                f"run {found.id} ended before its ranges were stored, and has written nothing: "
                "start its job again"
            )
        task.called(found.id)
        with _leased(work, found.target, found.id) as held:
            plan = work.ask(lambda unit: work.records.plan(unit, found.id))
            return task.go_on(held, found, engines.placed(plan.job))


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
    """One run, with what it may take."""

    def __init__(
        self, work: Work, manners: Manners, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self.work, self._manners, self._on_progress = work, manners, on_progress
        products = (work.product, product_for(work.engines.source))
        self._brake, self._loaded = Brake(work.limits), Loaded()
        self.patience = Patience(work.limits, self._brake, products)

    def called(self, run: str) -> None:
        """Show a run's id on its transactions, and in what is logged of it."""
        self._manners.run = self.patience.run = run

    def new(self, held: Lease, job: Job, run: str, place: str) -> Run:
        """Plan a run, store the plan and the ranges, and do it."""
        plan, prepared = planning.begin(self.work, held, job, run, place, self._loaded)
        with self._held(held, run):
            self._brake.check()
            return self._do(held, run, *planning.complete(self.work, held, run, plan, prepared))

    def go_on(self, held: Lease, before: Run, job: Job) -> Run:
        """Do what is left of a run that was stopped."""
        work, records = self.work, self.work.records
        plan = work.ask(lambda unit: records.plan(unit, before.id))
        job.refuse_other(plan.job)
        with self._held(held, before.id):
            if before.status in (Status.SWAPPING, Status.CLEANING):
                run = self.patience.through(lambda: finish(work, held, before.id, plan))
            else:
                prepared = planning.again(work, plan, job)
                plan = dataclasses.replace(plan, providers=planning.providers(prepared, plan.route))
                reopen = {
                    "status": Status.RUNNING, "error": None, "finished_at": None,
                    "owner": lease.owner(), "plan": plan.to_json(),
                }  # fmt: skip
                work.tell(held, lambda unit: records.set(unit, before.id, **reopen))
                run = self._do(held, before.id, plan, prepared)
        return dataclasses.replace(run, resumed=True)

    def _do(self, held: Lease, run: str, plan: Plan, prepared: Prepared) -> Run:
        """The ranges that are left, then the end."""
        work, loaded, brake = self.work, self._loaded, self._brake
        self.patience.through(
            lambda: score_ranges(work, held, run, plan, prepared, loaded, brake, self._told)
        )
        if plan.job.sync:
            self.patience.through(lambda: mirroring.remove(work, held, run, plan, prepared))
        return self.patience.through(lambda: finish(work, held, run, plan))

    def _told(self, progress: Progress) -> None:
        self.patience.reached(progress.rows)
        if self._on_progress is not None:
            self._on_progress(progress)

    @contextmanager
    def _held(self, held: Lease, run: str) -> Iterator[None]:
        """Note in the run's row what ended it, and attach the run to the error."""
        work = self.work
        try:
            with applied(self._brake, work, run):
                yield
        except BaseException as error:
            words = str(error) if isinstance(error, SqlscoreError) else type(error).__name__
            stopped = isinstance(error, RunStopped) and self._brake.cancelled
            status = Status.CANCELLED if stopped else Status.FAILED
            with suppress(SqlscoreError):
                work.tell(held, lambda unit: work.records.fail(unit, run, words, status=status))
                if isinstance(error, SqlscoreError):
                    error.run = work.ask(lambda unit: work.records.one(unit, run))
            raise
