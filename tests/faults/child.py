"""A run in a process of its own, which kills itself at a chosen moment.

By ``python child.py JSON``, or forked from a process that has imported this (`answer`). The order
names the database, the job, and the moment: a function, whether it is entered or left, how often it
may pass before, and the signal. Ranges are of the size that it says; small ones make few rows many
of them. Asked to, it says after each how many rows are done.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import sqlscore
from sqlscore.jobs import planning

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


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


def answer(order: dict[str, Any], caller: Connection) -> None:
    """Tell the caller the run, or how it went wrong, which then ends this process."""
    os.environ.clear()
    try:
        caller.send(score(order))
    except BaseException:
        caller.send(traceback.format_exc())
        raise


def score(order: dict[str, Any]) -> dict[str, Any]:
    """The run, as far as the tests ask for it."""
    warnings.simplefilter("error")
    if "range_rows" in order:
        planning.usual_rows = lambda product: int(order["range_rows"])
    if order.get("moment"):
        arm(**order["moment"])
    with sqlscore.connect(order["url"]) as database:
        run = database.score(**order["job"], on_progress=tell if order.get("telling") else None)
    return {"id": run.id, "rows": run.rows, "resumed": run.resumed}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(score(json.loads(sys.argv[1]))))
