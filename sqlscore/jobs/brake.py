"""What stops a run between two batches, or slows it: a cancel, its deadline, its speed limit.

Another process cancels a run by a word in its row (`Status.CANCELLING`), for which a thread of the
run asks every second, where other processes can write to the database at all. In the same process
the run is told directly, on every product.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import RunStopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.jobs.limits import Limits
    from sqlscore.jobs.work import Work

_ASK = 1.0  #: seconds between two looks at a run's row
_here: dict[str, Brake] = {}  #: the runs of this process, by their ids


class Brake:
    """Raises `RunStopped` from whatever asks, once a run must stop. Safe to use from threads."""

    def __init__(self, limits: Limits) -> None:
        self._cancelled = threading.Event()
        deadline = limits.seconds("deadline")
        self._seconds = deadline
        self._end = None if deadline is None else time.monotonic() + deadline
        self._rate = limits.max_rows_per_second
        self._due = time.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the run to stop; it does before its next batch."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `RunStopped` if the run was cancelled, or its deadline has passed."""
        if self.cancelled:
            raise RunStopped(f"the run was cancelled. {_STAYS}")
        if self._end is not None and time.monotonic() >= self._end:
            raise RunStopped(f"the deadline of {self._seconds:g} s has passed. {_STAYS}")

    def wait(self, seconds: float) -> None:
        """Sleep so long, but no longer than until the run must stop, and then raise."""
        if self._end is not None:
            seconds = min(seconds, max(0.0, self._end - time.monotonic()))
        self._cancelled.wait(seconds)
        self.check()

    def pace(self, rows: int) -> None:
        """Return when so many more rows may be taken on."""
        self.check()
        if self._rate is None:
            return
        now = time.monotonic()
        self._due = max(self._due, now)
        if self._due > now:
            self.wait(self._due - now)
        self._due += rows / self._rate


_STAYS = "What is committed stays, and the same command goes on from there (or --abandon gives up)"


def cancel_here(run: str) -> bool:
    """Cancel a run of this process; whether there is one of that id."""
    brake = _here.get(run)
    if brake is not None:
        brake.cancel()
    return brake is not None


@contextmanager
def applied(brake: Brake, work: Work, run: str) -> Iterator[None]:
    """Let a run be cancelled while the block runs."""
    _here[run] = brake
    ended = threading.Event()
    thread = None
    if work.product.shared and work.product.reads_elsewhere(work.engines.target):
        thread = threading.Thread(
            target=_watch, args=(brake, work, run, ended), name="sqlscore-cancel", daemon=True
        )
        thread.start()
    try:
        yield
    finally:
        del _here[run]
        ended.set()
        if thread is not None:
            thread.join()


def _watch(brake: Brake, work: Work, run: str, ended: threading.Event) -> None:
    """Ask every second whether somebody cancelled the run, until it ended or was cancelled."""
    asked = work.records.cancelling(run)
    while not (brake.cancelled or ended.wait(_ASK)):
        # what is wrong with the database is for the run itself to find
        with suppress(sa.exc.SQLAlchemyError), work.engines.target.connect() as connection:
            if connection.execute(asked).first() is not None:
                brake.cancel()
