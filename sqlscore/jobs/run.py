"""A run from its start, or from where it was killed, to its end.

    lease -> plan and ranges, stored -> the bridge, a unit a range -> the target whole -> done

Whatever stops it, and when, the next start of the same job goes on with the ranges that are not
done, with the models and the binding that it began with.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlscore import bridge
from sqlscore.errors import DatabaseError, JobConflict, SqlscoreError
from sqlscore.jobs import lease, slices, staging
from sqlscore.jobs.finish import finish
from sqlscore.jobs.job import Job, Mode
from sqlscore.jobs.prepare import Engines, Prepared, Scorer, prepare, written
from sqlscore.jobs.records import Plan, Run, Status, new_id
from sqlscore.jobs.work import Work
from sqlscore.predictor import Counts
from sqlscore.products.product import Write
from sqlscore.relations import sink
from sqlscore.relations import source as sources
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import pyarrow as pa
    import sqlalchemy as sa

    from sqlscore.jobs.lease import Lease
    from sqlscore.products.product import Product, Target, Unit
    from sqlscore.relations.ranges import KeyRange

_HOW = {
    Mode.UPSERT: Write.UPSERT,
    Mode.APPEND: Write.INSERT,
    Mode.UPDATE: Write.UPDATE,
    Mode.REPLACE: Write.INSERT,  # into the staged table, which was empty
}

RANGE_ROWS = 131_072
_BATCH_BYTES = 4 * 2**20  #: of a batch as it is read, about
_BATCH_ROWS = 16_384  #: at most
_LOOK_BACK = 5  #: runs whose plans tell whether sqlscore made a target


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is, as told while it runs."""

    rows: int  #: committed so far, by all tries
    total: int | None  #: in all, about
    seconds: float  #: since this call began


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
        self._began = time.monotonic()

    def new(self, job: Job, run: str, place: str) -> Run:
        """Plan a run, store the plan and the ranges, and do it."""
        work, records = self._work, self._work.records
        made = self._made(place)
        prepared = prepare(job, work.engines, made=bool(made))
        Scorer(
            prepared, work.product
        )  # what the provider or a NULL policy refuses, before we begin
        written = tuple(column.name for column in prepared.wanted.columns)
        new = not prepared.exists or (job.mode is Mode.REPLACE and bool(made))
        plan = Plan(
            job=job,
            versions=tuple(str(model.version) for model in prepared.models),
            sha256=tuple(model.version.sha256 for model in prepared.models),
            features=tuple(model.binding.columns for model in prepared.models),
            written=written,
            staging=None if prepared.source.repeatable else f"staging_{run}",
            staged=f"sqlscore_staged_{run}" if job.mode is Mode.REPLACE else None,
            made=written if new else made,
            chosen=prepared.source.chosen,
        )
        work.tell(self._held, lambda unit: records.begin(unit, run, place, plan))
        with self._failing(run):
            if plan.staging:
                prepared = self._stage(plan.staging, prepared, made=bool(made))
            sources.prove_key(prepared.source, prepared.key)
            self._make(plan, prepared)
            plan = self._cut(run, plan, prepared)
            return self._do(run, plan, prepared)

    def _made(self, place: str) -> tuple[str, ...]:
        """The target's columns, if sqlscore made it and nobody changed them since; else none."""
        work = self._work
        target = sink.find(work.engines.target, work.product, place)
        names = tuple(column.name for column in target.columns) if target is not None else ()
        plans = work.ask(lambda unit: work.records.plans(unit, place, limit=_LOOK_BACK))
        return names if any(plan.made == names for plan in plans) else ()

    def go_on(self, before: Run, job: Job) -> Run:
        """Do what is left of a run that was stopped."""
        work, records = self._work, self._work.records
        plan = work.ask(lambda unit: records.plan(unit, before.id))
        job.refuse_other(plan.job)
        with self._failing(before.id):
            if before.status in (Status.SWAPPING, Status.CLEANING):
                run = finish(work, self._held, before.id, plan)
            else:
                prepared = self._again(plan, job)
                reopen = {"status": Status.RUNNING, "error": None, "owner": lease.owner()}
                work.tell(self._held, lambda unit: records.set(unit, before.id, **reopen))
                run = self._do(before.id, plan, prepared)
        return dataclasses.replace(run, resumed=True)

    def _again(self, plan: Plan, job: Job) -> Prepared:
        """The job as it began: the same versions, the same columns for the same features."""
        work = self._work
        source = None
        if plan.staging:
            source = staging.source(work, plan.staging, job.source, chosen=plan.chosen)
        prepared = prepare(
            job, work.engines, versions=plan.versions, staged=source, made=bool(plan.made)
        )
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

    def _stage(self, name: str, prepared: Prepared, *, made: bool) -> Prepared:
        """Evaluate the source once, and prepare the job on what came out."""
        work, source = self._work, prepared.source
        columns = [written(column, source.product, work.product) for column in source.columns]
        staging.fill(work, name, source, columns)
        again = prepare(
            prepared.job, work.engines, versions=[str(m.version) for m in prepared.models],
            staged=staging.source(work, name, source.name, chosen=source.chosen), made=made,
        )  # fmt: skip
        staging.index(work, name, again.key)
        return again

    def _make(self, plan: Plan, prepared: Prepared) -> None:
        """Make the tables that are missing, each in a unit: DDL commits on some products."""
        new = [] if prepared.exists else [prepared.target]
        if plan.staged:
            new.append(sink.beside(prepared.target, plan.staged, prepared.wanted))
        for target in new:
            with self._work.unit() as unit:
                sink.make(unit, target)
                unit.commit()

    def _cut(self, run: str, plan: Plan, prepared: Prepared) -> Plan:
        """Fix the watermark and the ranges, and store them."""
        work, source = self._work, prepared.source
        mark = slices.watermark(prepared, self._low(plan, prepared))
        plan = dataclasses.replace(
            plan, watermark=None if mark is None else dataclasses.asdict(mark)
        )
        where = self._where(plan, prepared)
        ranges = sources.ranges_of(source, prepared.key, rows=RANGE_ROWS, where=where)
        last = sources.count(source, prepared.key, ranges[-1], where)
        plan = dataclasses.replace(plan, total=(len(ranges) - 1) * RANGE_ROWS + last)
        work.tell(self._held, lambda unit: work.records.store_ranges(unit, run, ranges, plan))
        return plan

    def _low(self, plan: Plan, prepared: Prepared) -> str | None:
        """How far the job's last run got; nowhere, if the target has gone since."""
        work, job = self._work, plan.job
        found = work.ask(lambda unit: work.records.watermark(unit, job.identity))
        if job.incremental is None or found is None:
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

    def _where(self, plan: Plan, prepared: Prepared) -> sources.Condition:
        same = prepared.source.engine is self._work.engines.target
        return slices.where(prepared, plan.watermark, same=same)

    def _do(self, run: str, plan: Plan, prepared: Prepared) -> Run:
        """The ranges that are left, then the end."""
        work = self._work
        target = prepared.target
        if plan.staged:
            target = sink.beside(target, plan.staged, prepared.wanted)
        writer = _Writer(work, self._held, run, target, _HOW[plan.job.mode], self._told(run, plan))
        where = self._where(plan, prepared)
        projection = prepared.layout.projection
        engines = work.engines

        def read(range_: KeyRange) -> Generator[pa.RecordBatch]:
            yield from sources.read(
                prepared.source, projection, batch_rows=batch_rows(projection),
                key=prepared.key, range_=range_, where=where,
            )  # fmt: skip

        bridge.run(
            work.ask(lambda unit: work.records.ranges_left(unit, run)),
            read=read,
            predict=Scorer(prepared, work.product),
            write=writer,
            overlap=_overlap(
                (work.product, engines.target), (prepared.source.product, engines.source)
            ),
        )
        return finish(work, self._held, run, plan)

    def _told(self, run: str, plan: Plan) -> Callable[[int], None]:
        """What tells the caller of rows that were committed."""
        if self._on_progress is None:
            return lambda rows: None
        on_progress, began = self._on_progress, self._began
        done = self._work.ask(lambda unit: self._work.records.one(unit, run)).rows
        on_progress(Progress(rows=done, total=plan.total, seconds=0.0))

        def tell(rows: int) -> None:
            nonlocal done
            done += rows
            seconds = time.monotonic() - began
            on_progress(Progress(rows=done, total=plan.total, seconds=seconds))

        return tell

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


