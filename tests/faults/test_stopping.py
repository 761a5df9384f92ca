"""Runs that are stopped on purpose, and what is shown of those that were killed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import sqlscore
from sqlscore.cli import main
from sqlscore.errors import JobConflict, RunStopped
from sqlscore.jobs.limits import Limits
from sqlscore.jobs.status import Status
from tests.faults import killed
from tests.fixtures.scoring import Shop, expected, small_ranges

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 900, 3)
#: seconds in which a cancel is seen, of the half minute that a slow run takes, on a slow machine
SOON = 8


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch)
    return Shop.on(database)


def finished(shop: Shop, run: str) -> None:
    """The next start goes on with the run, and all is there once."""
    again = shop.score()
    assert (again.id, again.resumed, again.rows, again.counts.rows) == (run, True, 300, 300)
    assert shop.found() == expected(IDS)


def test_a_deadline(shop: Shop):
    limits = Limits(deadline=0.6, max_rows_per_second=200)
    with pytest.raises(RunStopped, match=r"deadline of 0\.6 s has passed.*goes on from there") as e:
        shop.score(limits=limits)
    stopped: Any = e.value.run
    assert stopped.status is Status.FAILED
    assert stopped.rows < len(IDS)
    if stopped.rows:  # on a slow machine the deadline may pass before the target is made
        assert len(shop.found()) == stopped.rows
    if stopped.ranges:  # or even before it is planned: then it is begun anew
        finished(shop, stopped.id)


def test_a_speed_limit(shop: Shop):
    began = time.monotonic()
    shop.score(limits=Limits(max_rows_per_second=400))
    assert time.monotonic() - began > 0.6  # 300 rows, of which the last batch waits for nobody
    assert shop.found() == expected(IDS)


def slow_run(shop: Shop) -> tuple[threading.Thread, list[BaseException]]:
    """A run in a thread of its own that takes half a minute, once it has written something."""
    under_way = threading.Event()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            shop.score(
                limits=Limits(max_rows_per_second=10),
                on_progress=lambda p: under_way.set() if p.rows else None,
            )
        except RunStopped as stopped:
            ended.append(stopped)

    thread = threading.Thread(target=run)
    thread.start()
    assert under_way.wait(60)
    return thread, ended


def test_a_cancel_from_another_process(shop: Shop):
    if not shop.database.product.shared:
        pytest.skip("no other process can have the file")
    thread, ended = slow_run(shop)
    (run,) = shop.scoring.runs()
    assert (run.status, run.id in str(run.holder)) == (Status.RUNNING, True)
    command = [sys.executable, "-m", "sqlscore", "run", "cancel", run.id, "--json"]
    done = subprocess.run(
        command, env={"SQLSCORE_DB": shop.database.url, "PYTHONPATH": str(killed.ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    asked = time.monotonic()
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["status"] in ("cancelling", "cancelled")
    thread.join()
    assert time.monotonic() - asked < SOON
    assert "the run was cancelled" in str(ended[0])
    (run,) = shop.scoring.runs()
    assert (run.status, run.rows) == (Status.CANCELLED, len(shop.found()))
    assert run.rows < 300
    with pytest.raises(JobConflict, match="is cancelled: nothing of it runs"):
        shop.scoring.cancel(run.id)
    finished(shop, run.id)


def test_a_cancel_from_another_thread(shop: Shop):
    thread, ended = slow_run(shop)
    (run,) = shop.scoring.runs()
    asked = time.monotonic()
    shop.scoring.cancel(run.id[:8])
    thread.join()
    assert time.monotonic() - asked < SOON
    assert ended
    assert shop.scoring.run(run.id).status is Status.CANCELLED
    assert shop.score(abandon=True).status is Status.ABANDONED
    assert shop.score().resumed is False
    assert shop.found() == expected(IDS)


def test_a_killed_run_is_shown_as_such(database: Database, capsys: pytest.CaptureFixture[str]):
    shop = Shop.on(database)
    writer = "sqlscore.jobs.scoring:Writer.__call__"
    moment = {"place": writer, "when": "leave", "passes": 2, "how": "SIGKILL"}
    child = killed.started(shop, moment)
    assert killed.ended(child)[0] == -9
    with sqlscore.connect(database.url) as found:
        (run,) = found.runs()
        assert (run.status, run.rows) == (Status.KILLED, 150)
        assert f"run {run.id} on " in str(run.holder)
        assert f"(process {child.pid}) since " in str(run.holder)
        with pytest.raises(JobConflict, match="is killed: nothing of it runs"):
            found.cancel(run.id)
    assert main(["run", "show", run.id, "--db", database.url]) == 0
    shown = capsys.readouterr().out
    assert "killed" in shown
    assert f"(process {child.pid})" in shown
    finished(shop, run.id)
    assert shop.scoring.run(run.id).holder is None
