"""Workers of a queue that are killed, that die of a job, and whose server goes away."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

from sqlscore.worker.scoring import Scoring
from tests.contract.test_queue import call, rows_of, submitted, working
from tests.faults.killed import ROOT
from tests.fixtures.scoring import FEATURES, NEWER, Shop, customers, expected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.worker.parts import Claim, Scored
    from tests.fixtures.databases import Database

pytestmark = pytest.mark.usefixtures("roles")

ROWS = 20_000
SCORE = {
    "postgres": "CALL sqlscore.score('churn', 'many', 'scored', 'id')",
    "mariadb": "CALL sqlscore_score('churn', 'many', 'scored', 'id')",
}
PARTS = {"postgres": "sqlscore.queue_parts", "mariadb": "sqlscore_queue_parts"}
JOBS = {"postgres": "sqlscore.queue_jobs", "mariadb": "sqlscore_queue_jobs"}


@pytest.fixture(params=tuple(SCORE))
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    shop = Shop.on(request.getfixturevalue(request.param))
    shop.scoring.install(queue=True)
    shop.create("many", customers(range(ROWS)))
    yield shop
    shop.scoring.uninstall()


def started(shop: Shop) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sqlscore", "worker"], cwd=ROOT, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SQLSCORE_DB": shop.database.url},
    )  # fmt: skip


def calling(shop: Shop, ended: threading.Event) -> threading.Thread:
    """A session that scores the table until the event, and once more."""

    def score() -> None:
        while True:
            last = ended.is_set()
            try:
                call(shop, SCORE[shop.database.name])
            except sa.exc.DBAPIError as error:  # three kills in a row at the same part
                if "3 workers in a row ended" not in str(error):
                    raise
            if last:
                return

    thread = threading.Thread(target=score)
    thread.start()
    return thread


def at_work(shop: Shop, process: int) -> bool:
    """Whether a worker has taken something and not given it back."""
    query = f"SELECT worker FROM {PARTS[shop.database.name]} WHERE status = 'taken'"
    return any(f":{process}:" in worker for (worker,) in shop.ask(query))


def killed_at_work(shop: Shop, after: float) -> bool:
    """Start a worker, and kill it a moment after it has taken something; whether it was at work."""
    worker = started(shop)
    until = time.monotonic() + 60
    while not at_work(shop, worker.pid) and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(after)
    worker.kill()
    worker.wait()
    return at_work(shop, worker.pid)


def all_scored_once(shop: Shop) -> None:
    wanted = {k: np.float32(v) for k, v in expected(range(ROWS)).items()}
    assert shop.found("scored") == wanted
    assert shop.ask(f"SELECT COUNT(*) FROM {JOBS[shop.database.name]}") == [(0,)]


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_workers_killed_at_random_moments_lose_and_double_nothing(shop: Shop, kills: int):
    draw = random.Random(kills)
    ended = threading.Event()
    caller = calling(shop, ended)
    killed = sum(killed_at_work(shop, draw.random() * 0.1) for _ in range(kills))
    ended.set()
    with working(shop, threads=2):
        caller.join(120)
    assert not caller.is_alive()
    assert killed
    all_scored_once(shop)


#: a worker that dies of what it scores
_DYING = """
import os, sys
import sqlscore
from sqlscore.worker.scoring import Scoring
Scoring.__call__ = lambda *_: os.kill(os.getpid(), 9)
sqlscore.connect(os.environ["SQLSCORE_DB"]).worker().drain()
"""


@contextmanager
def called(shop: Shop, model: str = "churn") -> Iterator[Future[Any]]:
    """A session that scores the table, and waits for workers: its rows are in the queue."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(call, shop, SCORE[shop.database.name].replace("churn", model))
        until = time.monotonic() + 60
        while not shop.ask(f"SELECT 1 FROM {PARTS[shop.database.name]}"):
            assert time.monotonic() < until
            assert not future.done()
            time.sleep(0.01)
        yield future


