"""Runs that are killed and started again until they are done."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    import random

    from tests.fixtures.scoring import Shop

CHILD = Path(__file__).parent / "child.py"
ROOT = Path(__file__).parents[2]
RANGE_ROWS = 50
KILLS: Counter[str] = Counter()  #: runs that were killed and not counted yet, by database


def started(shop: Shop, moment: dict[str, Any] | None = None, **job: Any) -> Any:
    """A process that scores customers into predictions, and perhaps kills itself."""
    order = {
        "url": shop.database.url,
        "range_rows": RANGE_ROWS,
        "moment": moment,
        "job": {"models": "churn", "source": "customers", "target": "predictions", **job},
    }
    shop.database.engine.dispose()  # an embedded database is for one process at a time
    return subprocess.Popen(
        [sys.executable, str(CHILD), json.dumps(order)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def ended(child: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """How a process ended, and what it said; one that was killed is counted."""
    out, err = child.communicate(timeout=120)
    if child.returncode == -signal.SIGKILL:
        order = json.loads(str(child.args[-1]))  # type: ignore[index]
        KILLS[sa.make_url(order["url"]).get_backend_name()] += 1
    return child.returncode, out.decode(), err.decode()


def killed_after(shop: Shop, seconds: float, **job: Any) -> bool:
    """Start a run and kill it after a while; whether it was still running."""
    child = started(shop, **job)
    time.sleep(seconds)
    alive = child.poll() is None
    child.kill()
    code, _, err = ended(child)
    assert alive or code == 0, err
    return alive


def done(shop: Shop, **job: Any) -> dict[str, Any]:
    """Start a run and let it end."""
    code, out, err = ended(started(shop, **job))
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def time_of(shop: Shop, **job: Any) -> tuple[float, float]:
    """When the work of a run begins and ends after the start of its process, about, in seconds."""
    began = time.monotonic()
    code, _, err = ended(
        started(shop, {"place": "sqlscore.jobs.run:start", "when": "enter", "passes": 0,
                       "how": "SIGKILL"}, **job)
    )  # fmt: skip
    assert code == -9, err
    start = time.monotonic() - began
    began = time.monotonic()
    done(shop, **job)
    return start, time.monotonic() - began


def moments(draw: random.Random, start: float, end: float, number: int) -> list[float]:
    """So many moments spread over the work of a run, a little beside each other each time."""
    step = (end - start) / number
    return [start + step * (i + draw.random()) for i in range(number)]
