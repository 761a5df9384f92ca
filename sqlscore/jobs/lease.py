"""Who may write a target now: one row per target, in the target's own database.

A run takes the lease before it does anything, and every unit that it commits checks the lease's
token first, in the same transaction, so a run that lost its lease cannot commit. A lease whose
owner is dead is taken over: at once where the owner was a process of this host that is gone, or
this process itself, which knows what it holds; else when its heartbeat is older than `EXPIRY`.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError, JobConflict
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.products.product import Product, Unit
    from sqlscore.tables import Tables

#: a lease without a heartbeat for so long is given up
EXPIRY = timedelta(seconds=60)
_HEARTBEAT = 10.0  # seconds
_ours: set[str] = set()  # tokens that this process holds; a row of ours beside them was left behind


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to write one target, while the token in its row is ours."""

    tables: Tables
    target: str
    run: str
    token: str

    def check(self, unit: Unit) -> None:
        """Renew the lease as part of a unit, or raise `JobConflict` if another run took it over.

        The update locks the row until the unit ends, so nobody takes it over in between.
        """
        leases = self.tables.leases
        ours = sa.and_(leases.c.target == self.target, leases.c.token == self.token)
        unit.execute(sa.update(leases).where(ours).values(heartbeat=now()))
        if not unit.fetch(sa.select(leases.c.token).where(ours)):
            raise JobConflict(
                f"run {self.run} lost its lease on {self.target!r}: another run took it over while "
                "this one gave no sign of life. What this run had committed stays and is right; "
                "see 'sqlscore run list'"
            )

    def release(self, unit: Unit) -> None:
        """Give the lease back as part of a unit."""
        leases = self.tables.leases
        unit.execute(
            sa.delete(leases).where(leases.c.target == self.target, leases.c.token == self.token)
        )


def owner() -> str:
    """This process, as lease and run rows name it: host, process number, and when it started."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def alive(name: str) -> bool | None:
    """Whether an owner still runs; None where that cannot be told from this host."""
    host, pid, started = name.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return started == _started(int(pid))


def _started(pid: int) -> str:
    """When a process started, so that a number used again is not taken for it; Linux only.

    A process that ended and waits for its parent to look (a zombie) started never.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "unknown"
    return "ended" if fields[0] in "ZX" else fields[19]


def acquire(engine: sa.Engine, product: Product, tables: Tables, *, target: str, run: str) -> Lease:
    """Take the lease on a target, from nobody or from a dead run. `JobConflict` if it is held."""
    lease = Lease(tables=tables, target=target, run=run, token=uuid.uuid4().hex)
    leases = tables.leases
    values = {
        "run": run, "owner": owner(), "token": lease.token,
        "acquired_at": now(), "heartbeat": now(),
    }  # fmt: skip
    with product.unit(engine, None) as unit:
        held = unit.fetch(
            sa.select(leases.c.run, leases.c.owner, leases.c.token, leases.c.acquired_at,
                      leases.c.heartbeat).where(leases.c.target == target)
        )  # fmt: skip
        if held:
            _refuse_if_held(target, *held[0], server=product.server)
            _, _, token, _, heartbeat = held[0]
            unit.execute(
                sa.update(leases)
                # a heartbeat that waited for a long unit to commit says that its run is alive
                .where(leases.c.target == target, leases.c.token == token,
                       leases.c.heartbeat == heartbeat)
                .values(values)
            )  # fmt: skip
        else:
            _insert(unit, leases, {"target": target, **values})
        # two that took over a dead run's lease at once: the row says which of them has it
        mine = sa.select(leases.c.token).where(leases.c.token == lease.token)
        if not unit.fetch(mine):
            raise _taken(target)
        _ours.add(lease.token)
        unit.commit()
    return lease


def _insert(unit: Unit, leases: sa.Table, values: dict[str, object]) -> None:
    try:
        unit.execute(sa.insert(leases).values(values))
    except DatabaseError as error:
        if not isinstance(error.__cause__, sa.exc.IntegrityError):
            raise
        raise _taken(values["target"]) from error


def _taken(target: object) -> JobConflict:
    return JobConflict(
        f"another run took the lease on {target!r} in this very moment; see 'sqlscore run list'"
    )


def _refuse_if_held(
    target: str, run: str, name: str, token: str, since: datetime, heartbeat: datetime, *,
    server: bool,
) -> None:  # fmt: skip
    running = token in _ours if name == owner() else alive(name)
    expired = now() - heartbeat > EXPIRY
    # on an embedded database nothing renews the lease of a process that lives, but its units
    if (running and not server) or (running is not False and not expired):
        host, pid, _ = name.rsplit(":", 2)
        raise JobConflict(
            f"the target {target!r} is held by run {run} on {host} (process {pid}) since "
            f"{since:%Y-%m-%d %H:%M:%S} UTC, last seen {heartbeat:%H:%M:%S}. Wait for it, or end "
            f"it; a run that gives no sign of life for {EXPIRY.seconds} s is taken over"
        )


@contextmanager
def kept(engine: sa.Engine, product: Product, lease: Lease) -> Iterator[None]:
    """Renew the lease from a thread of its own while the block runs.

    On an embedded database no thread writes beside the run: the owner's process tells whether it
    is alive, and each unit renews the lease.
    """
    try:
        with _renewed(engine, product, lease) if product.server else nullcontext():
            yield
    finally:
        _ours.discard(lease.token)


@contextmanager
def _renewed(engine: sa.Engine, product: Product, lease: Lease) -> Iterator[None]:
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_HEARTBEAT):
            # a database that is away for a moment, or a lost lease, is found by the next unit
            with suppress(DatabaseError, JobConflict), product.unit(engine, None) as unit:
                lease.check(unit)
                unit.commit()

    thread = threading.Thread(target=renew, name="sqlscore-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
