"""What a worker takes from the queue, and gives back: each call is one short transaction.

A part belongs to the worker that took it as long as its row says so: what it gives back counts only
then, so nothing is written twice. A worker is a process and, behind a slash, the thread in it. A
part whose worker is dead is for the next one: at once where that was a process of this host that is
gone, else when its heartbeat is old (`jobs.lease`). A thread that lost its connection gives back
itself what it had taken.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.jobs.lease import EXPIRY, alive
from sqlscore.tables import now
from sqlscore.worker.parts import Claim
from sqlscore.worker.statements import FAILED, TAKEN, WAITING, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from sqlscore.products.queue import Queue
    from sqlscore.worker.parts import Scored
    from sqlscore.worker.queue_tables import QueueTables

_AT_ONCE = 500  #: jobs that are deleted by one statement
ATTEMPTS = 3  #: a part that so many workers took and none gave back is not tried again


class Claims:
    """The queue of one database, in the eyes of one worker, over a connection of its own."""

    def __init__(
        self,
        connection: sa.Connection,
        tables: QueueTables,
        worker: str,
        queue: Queue,
    ) -> None:
        #: whether each statement is a transaction, unless it is said
        self._at_once = queue.take is not None
        if self._at_once:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        self._connection = connection
        self._queue = queue
        self._jobs, self._parts = tables.jobs, tables.parts
        self._statements = statements(tables)
        self._worker = worker

    def take(self) -> Claim | None:
        """The next part; None where none waits. First parts go first, so small jobs soon come."""
        if self._queue.take is not None:
            at = {"a_worker": self._worker, "the_time": now()}
            with self._connection.begin():
                found = self._connection.execute(self._queue.take, at).mappings().one_or_none()
            return None if found is None else Claim(**found)
        made = self._statements
        with self._begun() as connection:
            row = connection.execute(made.next).mappings().one_or_none()
            if row is None:
                return None
            claim = Claim(**{**row, "attempts": row["attempts"] + 1})
            connection.execute(made.take, self._mine(claim) | {"the_time": now()})
        return claim

    def give(self, claim: Claim, scored: Scored) -> bool:
        """Store a part's predictions; False where it is no longer ours, or its job is gone."""
        made = self._statements
        mine = self._mine(claim) | {"found": scored.predicted}
        said = {
            "a_job": claim.job, "the_time": now(), "its_carried": scored.carried,
            "its_predictions": scored.predictions,
        }  # fmt: skip
        if self._queue.give is not None:
            with self._connection.begin():
                given: bool = self._connection.scalars(self._queue.give, mine | said).one()
            return given
        with self._begun() as connection:
            if not self._locked(connection, claim.job):
                return False
            if not connection.execute(made.give, mine).rowcount:
                return False
            connection.execute(made.end, said)
        return True

    def fail(self, claim: Claim, error: str) -> None:
        """End a job with an error, for its caller to read; its rows are of no use any more."""
        with self._begun() as connection:
            mine = self._statements.mine, self._mine(claim)
            if self._locked(connection, claim.job) and connection.execute(*mine).first():
                self._end(connection, claim.job, error)

    def release(self, claim: Claim) -> None:
        """Give a part back as it was, to be tried again."""
        with self._begun() as connection:
            connection.execute(self._statements.release, self._mine(claim))

    def return_all(self) -> None:
        """Give back what this worker took: it begins, and knows of nothing that it has."""
        parts = self._parts
        with self._begun() as connection:
            connection.execute(
                sa.update(parts)
                .where(parts.c.status == TAKEN, parts.c.worker == self._worker)
                .values(status=WAITING)
            )

    def recover(self) -> int:
        """Give parts of dead workers back to the queue; how many. The last attempt's end is the
        job's."""
        parts = self._parts
        taken = sa.select(
            parts.c.job, parts.c.part, parts.c.attempts, parts.c.worker, parts.c.heartbeat
        ).where(parts.c.status == TAKEN)
        with self._begun() as connection:
            left = [row for row in connection.execute(taken) if _is_left(row.worker, row.heartbeat)]
            for row in left:
                # a heartbeat that came meanwhile says that its worker lives
                as_seen = (
                    parts.c.job == row.job, parts.c.part == row.part, parts.c.status == TAKEN,
                    parts.c.attempts == row.attempts, parts.c.worker == row.worker,
                    parts.c.heartbeat == row.heartbeat,
                )  # fmt: skip
                if row.attempts >= ATTEMPTS:
                    self._give_up(connection, row.job, as_seen)
                else:
                    connection.execute(sa.update(parts).where(*as_seen).values(status=WAITING))
        return len(left)

    def beat(self, workers: Sequence[str]) -> None:
        """Say that these workers live."""
        parts = self._parts
        with self._begun() as connection:
            connection.execute(
                sa.update(parts)
                .where(parts.c.status == TAKEN, parts.c.worker.in_(workers))
                .values(heartbeat=now())
            )

    def clean(self, keep: timedelta) -> int:
        """Take jobs away that ended so long ago; how many.

        They are found first, and deleted by their numbers: a DELETE that looks for them could wait
        for a caller's job that is not committed.
        """
        jobs, parts = self._jobs, self._parts
        old = sa.and_(jobs.c.status != WAITING, jobs.c.finished_at < now() - keep)
        count = 0
        while True:
            with self._begun() as connection:
                ended = connection.scalars(sa.select(jobs.c.id).where(old).limit(_AT_ONCE)).all()
                if not ended:
                    return count
                connection.execute(sa.delete(parts).where(parts.c.job.in_(ended)))
                count += connection.execute(sa.delete(jobs).where(jobs.c.id.in_(ended))).rowcount

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        """For a transaction of several statements."""
        connection = self._connection
        with connection.begin():
            if self._at_once:
                connection.exec_driver_sql("BEGIN")
            try:
                for statement in self._queue.begins:
                    connection.exec_driver_sql(statement)
                yield connection
            except BaseException:
                with suppress(sa.exc.DBAPIError):
                    self._end_by_hand("ROLLBACK")
                raise
            self._end_by_hand("COMMIT")

    def _end_by_hand(self, how: str) -> None:
        if self._at_once:
            self._connection.exec_driver_sql(how)

    def _locked(self, connection: sa.Connection, job: int) -> bool:
        """Lock a job, so that one worker sees its end; False where it is gone, or has ended."""
        return connection.execute(self._statements.lock, {"a_job": job}).first() is not None

    def _mine(self, claim: Claim) -> dict[str, object]:
        return {
            "a_job": claim.job, "a_part": claim.part, "a_worker": self._worker,
            "its_attempts": claim.attempts,
        }  # fmt: skip

    def _give_up(
        self, connection: sa.Connection, job: int, as_seen: tuple[sa.ColumnElement[bool], ...]
    ) -> None:
        seen = sa.select(self._parts.c.job).where(*as_seen)
        if self._locked(connection, job) and connection.execute(seen).first():
            self._end(
                connection,
                job,
                f"{ATTEMPTS} workers in a row ended while they scored the same rows of this job, "
                "so it is not tried again. Their log or the system's says why: a crash, memory",
            )

    def _end(self, connection: sa.Connection, job: int, error: str) -> None:
        jobs, parts = self._jobs, self._parts
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.id == job)
            .values(status=FAILED, error=error, finished_at=now())
        )
        connection.execute(sa.delete(parts).where(parts.c.job == job))


def _is_left(worker: str, heartbeat: datetime) -> bool:
    """Whether a part's worker is dead, or has been silent for too long."""
    running = alive(worker.partition("/")[0])
    return running is False or now() - heartbeat > EXPIRY
