"""A run in a process of its own, which kills itself at a chosen moment: ``python child.py JSON``.

The JSON names the database, the job, and the moment: a function, whether it is entered or left,
how often it may pass before, and the signal. Ranges are of the size that it says; small ones make
few rows many of them. Asked to, it says after each how many rows are done.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import warnings
from typing import Any

import sqlscore
from sqlscore.jobs import planning


def arm(place: str, *, when: str, passes: int, how: str) -> None:
    """Send ourselves a signal when a function is entered, or has returned, once too often."""
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    function, left = getattr(owner, name), [passes]

    def fire() -> None:
        if left[0] == 0:
            os.kill(os.getpid(), getattr(signal, how))
        left[0] -= 1

    def armed(*given: Any, **chosen: Any) -> Any:
        if when == "enter":
            fire()
        found = function(*given, **chosen)
        if when == "leave":
            fire()
        return found

    setattr(owner, name, armed)


def tell(progress: Any) -> None:
    """Say how far the run is, and wait until that was heard."""
    sys.stdout.write(f"{progress.rows}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(order: dict[str, Any]) -> None:
    warnings.simplefilter("error")
    planning.RANGE_ROWS = order.get("range_rows", planning.RANGE_ROWS)
    if order.get("moment"):
        arm(**order["moment"])
    with sqlscore.connect(order["url"]) as database:
        run = database.score(**order["job"], on_progress=tell if order.get("telling") else None)
    sys.stdout.write(json.dumps({"id": run.id, "rows": run.rows, "resumed": run.resumed}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
