"""The end of a run: the target made whole, what was staged dropped, the run done.

Each step is recorded before it is taken, or is part of the unit that records it, so a run that is
killed between two of them goes on at the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore import sink, staging
from sqlscore.records import Plan, Run, Status
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlscore.lease import Lease
    from sqlscore.products.product import Unit
    from sqlscore.work import Work


def finish(work: Work, held: Lease, run: str, plan: Plan) -> Run:
    """Take the last steps of a run, those that are not taken; the run, done."""
    status = work.ask(lambda unit: work.records.one(unit, run)).status
    if status is not Status.CLEANING:
        if plan.staged:
            _take_place(work, held, run, plan)
        elif plan.staging:
            _set(work, held, run, Status.CLEANING)
    staging.drop(work, plan, held.target)

    def done(unit: Unit) -> None:
        if plan.watermark is not None and plan.watermark["high"] is not None:
            work.records.set_watermark(unit, plan.job.identity, plan.watermark["high"], run)
        work.records.done(unit, run)

    work.tell(held, done)
    return work.ask(lambda unit: work.records.one(unit, run))


def _set(work: Work, held: Lease, run: str, status: Status) -> None:
    work.tell(held, lambda unit: work.records.set(unit, run, status=status))


def _take_place(work: Work, held: Lease, run: str, plan: Plan) -> None:
    """Put the staged rows in the target's place: a swap where nothing hangs on it, else DML.

    Where DDL commits by itself, the swap is recorded first: a staged table that is gone after
    that has taken its place.
    """
    product, engine = work.product, work.engines.target
    target = sink.existing(engine, product, held.target).table
    staged = staging.staged_table(plan, target)
    with translated("looking at the target"), engine.connect() as connection:
        hanging = product.dependents(connection, target)
        there = sa.inspect(connection).has_table(staged.name, staged.schema)
    if not plan.made or hanging:
        work.tell(
            held,
            lambda unit: sink.refill(unit, staged, target, plan.written),
            lambda unit: work.records.set(unit, run, status=Status.CLEANING),
        )
    elif product.transactional_ddl:
        work.tell(
            held,
            lambda unit: product.swap(unit, staged, target),
            lambda unit: work.records.set(unit, run, status=Status.CLEANING),
        )
    else:
        _set(work, held, run, Status.SWAPPING)
        if there:
            with work.unit() as unit:
                product.swap(unit, staged, target)
                unit.commit()
        _set(work, held, run, Status.CLEANING)
