"""How a run behaves on a database that others use: its name, its timeouts, what it leaves."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs import limits as limits_module
from sqlscore.jobs.limits import Limits, Share
from sqlscore.jobs.records import Records
from tests.fixtures.scoring import Shop, expected, small_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fixtures.databases import Database

#: what a session waits for, as it was before a run
BEFORE = {
    "postgres": "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), "
    "current_setting('application_name')",
    "mariadb": "SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@max_statement_time",
    "sqlite": "PRAGMA busy_timeout",
    "mssql": "SELECT @@LOCK_TIMEOUT",
}


def test_a_lock_timeout(database: Database):
    shop = Shop.on(database)
    if "lock_timeout" not in database.product.timeouts:
        with pytest.raises(DatabaseError, match=r"has no lock timeout.*deadline="):
            shop.score(limits=Limits(lock_timeout=1))
        return
    shop.score()
    before = shop.ask(BEFORE[database.name])
    limits = Limits(lock_timeout=1, retries=0)
    with database.engine.connect() as other:
        if database.name == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        other.exec_driver_sql("UPDATE predictions SET score = 0 WHERE id = 30")
        began = time.monotonic()
        with pytest.raises(DatabaseError, match=r"55P03|1205|1222|SQLITE_BUSY"):
            shop.score(limits=limits)
        assert 0.9 < time.monotonic() - began < 8
        other.rollback()
    shop.score(limits=limits)
    assert shop.found() == expected(range(0, 900, 3))
    assert shop.ask(BEFORE[database.name]) == before


def test_a_lock_on_a_table_that_is_there(postgres: Database):
    shop = Shop.on(postgres)
    shop.score()
    with postgres.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"describing predictions failed \(55P03\)"):
            shop.score(limits=Limits(lock_timeout=0.2, retries=0))
    assert shop.score(limits=Limits(lock_timeout=0.2)).rows == 300


def test_a_statement_timeout(database: Database, capfd: pytest.CaptureFixture[str]):
    shop = Shop.on(database)
    if "statement_timeout" not in database.product.timeouts:
        with pytest.raises(DatabaseError, match="has no statement timeout"):
            shop.score(limits=Limits(statement_timeout=1))
        return
    before = shop.ask(BEFORE[database.name])
    slow = {"postgres": "pg_sleep(0.05)::text", "mariadb": "sleep(0.05)"}[database.name]
    shop.run(f"CREATE VIEW slow AS SELECT id, age, spend, {slow} AS waited FROM customers")
    with pytest.raises(DatabaseError, match=r"57014|1969|70100|statement timeout"):
        shop.score(source="slow", key="id", columns=["waited"], limits=Limits(statement_timeout=1))
    assert "panicked" not in capfd.readouterr().err
    assert shop.score(limits=Limits(statement_timeout=20)).rows == 300
    assert shop.ask(BEFORE[database.name]) == before


def test_a_runs_transactions_bear_its_name(postgres: Database, monkeypatch: pytest.MonkeyPatch):
    shop, mark, seen = Shop.on(postgres), Records.mark, set()

    def marking(records: Records, unit: Any, run: str, *given: Any) -> None:
        seen.add((run, unit.fetch(asked)[0][0]))
        mark(records, unit, run, *given)

    asked = sa.text("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    monkeypatch.setattr(Records, "mark", marking)
    run = shop.score()
    assert seen == {(run.id, f"sqlscore run {run.id}")}
    assert shop.ask("SELECT current_setting('application_name')") == [("sqlscore",)]


def test_memory_makes_ranges_and_batches_small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits_module, "_resident", lambda: 150_000_000)
    share = Share.of(Limits(memory=200_000_000))
    assert share.bytes == 50_000_000
    for columns in (2, 30, 1000):
        assert share.range_rows(10**9, columns) * columns * 8 <= share.bytes / 4
        batch = share.batch_rows(10**9, columns, batches=12)
        assert batch * columns * 8 * 12 <= max(share.bytes / 4, 16 * columns * 8 * 12)
    assert share.range_rows(100, 2) == 100
    with pytest.raises(SqlscoreError, match=r"memory= is 160 MB, and this process holds 150 MB"):
        Share.of(Limits(memory=160_000_000))
    monkeypatch.undo()
    assert limits_module._resident() > 10_000_000


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        ({"deadline": 0}, "what is greater than 0"),
        ({"memory": -1}, "what is greater than 0"),
        ({"retries": -1}, "0 or a greater number"),
    ],
)
def test_limits_that_are_none(wrong: dict[str, Any], least: str):
    with pytest.raises(SqlscoreError, match=f"{next(iter(wrong))}= takes {least}"):
        Limits(**wrong)


#: the database's connections, that of the one who asks with them
COUNTED = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE db = database()",
}


@pytest.fixture
def most(database: Database) -> Iterator[Callable[[], int]]:
    """Counts the connections that come while a test runs; to call it gives the most there were."""
    counts: list[int] = []
    ended = threading.Event()

    def count() -> None:
        with database.engine.connect() as connection:
            while not ended.wait(0.002):
                counts.append(connection.exec_driver_sql(COUNTED[database.name]).scalar_one())
                connection.rollback()

    counting = threading.Thread(target=count)

    def found() -> int:
        ended.set()
        counting.join()
        return max(counts) - 1

    if database.name in COUNTED:
        database.engine.dispose()
        counting.start()
        yield found
        found()
    else:
        yield lambda: 0


def test_a_run_takes_no_more_connections_than_it_may(
    database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    small_ranges(monkeypatch)
    shop = Shop.on(database)
    least = 3 if database.name == "mariadb" else 2  # one is for reading, one for writing
    with pytest.raises(DatabaseError, match=f"{least} or more for {database.product.name}"):
        sqlscore.connect(database.url, connections=least - 1)
    most = request.getfixturevalue("most")
    with sqlscore.connect(database.url, connections=least) as here:
        run = here.score("churn", source="customers", target="predictions")
    assert most() <= least
    assert run.rows == 300
    assert shop.found() == expected(range(0, 900, 3))


def test_an_engine_says_itself_how_many_connections_it_has(database: Database):
    with pytest.raises(DatabaseError, match=r"pool_size="):
        sqlscore.connect(database.engine, connections=4)


#: connections of others than the tests' own engine, whose name is sqlscore
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name NOT LIKE 'sqlscore%%'
"""


def test_a_run_gets_by_with_two_connections(postgres: Database, monkeypatch: pytest.MonkeyPatch):
    """One of its engine's, and the one that the fast reader opens itself."""
    small_ranges(monkeypatch)
    shop = Shop.on(postgres)
    engine = sa.create_engine(postgres.url, pool_size=1, max_overflow=0, pool_timeout=10)
    seen: list[int] = []
    run = sqlscore.connect(engine).score(
        "churn", source="customers", target="predictions",
        on_progress=lambda _: seen.append(shop.ask(OTHERS)[0][0]),
    )  # fmt: skip
    engine.dispose()
    assert run.rows == 300
    assert shop.found() == expected(range(0, 900, 3))
    assert 1 <= max(seen) <= 2
