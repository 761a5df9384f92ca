"""What old runs left behind, taken away: their rows, and tables that they staged and never dropped.

A table goes only if the plan of an ended run names it. What a resume, a watermark, a lease or the
next replace of a target looks at stays, however old it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.jobs import staging
from sqlscore.jobs.plan import Plan
from sqlscore.jobs.status import ENDED
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Unit
    from sqlscore.tables import Tables

_AT_ONCE = 500  #: ids in one statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """What was taken away, or would be."""

    runs: tuple[str, ...]  #: ids
    rows: dict[str, int]  #: the table -> rows that belonged to these runs
    tables: tuple[str, ...]  #: staged by runs that have ended
    dry_run: bool


def clean(work: Work, *, before: datetime, dry_run: bool) -> Cleaned:
    """Take away the runs that ended before a moment (UTC), and what ended runs staged."""
    with work.unit() as unit:
        ended, kept = _ended(unit, work.tables)
        old = tuple(run.id for run in ended if run.finished_at < before and run.id not in kept)
        counted = {table.name: _count(unit, table, old) for table in _of_runs(work.tables)}
    left = _left(work, ended)
    if not dry_run:
        for table in left:  # first: their names are in the rows that go
            staging.drop_table(work, table)
        with work.unit() as unit:
            for table in _of_runs(work.tables):
                _delete(unit, table.c.run, old)
            _delete(unit, work.tables.runs.c.id, old)
            unit.commit()
    return Cleaned(
        runs=old,
        rows={name: count for name, count in counted.items() if count},
        tables=tuple(table.fullname for table in left),
        dry_run=dry_run,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ended:
    id: str
    target: str
    plan: Plan
    finished_at: datetime


def _ended(unit: Unit, tables: Tables) -> tuple[list[_Ended], set[str]]:
    """The runs that have ended and hold no lease, and the ids of those that somebody looks at."""
    runs, leases, watermarks = tables.runs, tables.leases, tables.watermarks
    leased = {run for (run,) in unit.fetch(sa.select(leases.c.run))}
    kept = {run for (run,) in unit.fetch(sa.select(watermarks.c.run))}
    columns = (runs.c.id, runs.c.target, runs.c.plan, runs.c.finished_at, runs.c.status)
    seen: set[str] = set()
    ended = []
    for id_, target, plan, finished, status in unit.fetch(
        sa.select(*columns).order_by(runs.c.started_at.desc(), runs.c.id)
    ):
        if target not in seen:  # the newest tells whether sqlscore made the target
            kept.add(id_)
        seen.add(target)
        if status in ENDED and id_ not in leased and finished is not None:
            found = Plan.from_json(plan)
            ended.append(_Ended(id=id_, target=target, plan=found, finished_at=finished))
    return ended, kept


def _of_runs(tables: Tables) -> list[sa.Table]:
    """The tables whose rows belong to a run; a lease and a watermark only name one."""
    others = (tables.leases, tables.watermarks)
    return [t for t in tables.metadata.tables.values() if "run" in t.c and t not in others]


def _count(unit: Unit, table: sa.Table, runs: Sequence[str]) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return sum(
        int(unit.fetch(query.where(table.c.run.in_(some)))[0][0]) for some in _in_parts(runs)
    )


def _delete(unit: Unit, column: sa.Column[Any], runs: Sequence[str]) -> None:
    for some in _in_parts(runs):
        unit.execute(sa.delete(column.table).where(column.in_(some)))


def _in_parts(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(runs), _AT_ONCE):
        yield runs[start : start + _AT_ONCE]


def _left(work: Work, runs: Sequence[_Ended]) -> list[sa.Table]:
    """The tables that the runs' plans name and that are there still."""
    named = [table for run in runs for table in staging.tables_of(work, run.plan, run.target)]
    with translated("looking for staged tables"), work.engines.target.connect() as connection:
        there = sa.inspect(connection)
        return [table for table in named if there.has_table(table.name, table.schema)]
