"""Who holds a target now, and whether a run that says it is at work still is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.jobs.lease import EXPIRY, alive
from sqlscore.jobs.status import Run, Status
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlscore.products.product import Product, Unit
    from sqlscore.tables import Tables

_AT_WORK = (
    Status.PLANNING, Status.RUNNING, Status.CANCELLING, Status.SWAPPING, Status.CLEANING,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """A lease as others see it."""

    run: str
    owner: str  #: host, process and its start
    since: datetime
    seen: datetime  #: its last sign of life

    def __str__(self) -> str:
        host, pid, _ = self.owner.rsplit(":", 2)
        return (
            f"run {self.run} on {host} (process {pid}) since {self.since:%Y-%m-%d %H:%M:%S} UTC, "
            f"last seen {self.seen:%H:%M:%S}"
        )

    def working(self, *, server: bool) -> bool:
        """Whether its process still is; on a server a lease of another host tells by its age.

        On an embedded database a lease is renewed by the units alone, however far apart they are.
        """
        running = alive(self.owner)
        expired = server and now() - self.seen > EXPIRY
        return bool(running) if running is not None else not expired


def as_they_are(runs: Sequence[Run], unit: Unit, tables: Tables, product: Product) -> list[Run]:
    """The runs, each with who holds its target; one that nobody works on any more is killed.

    A run holds the lease until its row says how it ended.
    """
    leases = tables.leases
    query = sa.select(
        leases.c.target, leases.c.run, leases.c.owner, leases.c.acquired_at, leases.c.heartbeat
    )
    holders = {
        target: Holder(run=run, owner=owner, since=since, seen=seen)
        for target, run, owner, since, seen in unit.fetch(query)
    }
    return [_as_it_is(run, holders.get(run.target), server=product.server) for run in runs]


def _as_it_is(run: Run, holder: Holder | None, *, server: bool) -> Run:
    held = holder is not None and holder.run == run.id and holder.working(server=server)
    status = run.status if held or run.status not in _AT_WORK else Status.KILLED
    told = str(holder) if holder is not None and run.unfinished else None
    return dataclasses.replace(run, status=status, holder=told)
