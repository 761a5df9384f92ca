"""A run as it is told: how far it got, and what it has counted."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sqlscore.predictor import Counts


class Status(StrEnum):
    """How far a run got."""

    PLANNING = "planning"  #: its ranges are not stored yet; nothing is written to the target
    RUNNING = "running"  #: ranges are being done
    CANCELLING = "cancelling"  #: it was asked to stop, and does before its next batch
    SWAPPING = "swapping"  #: the staged table is taking the target's place (non-transactional DDL)
    CLEANING = "cleaning"  #: the target is whole; what was staged is being dropped
    DONE = "done"
    FAILED = "failed"  #: it ended with an error; it can be resumed if its ranges are stored
    CANCELLED = "cancelled"  #: it was asked to stop, and has; likewise
    ABANDONED = "abandoned"  #: given up; another run may do its work anew
    KILLED = "killed"  #: its process is gone and wrote nothing of it: shown, and never stored


#: nobody goes on with these
ENDED = (Status.DONE, Status.ABANDONED)
#: what a model as SQL does not look for: that costs as much as the model
UNCOUNTED = ("nans", "infinities", "overflows", "unknown", "outside")
STOPPABLE = (Status.PLANNING, Status.RUNNING)  #: a run that is one of these can be cancelled


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a job."""

    id: str
    job: str  #: its name, or the hash of what it does
    status: Status
    models: tuple[str, ...]  #: the exact versions: ``churn:3``
    source: str
    target: str
    mode: str
    rows: int  #: scored and committed, over all tries
    total: int | None  #: rows that the source had when the run began; None: not counted
    ranges: int
    ranges_done: int
    counts: Counts  #: NULL, NaN and ±inf by feature and prediction; of several models, each its own
    owner: str  #: host, process and its start
    started_at: datetime  #: UTC
    finished_at: datetime | None
    error: str | None
    providers: tuple[str, ...] = ()  #: where each model ran and why; none: on the CPU, as asked
    route: str = "bridge"  #: where the models ran: ``bridge`` or ``push-down``
    because: tuple[str, ...] = ()  #: why there, where the job said ``auto``
    removed: int = 0  #: predictions whose source row is gone, where the job removes them
    holder: str | None = None  #: who may write its target now, since when, by whose run
    unmarked: int = 0  #: rows whose watermark is NULL: no incremental run reads them
    resumed: bool = False  #: this call went on with a run that was there

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The kinds of a `Tally` that this run did not look for: their zeros say nothing."""
        return UNCOUNTED if self.route == "push-down" else ()

    @property
    def quarantined(self) -> int:
        """Rows that could not be scored, and are in quarantine."""
        return self.counts.bad

    @property
    def unfinished(self) -> bool:
        """Whether the next command of the same job has something to do about it."""
        return self.status not in ENDED

    @property
    def planned(self) -> bool:
        """Whether its ranges are stored, so that it can be gone on with; else it begins anew."""
        return self.ranges > 0

    @property
    def seconds(self) -> float | None:
        """From the run's start to its end; None while it has none."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


def new_id() -> str:
    """An id for a run: no two are equal."""
    return uuid.uuid4().hex[:16]