class _Writer:
    """Writes a range: its predictions, counts and mark in one unit that the lease allows."""

    def __init__(
        self, work: Work, held: Lease, run: str, target: Target, how: Write,
        committed: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._work, self._held, self._run = work, held, run
        self._target, self._how, self._committed = target, how, committed

    def __call__(
        self, range_: KeyRange, results: list[tuple[pa.RecordBatch, Counts]], ready: bridge.Ready
    ) -> None:
        batches = [batch for batch, _ in results]
        counts = sum((counts for _, counts in results), Counts())
        rows = sum(batch.num_rows for batch in batches)

        def write(unit: Unit) -> None:
            with _named_modes(self._how):
                unit.write(self._target, batches, self._how)
            self._work.records.mark(unit, self._run, range_, rows, counts)

        self._work.tell(self._held, write, lambda _: ready())
        self._committed(rows)


def _overlap(*databases: tuple[Product, sa.Engine]) -> bridge.Overlap:
    """What may go on beside a write, by what the products of target and source can bear."""
    blocking = [(p, engine) for p, engine in databases if p.readers_block_commit(engine)]
    if not blocking:
        return bridge.Overlap.READING
    if all(product.reads_elsewhere(engine) for product, engine in blocking):
        return bridge.Overlap.READING_UNTIL_COMMIT
    return bridge.Overlap.NOTHING


#: codes of a key that is there already: SQLSTATE, MariaDB's number, SQLite's names
_DUPLICATE = {"23505", "1062", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}


@contextmanager
def _named_modes(how: Write) -> Iterator[None]:
    """Say which mode takes a key that is there, where append does not."""
    try:
        yield
    except DatabaseError as error:
        twice = error.code in _DUPLICATE or "duplicate key" in str(error).casefold()
        if how is not Write.INSERT or not twice:
            raise
        told = DatabaseError(
            f"{error}. Mode append adds rows, and the target has a row with one of these keys: use "
            "mode upsert to give it the new values, or replace for all rows anew"
        )
        told.code = error.code
        raise told from error


def batch_rows(projection: sources.Projection) -> int:
    """Rows of a batch as it is read: fewer where rows are wide, so that memory stays bounded."""
    return max(256, min(_BATCH_ROWS, _BATCH_BYTES // (8 * len(projection.columns) or 1)))
