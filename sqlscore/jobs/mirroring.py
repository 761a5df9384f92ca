"""What a target has and its source has not: removed at the end of a run that synchronises them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.jobs import staging, target_rows
from sqlscore.jobs.prepare import written
from sqlscore.jobs.status import Status
from sqlscore.relations import sink
from sqlscore.relations.ranges import of

if TYPE_CHECKING:
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Unit


def remove(work: Work, held: Lease, run: str, plan: Plan, prepared: Prepared) -> None:
    """Remove the target's rows whose source row is gone, those of the job's slice only.

    It is one unit, which also notes how many they were, and that what is left to do is to clean up.
    """
    found = sink.existing(work.engines.target, work.product, held.target)
    target = sink.relation(found)
    gone = ~_in_source(work, plan, prepared, target)
    slice_ = target_rows.on_target(plan.job, work.product, found)
    doomed = gone if slice_ is None else sa.and_(slice_, gone)

    def act(unit: Unit) -> None:
        ((rows,),) = unit.fetch(sa.select(sa.func.count()).select_from(target).where(doomed))
        unit.execute(sa.delete(target).where(doomed))
        counted = dataclasses.replace(plan, removed=int(rows))
        work.records.set(unit, run, status=Status.CLEANING, plan=counted.to_json())

    work.tell(held, act)


def _in_source(
    work: Work, plan: Plan, prepared: Prepared, target: sa.TableClause
) -> sa.ColumnElement[bool]:
    """Whether a row of the target has its key in the source, among the rows of the job's `where`.

    A source in another database has its keys copied beside the target first.
    """
    source, where = prepared.source, prepared.where
    if plan.keys:
        staging.drop_one(work, plan.keys)
        columns = [written(c, source.product, work.product, key=True) for c in prepared.key]
        staging.fill(work, plan.keys, source, columns, where)
        staging.index(work, plan.keys, columns)
        source, where = staging.source(work, plan.keys, source.name, chosen=False), None
    equal = [
        target.c[theirs] == ours
        for theirs, ours in zip(plan.key, of(source.relation, prepared.key), strict=True)
    ]
    rows = sa.select(sa.literal(1)).select_from(source.relation).where(*equal)
    return (rows if where is None else rows.where(where)).exists()
