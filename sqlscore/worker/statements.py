"""The statements by which a part is taken and given back, made once: making them takes as long as
the database takes for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlscore.worker.queue_tables import QueueTables

#: FOR UPDATE in SQL Server's words; a database with row versions wants the last one
_LOCKED = "WITH (UPDLOCK, ROWLOCK, READCOMMITTEDLOCK)"
_SKIP_LOCKED = "WITH (UPDLOCK, ROWLOCK, READPAST, READCOMMITTEDLOCK)"

# written out, so that the index of open parts is seen to serve
WAITING, TAKEN, DONE, FAILED = (
    sa.literal(word, literal_execute=True) for word in ("waiting", "taken", "done", "failed")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """Their parameters are named by what they are: ``a_job``, ``a_part``, ``its_attempts``, …"""

    next: sa.Select[Any]  #: the part to take, locked, with what its job says
    take: sa.Update
    lock: sa.Select[int]  #: a job that has not ended
    mine: sa.Select[int]  #: a part that a worker has
    give: sa.Update
    end: sa.Update  #: what a part's predictions mean for its job
    release: sa.Update


@cache
def statements(tables: QueueTables) -> Statements:
    """Those for a queue's tables."""
    jobs, parts = tables.jobs, tables.parts
    names = ("a_job", "a_part", "a_worker", "the_time", "its_attempts")
    given: list[sa.BindParameter[Any]] = [sa.bindparam(name) for name in names]
    job, part, worker, at, attempts = given
    mine = (
        parts.c.job == job, parts.c.part == part, parts.c.status == TAKEN,
        parts.c.worker == worker, parts.c.attempts == attempts,
    )  # fmt: skip
    left = sa.exists().where(parts.c.job == job, parts.c.status != DONE)
    # not joined: a lock is wanted on the part alone
    of_job = [
        sa.select(column).where(jobs.c.id == parts.c.job).scalar_subquery().label(column.name)
        for column in (jobs.c.model, jobs.c.version, jobs.c.sha256, jobs.c.columns)
    ]
    return Statements(
        next=sa.select(parts.c.job, parts.c.part, parts.c.attempts, parts.c.given, *of_job)
        .where(parts.c.status == WAITING)
        .order_by(parts.c.part, parts.c.job)
        .limit(1)
        .with_for_update(skip_locked=True)
        .with_hint(parts, _SKIP_LOCKED, "mssql"),
        take=sa.update(parts)
        .where(parts.c.job == job, parts.c.part == part)
        .values(status=TAKEN, worker=worker, heartbeat=at, attempts=attempts),
        lock=sa.select(jobs.c.id)
        .where(jobs.c.id == job, jobs.c.status == WAITING)
        .with_for_update()
        .with_hint(jobs, _LOCKED, "mssql"),
        mine=sa.select(parts.c.job).where(*mine),
        give=sa.update(parts)
        .where(*mine)
        .values(status=DONE, predicted=sa.bindparam("found"), worker=None, heartbeat=None),
        end=sa.update(jobs)
        .where(jobs.c.id == job)
        .values(
            carried=sa.bindparam("its_carried"), predictions=sa.bindparam("its_predictions"),
            finished_at=at, status=sa.case((left, WAITING), else_=DONE),
        ),
        release=sa.update(parts).where(*mine).values(status=WAITING),
    )  # fmt: skip
