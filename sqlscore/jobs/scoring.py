"""The ranges of a run that are left: read, scored, and written with their marks."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlscore import bridge
from sqlscore.jobs import planning
from sqlscore.jobs.duplicates import named_modes
from sqlscore.jobs.gate import Gate
from sqlscore.jobs.job import Lineage, Mode
from sqlscore.jobs.limits import Share
from sqlscore.jobs.lineage import stamp
from sqlscore.jobs.quarantine import Quarantine
from sqlscore.jobs.routing import graphs_of
from sqlscore.jobs.scorer import Scored, Scorer
from sqlscore.plan import Route
from sqlscore.predictor import Counts
from sqlscore.products.product import Write
from sqlscore.relations import keys, sink
from sqlscore.relations import source as sources

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pyarrow as pa
    import sqlalchemy as sa

    from sqlscore.jobs.brake import Brake
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.loaded import Loaded
    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.status import Run
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Product, Target, Unit
    from sqlscore.relations.ranges import KeyRange

_HOW = {
    Mode.UPSERT: Write.UPSERT,
    Mode.APPEND: Write.INSERT,
    Mode.UPDATE: Write.UPDATE,
    Mode.REPLACE: Write.INSERT,  # into the staged table, which was empty
}

_BATCH_BYTES = 4 * 2**20  #: of a batch as it is read, about
_BATCH_ROWS = 16_384  #: at most
_TIMES_ON_DEVICE = 4  #: as many where a model runs on a device


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is, as told while it runs."""

    rows: int  #: committed so far, or left out, by all tries
    total: int | None  #: in all, about
    seconds: float  #: since this call began


def score_ranges(
    work: Work,
    held: Lease,
    run: str,
    plan: Plan,
    prepared: Prepared,
    loaded: Loaded,
    brake: Brake,
    on_progress: Callable[[Progress], None],
) -> None:
    """Do the ranges that are not done, each in a unit of its own."""
    target = prepared.target
    if plan.staged:
        target = sink.beside(target, plan.staged, prepared.wanted)
    records = work.records
    before, left = work.ask(lambda unit: (records.one(unit, run), records.ranges_left(unit, run)))
    committed = _telling(before, plan, on_progress)
    where = planning.where(work, plan, prepared)
    stamped = _stamp(before, prepared)
    if plan.route == Route.PUSH_DOWN:
        from sqlscore.jobs.pushed import Pushed
        from sqlscore.jobs.pushing import Pusher

        pushed = Pushed(prepared, graphs_of(work, prepared), stamped)
        pusher = Pusher(work, held, run, prepared, pushed, target, _HOW[plan.job.mode], where)
        pusher.all(left, brake, committed)
        return
    aside = _aside(work, before, plan, prepared)
    scorer = Scorer(prepared, work.product, stamped, loaded)
    projection = scorer.projection
    share, width = Share.of(work.limits), scorer.width
    ahead = bridge.AHEAD * work.product.range_length
    on_their_way = ahead + 2 * bridge.workers()
    usual = batch_rows(width) * (_TIMES_ON_DEVICE if scorer.device else 1)
    rows = share.batch_rows(usual, width, on_their_way)

    def read(range_: KeyRange) -> Generator[pa.RecordBatch]:
        brake.check()
        batches = sources.read(
            prepared.source, projection, batch_rows=rows, key=prepared.key, range_=range_,
            where=where,
        )  # fmt: skip
        with closing(batches):  # type: ignore[type-var]
            for batch in batches:
                brake.pace(batch.num_rows)
                yield batch

    def predict(batch: pa.RecordBatch) -> Scored:
        brake.check()  # batches that were read before the run had to stop
        return scorer(batch)

    bridge.run(
        left,
        read=read,
        predict=predict,
        write=Writer(work, held, run, prepared, target, committed, aside),
        overlap=_overlap(
            (work.product, work.engines.target), (prepared.source.product, prepared.source.engine)
        ),
        ahead=ahead,
    )


def _stamp(run: Run, prepared: Prepared) -> list[pa.Scalar]:
    """The values of the lineage columns: the same after a resume."""
    versions = [model.version for model in prepared.models]
    return stamp(Lineage.of(prepared.job.lineage), versions, run=run.id, began=run.started_at)


def _aside(work: Work, run: Run, plan: Plan, prepared: Prepared) -> tuple[Quarantine, Gate] | None:
    """Where bad rows go, and how many may; None: the first of them ends the run."""
    if not prepared.job.quarantine:
        return None
    kept = Quarantine(work.engines.target, work.product, work.tables, run.id)
    return kept, Gate(prepared.job.max_bad, plan.total or 0, run.counts.bad)


def _telling(
    run: Run, plan: Plan, on_progress: Callable[[Progress], None]
) -> Callable[[int], None]:
    """What tells of rows that were committed."""
    began = time.monotonic()
    done = run.rows + run.counts.bad
    on_progress(Progress(rows=done, total=plan.total, seconds=0.0))

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        seconds = time.monotonic() - began
        on_progress(Progress(rows=done, total=plan.total, seconds=seconds))

    return tell


class Writer:
    """Writes a range: its predictions, counts and mark in one unit that the lease allows."""

    def __init__(
        self, work: Work, held: Lease, run: str, prepared: Prepared, target: Target,
        committed: Callable[[int], None], aside: tuple[Quarantine, Gate] | None = None,
    ) -> None:  # fmt: skip
        self._work, self._held, self._run, self._prepared = work, held, run, prepared
        self._target, self._committed, self._aside = target, committed, aside
        self._how = _HOW[prepared.job.mode]

    def __call__(self, range_: KeyRange, results: list[Scored], ready: bridge.Ready) -> None:
        batches = [scored.batch for scored in results]
        counts = sum((scored.counts for scored in results), Counts())
        bad = [row for scored in results for row in scored.bad]
        rows = sum(batch.num_rows for batch in batches)
        if self._prepared.source.joins:
            keys.check_once(self._prepared.source.name, self._prepared.wanted.key, batches)
        if self._aside is not None:
            self._aside[1].let(bad)

        def write(unit: Unit) -> None:
            with named_modes(self._how):
                unit.write(self._target, batches, self._how)
            if self._aside is not None:
                self._aside[0].keep(unit, range_, bad)
            self._work.records.mark(unit, self._run, range_, rows, counts)

        self._work.tell(self._held, write, lambda _: ready())
        self._committed(rows + len(bad))


def _overlap(*databases: tuple[Product, sa.Engine]) -> bridge.Overlap:
    """What may go on beside a write, by what the products of target and source can bear."""
    blocking = [(p, engine) for p, engine in databases if p.readers_block_commit(engine)]
    if not blocking:
        return bridge.Overlap.READING
    if all(product.reads_elsewhere(engine) for product, engine in blocking):
        return bridge.Overlap.READING_UNTIL_COMMIT
    return bridge.Overlap.NOTHING


def batch_rows(width: int) -> int:
    """Rows of a batch as it is read: fewer where rows are wide, so that memory stays bounded."""
    return max(16, min(_BATCH_ROWS, _BATCH_BYTES // (8 * max(width, 1))))
