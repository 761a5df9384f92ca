"""Old runs and what they left, taken away on every database; what is in use stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore import tables
from sqlscore.cli import main
from sqlscore.jobs import planning, staging
from sqlscore.jobs.status import Status
from tests.fixtures.scoring import COLUMNS, Shop, customers, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

MONTH = timedelta(days=30)
STAMPED: dict[str, Any] = {**COLUMNS, "stamp": pa.int64()}
GROUPED = "SELECT id, max(age) AS age, max(spend) AS spend FROM customers GROUP BY id"


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop.on(database, rows=5)


def owned(shop: Shop) -> tables.Tables:
    return tables.owned(schemas=shop.database.product.schemas)


def age(shop: Shop, *runs: str, days: int = 60) -> None:
    """Make runs look older."""
    table = owned(shop).runs
    then = tables.now() - timedelta(days=days)
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.update(table).where(table.c.id.in_(runs)).values(started_at=then, finished_at=then)
        )


def there(shop: Shop) -> set[str]:
    """The ids of all runs, with those of the ranges."""
    with shop.database.engine.connect() as connection:
        runs = set(connection.scalars(sa.select(owned(shop).runs.c.id)))
        assert set(connection.scalars(sa.select(owned(shop).ranges.c.run))) <= runs
    return runs


def test_old_runs_go_with_their_ranges(shop: Shop):
    first, second, third, other = (
        shop.score(), shop.score(), shop.score(), shop.score(target="others")
    )  # fmt: skip
    age(shop, first.id, second.id, other.id)
    would = shop.scoring.clean(older_than=MONTH, dry_run=True)
    assert set(would.runs) == {first.id, second.id}  # the newest of each target stays
    assert would.rows == {owned(shop).ranges.name: 2}
    assert there(shop) == {first.id, second.id, third.id, other.id}
    done = shop.scoring.clean(older_than=MONTH)
    assert (set(done.runs), done.rows, done.tables) == (set(would.runs), would.rows, ())
    assert there(shop) == {third.id, other.id}
    assert shop.scoring.clean(older_than=MONTH).runs == ()
    assert shop.found() == expected(range(0, 15, 3))


def test_what_is_in_use_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.create("stamped", {**customers(range(5)), "stamp": list(range(5))}, STAMPED)
    marked = shop.score(source="stamped", incremental="stamp", name="marked")
    leased = shop.score()
    with monkeypatch.context() as broken:
        broken.setattr(planning, "_cut", stop)
        with pytest.raises(RuntimeError):
            shop.score(name="unfinished")
    unfinished = shop.scoring.runs()[0]
    shop.score()
    age(shop, marked.id, leased.id, unfinished.id)
    now = tables.now()
    with shop.database.engine.begin() as connection:
        connection.execute(
            owned(shop).leases.insert(),
            {
                "target": "somewhere", "run": leased.id, "owner": "host:1:2", "token": "t",
                "acquired_at": now, "heartbeat": now,
            },
        )  # fmt: skip
    assert shop.scoring.clean(older_than=MONTH).runs == ()
    again = shop.score(source="stamped", incremental="stamp", name="marked")
    assert again.rows == 0  # the watermark is there
    age(shop, marked.id)
    assert shop.scoring.clean(older_than=MONTH).runs == (marked.id,)


def stop(*_: object, **__: object) -> None:
    raise RuntimeError("stopped")


def test_tables_that_ended_runs_staged_are_dropped_and_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    shop.score(mode="replace", source=GROUPED, key="id")
    with monkeypatch.context() as broken:
        broken.setattr(staging, "drop_table", lambda _work, _gone: None)  # killed before it drops
        run = shop.score(mode="replace", source=GROUPED, key="id")
    assert run.status is Status.DONE
    prefix = owned(shop).prefix
    shop.run("CREATE TABLE sqlscore_staged_of_mine (id INTEGER)")
    would = shop.scoring.clean(older_than=MONTH, dry_run=True)
    assert [name.rpartition(".")[2] for name in would.tables] == [f"{prefix}staging_{run.id}"]
    assert shop.scoring.clean(older_than=MONTH).tables == would.tables
    assert shop.scoring.clean(older_than=MONTH).tables == ()
    assert shop.ask("SELECT count(*) FROM sqlscore_staged_of_mine") == [(0,)]
    assert shop.found() == expected(range(0, 15, 3))


def test_where_nothing_is_nothing_is_made(database: Database):
    assert sqlscore.connect(database.engine).clean(older_than=MONTH).runs == ()
    with database.engine.connect() as connection:
        assert not tables.layout_version(connection, tables.owned(schemas=database.product.schemas))


def test_from_the_shell(sqlite: Database, capsys: pytest.CaptureFixture[str]):
    shop = Shop.on(sqlite, rows=5)
    first = shop.score()
    shop.score()
    age(shop, first.id)
    for command, said in {
        "30d --dry-run": "Would remove 1 run, 1 row of sqlscore_ranges.\n",
        "90d": "Removed 0 runs.\n",
        "30d": "Removed 1 run, 1 row of sqlscore_ranges.\n",
    }.items():
        assert main(["clean", "--older-than", *command.split(), "--db", sqlite.url]) == 0
        assert capsys.readouterr().out == said
    assert main(["clean", "--older-than", "long", "--db", sqlite.url]) == 2
