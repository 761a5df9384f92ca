"""Runs that are killed and started again until they are done."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.faults import child

if TYPE_CHECKING:
    import random
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from tests.fixtures.scoring import Shop

CHILD = Path(__file__).parent / "child.py"
ROOT = Path(__file__).parents[2]
RANGE_ROWS = 50
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.nursery"])
KILLS: Counter[str] = Counter()  #: runs that were killed and not counted yet, by database


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process that scores, and perhaps kills itself."""

    process: ForkServerProcess
    pid: int
    heard: Connection = field(repr=False)  #: the run, or the trace of what went wrong
    product: str  #: SQLAlchemy's name


def started(shop: Shop, moment: dict[str, Any] | None = None, **job: Any) -> Child:
    """A process that scores customers into predictions, and perhaps kills itself.

    It is forked from one that has imported all that a run needs, which takes longer than the run.
    """
    order = {
        "url": shop.database.url,
        "range_rows": RANGE_ROWS,
        "moment": moment,
        "job": {"models": "churn", "source": "customers", "target": "predictions", **job},
    }
    shop.database.engine.dispose()  # an embedded database is for one process at a time
    heard, caller = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=child.answer, args=(order, caller))
    process.start()
    assert process.pid is not None
    caller.close()
    product = sa.make_url(shop.database.url).get_backend_name()
    return Child(process=process, pid=process.pid, heard=heard, product=product)


def ended(one: Child) -> tuple[int | None, Any]:
    """How a process ended, and what it said; one that was killed is counted."""
    try:
        said = one.heard.recv() if one.heard.poll(120) else "it does not end"
    except EOFError:
        said = None
    one.process.join(10)
    if one.process.exitcode == -signal.SIGKILL:
        KILLS[one.product] += 1
    return one.process.exitcode, said


def killed_after(shop: Shop, seconds: float, **job: Any) -> bool:
    """Start a run and kill it after a while; whether it was still running."""
    one = started(shop, **job)
    time.sleep(seconds)
    alive = one.process.exitcode is None
    one.process.kill()
    code, said = ended(one)
    assert alive or code == 0, said
    return alive


def done(shop: Shop, **job: Any) -> dict[str, Any]:
    """Start a run and let it end."""
    code, said = ended(started(shop, **job))
    assert code == 0, said
    found: dict[str, Any] = said
    return found


def time_of(shop: Shop, **job: Any) -> tuple[float, float]:
    """When the work of a run begins and ends after the start of its process, about, in seconds."""
    began = time.monotonic()
    code, said = ended(
        started(shop, {"place": "sqlscore.jobs.run:start", "when": "enter", "passes": 0,
                       "how": "SIGKILL"}, **job)
    )  # fmt: skip
    assert code == -9, said
    start = time.monotonic() - began
    began = time.monotonic()
    done(shop, **job)
    return start, time.monotonic() - began


def moments(draw: random.Random, start: float, end: float, number: int) -> list[float]:
    """So many moments spread over the work of a run, a little beside each other each time."""
    step = (end - start) / number
    return [start + step * (i + draw.random()) for i in range(number)]
