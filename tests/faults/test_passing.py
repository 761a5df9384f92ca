"""What passes by itself does not end a run: it goes on, and nothing is done or counted twice."""

from __future__ import annotations

import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import DatabaseError
from sqlscore.jobs import patience
from sqlscore.jobs.lease import Lease
from sqlscore.jobs.limits import Limits
from sqlscore.jobs.records import Records
from sqlscore.jobs.status import Status
from tests.faults.test_faults import CUT, at, cut
from tests.fixtures.scoring import Shop, expected, small_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.jobs.status import Run
    from tests.fixtures.databases import Database

IDS = range(0, 900, 3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_ranges(monkeypatch)
    monkeypatch.setattr(patience, "_FIRST_WAIT", 0.2)


def whole(shop: Shop, run: Run) -> None:
    """All is there once, and counted once."""
    assert (run.status, run.resumed, run.rows, run.ranges_done) == (Status.DONE, False, 300, 8)
    assert run.counts.rows == 300
    assert shop.found() == expected(IDS)
    assert [one.id for one in shop.scoring.runs()] == [run.id]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("postgres", "kill"),
        ("mariadb", "restart"),
        pytest.param("postgres", "restart", marks=pytest.mark.soak),
        pytest.param("mariadb", "kill", marks=pytest.mark.soak),
    ],
)
def test_the_server_comes_back(
    private_server: Callable[[str], Database], name: str, how: str, caplog: Any
):
    shop = Shop.on(private_server(name))
    server = shop.database.server
    assert server is not None

    def fall() -> None:
        if how == "restart":
            return server.restart()
        server.kill()
        return threading.Timer(0.5, server.start).start()

    with caplog.at_level(logging.WARNING, "sqlscore"):
        whole(shop, shop.score(on_progress=at(80, fall)))
    told = [record.getMessage() for record in caplog.records if "trying again" in record.msg]
    assert all(line.startswith(f"run {shop.scoring.runs()[0].id}: ") for line in told)
    assert "p@ss" not in caplog.text


@pytest.mark.parametrize("moment", ["before the mark", "after the mark"])
def test_connections_are_cut_in_a_unit(
    database: Database, moment: str, monkeypatch: pytest.MonkeyPatch
):
    if database.name not in CUT:
        pytest.skip("there is no connection to cut")
    shop, mark, left = Shop.on(database), Records.mark, [3]

    def cutting(*given: Any) -> None:
        left[0] -= 1
        if not left[0] and moment == "before the mark":
            cut(database)
        mark(*given)
        if not left[0] and moment == "after the mark":
            cut(database)

    monkeypatch.setattr(Records, "mark", cutting)
    whole(shop, shop.score())


#: so that the other session is not the one that is given up
STUBBORN = {
    "postgres": ["SET LOCAL deadlock_timeout = '60s'"],
    "mariadb": [
        "CREATE TEMPORARY TABLE heavy (i int) ENGINE = InnoDB",
        "INSERT INTO heavy SELECT seq FROM seq_1_to_5000",
    ],
    "mssql": ["SET DEADLOCK_PRIORITY HIGH"],
}


def test_a_deadlock(database: Database, monkeypatch: pytest.MonkeyPatch, caplog: Any):
    """The run has its lease and wants a row, another session has the row and wants the lease."""
    if database.name not in STUBBORN or not database.locks:
        pytest.skip("one session writes at a time")
    shop = Shop.on(database)
    shop.score(target="predictions", name="first")
    leases = "sqlscore.leases" if database.product.schemas else "sqlscore_leases"
    check, left, others = Lease.check, [6], []
    locked = threading.Event()

    def other() -> None:
        with database.engine.connect() as connection:
            for statement in STUBBORN[database.name]:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("UPDATE predictions SET score = score WHERE id = 450")
            locked.set()
            connection.exec_driver_sql(f"UPDATE {leases} SET heartbeat = heartbeat")
            connection.rollback()

    def checking(lease: Lease, unit: Any) -> None:
        check(lease, unit)
        left[0] -= 1
        if not left[0]:
            others.append(threading.Thread(target=other))
            others[0].start()
            assert locked.wait(20)

    monkeypatch.setattr(Lease, "check", checking)
    with caplog.at_level(logging.WARNING, "sqlscore"):
        run = shop.score(name="second")
    others[0].join()
    assert "deadlock" in caplog.text
    assert (run.status, run.rows, run.counts.rows, run.ranges_done) == (Status.DONE, 300, 300, 8)
    assert shop.found() == expected(IDS)


def test_a_serialization_failure(postgres: Database, monkeypatch: pytest.MonkeyPatch, caplog: Any):
    """A row that the run's transaction is about to write was changed since that began.

    A standby's conflict with recovery has the same code.
    """
    shop = Shop.on(postgres)
    shop.score(name="first")
    engine = sa.create_engine(postgres.url, isolation_level="REPEATABLE READ")
    check, left = Lease.check, [6]

    def checking(lease: Lease, unit: Any) -> None:
        check(lease, unit)
        left[0] -= 1
        if not left[0]:
            shop.run("UPDATE predictions SET score = 0 WHERE id = 450")

    monkeypatch.setattr(Lease, "check", checking)
    with caplog.at_level(logging.WARNING, "sqlscore"):
        run = dataclasses.replace(shop, scoring=sqlscore.connect(engine)).score(name="second")
    engine.dispose()
    assert "serialization failure" in caplog.text
    assert (run.status, run.rows, run.counts.rows, run.ranges_done) == (Status.DONE, 300, 300, 8)
    assert shop.found() == expected(IDS)


def test_a_server_that_stays_away_ends_the_run(
    private_server: Callable[[str], Database], caplog: Any
):
    shop = Shop.on(private_server("postgres"))
    server = shop.database.server
    assert server is not None
    with (
        caplog.at_level(logging.WARNING, "sqlscore"),
        pytest.raises(DatabaseError, match="connecti"),
    ):
        shop.score(on_progress=at(80, server.kill), limits=Limits(retries=2))
    assert [r.getMessage().rpartition("(")[2] for r in caplog.records] == ["1 of 2)", "2 of 2)"]
    server.start()
    run = shop.score()
    assert (run.resumed, run.rows) == (True, 300)
    assert shop.found() == expected(IDS)
