"""The end of a run: the target made whole, what was staged dropped, the run done.

Each step is recorded before it is taken, or is part of the unit that records it, so a run that is
killed between two of them goes on at the right one.
"""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.jobs import staging, target_rows
from sqlscore.jobs.status import Run, Status
from sqlscore.relations import refilling, sink
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Unit


def finish(work: Work, held: Lease, run: str, plan: Plan) -> Run:
    """Take the last steps of a run, those that are not taken; the run, done."""
    if plan.staged or plan.staging:
        status = work.ask(lambda unit: work.records.one(unit, run)).status
        if status is not Status.CLEANING and plan.staged:
            _take_place(work, held, run, plan, swapping=status is Status.SWAPPING)
        elif status is not Status.CLEANING:
            _set(work, held, run, Status.CLEANING)
    staging.drop(work, plan, held.target)

    def done(unit: Unit) -> Run:
        if plan.watermark is not None and plan.watermark["high"] is not None:
            work.records.set_watermark(unit, plan.job.identity, plan.watermark["high"], run)
        return work.records.done(unit, run)

    return work.tell(held, done)


def _set(work: Work, held: Lease, run: str, status: Status) -> None:
    work.tell(held, lambda unit: work.records.set(unit, run, status=status))


def _take_place(work: Work, held: Lease, run: str, plan: Plan, *, swapping: bool) -> None:
    """Put the staged rows in the target's place: a swap where nothing hangs on it, else DML.

    Where DDL commits by itself, the swap is recorded first: a staged table that is gone after
    that has taken its place.
    """
    product, engine = work.product, work.engines.target
    found = sink.existing(engine, product, held.target)
    target, slice_ = found.table, target_rows.on_target(plan.job, product, found)
    staged = staging.staged_table(plan, target)
    with translated("looking at the target"), engine.connect() as connection:
        hanging = product.dependents(connection, target)
        there = sa.inspect(connection).has_table(staged.name, staged.schema)
    if swapping and not there:
        _set(work, held, run, Status.CLEANING)
    elif not plan.made or hanging or slice_ is not None:
        into = dataclasses.replace(found, key=plan.key)
        work.tell(
            held,
            lambda unit: refilling.refill(unit, staged, into, plan.written, slice_),
            lambda unit: work.records.set(unit, run, status=Status.CLEANING),
        )
    else:
        _waiting(partial(_swap, work, held, run, staged, target))


def _swap(work: Work, held: Lease, run: str, staged: sa.Table, target: sa.Table) -> None:
    if work.product.transactional_ddl:
        work.tell(
            held,
            lambda unit: work.product.swap(unit, staged, target),
            lambda unit: work.records.set(unit, run, status=Status.CLEANING),
        )
        return
    _set(work, held, run, Status.SWAPPING)
    with work.unit() as unit:
        work.product.swap(unit, staged, target)
        unit.commit()
    _set(work, held, run, Status.CLEANING)


_TRIES = 10  #: to get the lock that a swap needs, from those who read the old table
#: codes of a lock that was not to be had in time: SQLSTATE, MariaDB's number, SQL Server's
_LOCKED = {"55P03", "1205", "1222"}


def _waiting(swap: Callable[[], None]) -> None:
    """Swap, again and again while others read the old table for long."""
    for left in reversed(range(_TRIES)):
        try:
            swap()
        except DatabaseError as error:
            if error.code not in _LOCKED:
                raise
            if not left:
                raise DatabaseError(
                    f"{error}. All rows are scored and the target still has the old ones, because "
                    "somebody keeps a lock on it. Start the same job again to put them in place"
                ) from error
        else:
            return
        time.sleep(1.0)  # those who waited behind us read now