def test_a_job_that_kills_its_workers_ends_with_an_error(shop: Shop):
    parts = PARTS[shop.database.name]
    with called(shop) as poison:
        shop.run(f"UPDATE {parts} SET attempts = 1 WHERE part = 0")  # one died
        for _ in range(2):
            died = subprocess.run(
                [sys.executable, "-c", _DYING], cwd=ROOT, check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT), "SQLSCORE_DB": shop.database.url},
            )  # fmt: skip
            assert died.returncode == -9
        shop.scoring.worker().drain()
        with pytest.raises(sa.exc.DBAPIError, match="3 workers in a row ended while they scored"):
            poison.result(60)
    with working(shop):  # and the next one is served
        call(shop, SCORE[shop.database.name])
    all_scored_once(shop)


def one_part_scored(shop: Shop) -> None:
    """A worker scores the first part of a job, and ends."""
    worker = shop.scoring.worker()
    with worker._claims() as claims:
        claim = claims.take()
        assert claim is not None
        assert claims.give(claim, worker._scoring(claim))


def test_an_alias_that_moves_in_the_middle_of_a_job_is_of_the_next_one(shop: Shop):
    shop.scoring.models.alias("churn", "best", 1)
    with called(shop, "churn@best") as scored:
        one_part_scored(shop)
        shop.scoring.models.add("churn", NEWER, features=FEATURES, alias="best")
        with working(shop, threads=2):
            scored.result(60)
    all_scored_once(shop)


def test_a_model_that_is_removed_in_the_middle_of_a_job_ends_it(shop: Shop):
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    with called(shop, "churn:1") as scored:
        one_part_scored(shop)
        shop.scoring.models.remove("churn:1")
        shop.scoring.worker().drain()
        with pytest.raises(sa.exc.DBAPIError, match="version 1"):
            scored.result(60)
    assert not sa.inspect(shop.database.engine).has_table("scored")
    assert shop.ask(f"SELECT COUNT(*) FROM {JOBS[shop.database.name]}") == [(0,)]


def test_what_a_silent_worker_gives_back_too_late_does_not_count(postgres: Database):
    shop = Shop.on(postgres)
    shop.scoring.install(queue=True)
    job = submitted(shop, "customers")
    silent = shop.scoring.worker()
    with silent._claims() as claims:
        claim = claims.take()
    assert claim is not None
    scored = silent._scoring(claim)
    assert shop.scoring.worker().drain() == 0  # its worker lives
    shop.run("UPDATE sqlscore.queue_parts SET heartbeat = heartbeat - interval '2 minutes'")
    assert shop.scoring.worker().drain() == 1  # and was silent for too long
    with silent._claims() as claims:
        assert claims.give(claim, scored) is False
    assert dict(call(shop, rows_of(job))) == expected(range(0, 900, 3))
    gone = submitted(shop, "customers")
    with silent._claims() as claims:
        claim = claims.take()
        assert claim is not None
        call(shop, f"SELECT sqlscore.cancel({gone})")
        assert claims.give(claim, scored) is False
    shop.scoring.uninstall()


@pytest.mark.parametrize("name", SCORE)
def test_a_worker_comes_back_with_its_server_and_what_it_had_taken(
    private_server: Callable[[str], Database], name: str, monkeypatch: pytest.MonkeyPatch
):
    shop = Shop.on(private_server(name))
    shop.scoring.install(queue=True)
    server = shop.database.server
    assert server is not None
    score = SCORE[name].replace("many", "customers")
    plainly = Scoring.__call__
    gone: list[int] = []

    def without_its_server(self: Scoring, claim: Claim) -> Scored:
        if not gone:
            gone.append(claim.part)
            server.kill()
            server.start()
        return plainly(self, claim)

    monkeypatch.setattr(Scoring, "__call__", without_its_server)
    with working(shop):
        with pytest.raises(sa.exc.DBAPIError):
            call(shop, score)
        until = time.monotonic() + 60
        found: list[tuple[Any, ...]] = []
        while found != [("done",)]:
            assert time.monotonic() < until
            time.sleep(0.05)
            with suppress(sa.exc.DBAPIError):  # it is away at first
                found = shop.ask(f"SELECT status FROM {JOBS[name]}")
        call(shop, score)
    wanted = {k: np.float32(v) for k, v in expected(range(0, 900, 3)).items()}
    assert shop.found("scored") == wanted
