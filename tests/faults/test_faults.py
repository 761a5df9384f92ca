"""What goes wrong in the middle of a run: a clear error, then a right result; no half range."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import DatabaseError, JobConflict, SqlscoreError
from sqlscore.jobs.limits import Limits
from sqlscore.jobs.records import Records
from sqlscore.jobs.status import Status
from tests.faults import killed
from tests.fixtures import models
from tests.fixtures.scoring import (
    FEATURES,
    WEIGHED,
    Shop,
    asked,
    customers,
    expected,
    features,
    small_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.jobs import run as runs
    from tests.fixtures.databases import Database

IDS = range(0, 900, 3)
AT_ONCE = Limits(retries=0)  # what goes wrong ends the run


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch)
    return Shop.on(database)


def whole_ranges(shop: Shop) -> int:
    """How many rows the target has, which must be those of the ranges that are marked."""
    found = shop.found()
    assert found == expected(IDS[: len(found)])
    (run, *_) = shop.scoring.runs()
    assert run.rows == len(found)
    return len(found)


def at(rows: int, act: Callable[[], object]) -> Callable[[runs.Progress], None]:
    """Acts once, when so many rows are committed."""
    left = [1]

    def told(progress: runs.Progress) -> None:
        if progress.rows >= rows and left.pop() if left else False:
            act()

    return told


@pytest.mark.parametrize("name", ["postgres", "mariadb", "mssql"])
def test_the_server_goes_in_the_middle(
    private_server: Callable[[str], Database], name: str, monkeypatch: pytest.MonkeyPatch
):
    small_ranges(monkeypatch)
    shop = Shop.on(private_server(name))
    server = shop.database.server
    assert server is not None

    with pytest.raises(DatabaseError) as error:
        shop.score(on_progress=at(80, server.kill), limits=AT_ONCE)
    assert "p@ss" not in str(error.value)
    server.start()
    assert whole_ranges(shop) >= 80
    run = shop.score()
    assert (run.resumed, run.rows) == (True, 300)
    assert shop.found() == expected(IDS)


CUT = {
    "postgres": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() "
    "AND id <> CONNECTION_ID()",
    "mssql": "SELECT session_id FROM sys.dm_exec_sessions WHERE database_id = DB_ID() "
    "AND session_id <> @@SPID",
}
KILL = {"mariadb": "KILL CONNECTION {}", "mssql": "KILL {}"}  #: where the query cuts nothing


def cut(database: Database) -> None:
    """Cut all connections to the database but our own."""
    engine = sa.create_engine(
        database.engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as other:
        found = other.exec_driver_sql(CUT[database.name]).all()
        for (number,) in found if database.name in KILL else ():
            with suppress(sa.exc.DBAPIError):  # one that ended by itself
                other.exec_driver_sql(KILL[database.name].format(int(number)))


@pytest.mark.parametrize("moment", ["before the mark", "after the mark"])
def test_connections_are_cut_in_a_unit(shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch):
    if shop.database.name not in CUT:
        pytest.skip("there is no connection to cut")
    mark, left = Records.mark, [3]

    def cutting(*given: Any) -> None:
        left[0] -= 1
        if not left[0] and moment == "before the mark":
            cut(shop.database)
        mark(*given)
        if not left[0] and moment == "after the mark":
            cut(shop.database)

    monkeypatch.setattr(Records, "mark", cutting)
    with pytest.raises(DatabaseError):
        shop.score(limits=AT_ONCE)
    assert whole_ranges(shop) == 80
    assert shop.score().resumed
    assert shop.found() == expected(IDS)


def test_the_disk_is_full(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    shop = Shop.on(sqlite, rows=2000)
    pages = [None]

    def limited(connection: Any, _: object) -> None:
        if pages[0] is not None:
            connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    sa.event.listen(sqlite.engine, "connect", limited)
    sqlite.engine.dispose()
    pages[0] = shop.ask("PRAGMA page_count")[0][0] + 5
    sqlite.engine.dispose()
    with pytest.raises(DatabaseError, match=r"\(SQLITE_FULL\): database or disk is full"):
        shop.score()
    found = shop.found()
    assert 0 < len(found) < 2000
    assert len(found) % 40 == 0
    assert found == expected(range(0, 3 * len(found), 3))
    pages[0] = None
    sqlite.engine.dispose()
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert shop.score().rows == 2000
    assert len(shop.found()) == 2000


def test_a_role_that_may_not_write_the_target(postgres: Database, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    shop = Shop.on(postgres)
    shop.score(source="SELECT id, age, spend FROM customers WHERE id < 0", key="id")
    role = f"clerk_{postgres.engine.url.database}"
    shop.run(
        f"CREATE ROLE {role} LOGIN PASSWORD 'clerk'",
        f"GRANT USAGE ON SCHEMA sqlscore TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA sqlscore TO {role}",
        f"GRANT SELECT ON customers, predictions TO {role}",
    )
    try:
        url = postgres.engine.url.set(username=role, password="clerk")
        with sqlscore.connect(url) as clerk:
            with pytest.raises(DatabaseError, match=r"42501.*permission denied for table pred"):
                clerk.score("churn", source="customers", target="predictions")
            (run, *_) = clerk.runs()
            assert (run.status, run.rows) == (Status.FAILED, 0)
            assert "permission denied" in (run.error or "")
            shop.run(f"GRANT INSERT, UPDATE ON predictions TO {role}")
            again = clerk.score("churn", source="customers", target="predictions")
            assert (again.id, again.resumed) == (run.id, True)
            shop.run(f"REVOKE ALL ON sqlscore.leases FROM {role}")
            with pytest.raises(DatabaseError, match="permission denied for table leases"):
                clerk.score("churn", source="customers", target="predictions")
        assert shop.found() == expected(IDS)
    finally:
        postgres.engine.dispose()
        shop.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_file_that_may_only_be_read(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    shop = Shop.on(sqlite)
    shop.score(source="SELECT id, age, spend FROM customers WHERE id < 0", key="id")
    sqlite.engine.dispose()
    path = sqlite.engine.url.database
    engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with sqlscore.connect(engine) as reading, pytest.raises(DatabaseError, match="readonly"):
        reading.score("churn", source="customers", target="predictions")
    assert shop.score().rows == 300


#: raises where `age` is negative: no row of the table has the number -1 and less
PICKY = models.written(
    "g (float[N,1] age, float[N,1] spend) => (float[N,1] score) <float[2,1] t = {1, 2}> "
    "{ i = Cast <to = 7> (age) one = Squeeze(i) picked = Gather(t, one) score = Add(picked, spend)"
    " }"
)


def test_a_model_that_raises_in_the_middle(shop: Shop):
    shop.run("UPDATE customers SET age = 1")
    shop.scoring.models.add("picky", PICKY)
    shop.run("UPDATE customers SET age = 77 WHERE id = 303")
    with pytest.raises(SqlscoreError) as error:
        shop.score("picky")
    assert error.value.run.status is Status.FAILED  # type: ignore[attr-defined]
    assert len(shop.found()) == 80
    shop.run("UPDATE customers SET age = 1 WHERE id = 303")
    run = shop.score("picky")
    assert (run.resumed, run.rows) == (True, 300)
    spend = features(list(IDS))[:, 1].astype(np.float32)
    assert list(shop.found().values()) == (spend + np.float32(2)).tolist()


def test_a_reader_that_ends_in_an_error_half_way(shop: Shop):
    """A view that divides by zero in one row: an error, and never a shorter range."""
    if shop.database.name != "postgres":
        pytest.skip("a division by zero is no error there")
    shop.run("CREATE VIEW risky AS SELECT id, age, spend / (id - 450) AS spend FROM customers")
    with pytest.raises(DatabaseError, match="division by zero"):
        shop.score(source="risky", key="id")
    (run,) = shop.scoring.runs()
    assert run.status is Status.FAILED
    assert run.rows == len(shop.found()) == 120
    shop.run("CREATE OR REPLACE VIEW risky AS SELECT id, age, spend FROM customers")
    assert shop.score(source="risky", key="id").rows == 300


def test_a_value_of_another_kind_half_way(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    shop = Shop.on(sqlite)
    shop.run("UPDATE customers SET age = 'old' WHERE id = 450")
    with pytest.raises(DatabaseError) as error:
        shop.score()
    assert "column 'age' came as float and str" in str(error.value)
    assert "old" not in str(error.value).replace("older", "")
    assert whole_ranges(shop) in (80, 120)
    shop.run("DELETE FROM customers WHERE id = 450")
    assert shop.score().rows == 299


def test_an_interrupt_from_the_keyboard(database: Database):
    shop = Shop.on(database, rows=500)
    moment = {
        "place": "sqlscore.jobs.scoring:Writer.__call__",
        "when": "leave",
        "passes": 2,
        "how": "SIGINT",
    }
    code, said = killed.ended(killed.started(shop, moment))
    assert code in (1, -signal.SIGINT)
    assert "KeyboardInterrupt" in said
    (run,) = shop.scoring.runs()
    assert (run.status, run.error) == (Status.FAILED, "KeyboardInterrupt")
    assert run.rows == len(shop.found()) == 150
    again = killed.done(shop)
    assert again == {"id": run.id, "rows": 500, "resumed": True}
    assert shop.found() == expected(range(0, 1500, 3))


def test_a_second_process_is_told_who_holds_the_target(database: Database):
    shop = Shop.on(database, rows=500)
    moment = {
        "place": "sqlscore.jobs.scoring:Writer.__call__",
        "when": "leave",
        "passes": 2,
        "how": "SIGSTOP",
    }
    child = killed.started(shop, moment)
    try:
        deadline = time.monotonic() + 60
        while stat(child.pid) != "T":
            assert time.monotonic() < deadline
            assert child.process.exitcode is None, killed.ended(child)
            time.sleep(0.05)
        kind = JobConflict if database.product.shared else (JobConflict, DatabaseError)
        with pytest.raises(kind) as error:
            shop.score()
        assert str(child.pid) in str(error.value)
        os.kill(child.pid, signal.SIGCONT)
        code, said = killed.ended(child)
        assert code == 0, said
    finally:
        child.process.kill()
        child.process.join()
    assert shop.found() == expected(range(0, 1500, 3))


def stat(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as status:
        return status.read().rpartition(")")[2].split()[0]


def test_a_source_that_changes_while_it_is_read(shop: Shop):
    """Rows that go, come and change: each range is as it was when it was read."""

    def change() -> None:
        shop.run("DELETE FROM customers WHERE id IN (600, 603, 899)")
        shop.write(shop.target("customers"), customers([601, 5000]))
        shop.run("UPDATE customers SET age = 0.5, spend = 0.25 WHERE id = 612")

    run = shop.score(on_progress=at(40, change))
    found = shop.found()
    kept = [i for i in IDS if i not in (600, 603)]
    again = asked(WEIGHED, np.array([[0.5, 0.25]]))[0, 0]
    want = {**expected([*kept, 601, 5000]), 612: again}
    assert found == want
    assert run.rows == len(want)


def test_a_source_that_is_written_all_the_time(shop: Shop):
    """Another session inserts and deletes in the middle; what was there all along is right."""
    if not shop.database.product.server:
        pytest.skip("writers take turns there")
    stop = threading.Event()
    target = shop.target("customers")

    def write() -> None:
        number = 1
        while not stop.is_set():
            shop.write(target, customers([number]))
            if number > 30:
                shop.run(f"DELETE FROM customers WHERE id = {number - 30}")
            number += 3

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            shop.score(mode="replace")
            found = shop.found()
            assert {i: found[i] for i in IDS} == expected(IDS)
            assert all(score == expected([i])[i] for i, score in found.items())
    finally:
        stop.set()
        writer.join()


def test_the_target_goes_between_a_kill_and_the_next_start(shop: Shop):
    with pytest.raises(KeyboardInterrupt):
        shop.score(on_progress=at(80, interrupt))
    shop.run("DROP TABLE predictions")
    with pytest.raises(SqlscoreError, match="'predictions' is not there any more"):
        shop.score()
    assert shop.score(restart=True).rows == 300
    assert shop.found() == expected(IDS)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_staging_table_that_was_dropped(shop: Shop):
    job = {"source": "SELECT DISTINCT id, age, spend FROM customers", "key": "id"}
    with pytest.raises(KeyboardInterrupt):
        shop.score(**job, on_progress=at(80, interrupt))
    (run,) = shop.scoring.runs()
    product = shop.database.product
    name = f"staging_{run.id}"
    shop.run(f"DROP TABLE {'sqlscore.' if product.schemas else 'sqlscore_'}{name}")
    with pytest.raises(SqlscoreError):
        shop.score(**job)
    assert shop.score(**job, restart=True).rows == 300
    assert shop.found() == expected(IDS)


def test_a_model_that_was_removed_is_named(shop: Shop):
    shop.scoring.models.add("gone", models.mlp(2), features=FEATURES)
    with pytest.raises(KeyboardInterrupt):
        shop.score("gone", on_progress=at(80, interrupt))
    shop.scoring.models.remove("gone:1")
    with pytest.raises(SqlscoreError, match="gone"):
        shop.score("gone")
    shop.scoring.models.add("gone", models.mlp(2), features=FEATURES)
    # the new version has another number, and does not take the old one's place
    with pytest.raises(SqlscoreError, match="gone"):
        shop.score("gone")
    assert shop.score("gone", restart=True).models == ("gone:2",)
