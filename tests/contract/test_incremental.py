"""Incremental runs: rows past a watermark, and rows that the target does not have."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import sqlscore
from sqlscore.errors import DatabaseError, JobConflict
from tests.fixtures.scoring import (
    COLUMNS,
    FEATURES,
    NEWER,
    WEIGHED,
    Shop,
    customers,
    expected,
    small_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlscore.jobs import run as runs
    from tests.fixtures.databases import Database

MORNING = datetime(2026, 1, 1, 8)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=20)
    shop = Shop(database=database, scoring=sqlscore.connect(database.engine))
    shop.scoring.models.add("churn", WEIGHED, features=FEATURES)
    return shop


def orders(shop: Shop, ids: Iterable[int], type_: pa.DataType | None = None) -> None:
    """Orders that changed as many minutes after the morning as their ids say."""
    type_ = type_ or pa.timestamp("us")
    ids = list(ids)
    if not shop.ask("SELECT 1") or "orders" not in known(shop):
        shop.create("orders", columns={**COLUMNS, "changed": type_})
    changed: list[Any] = [MORNING + timedelta(minutes=i) for i in ids]
    if pa.types.is_integer(type_):
        changed = list(ids)
    if pa.types.is_date(type_):
        changed = [date(2026, 1, 1) + timedelta(days=i) for i in ids]
    shop.write(shop.target("orders"), {**customers(ids), "changed": pa.array(changed, type_)})


def known(shop: Shop) -> list[str]:
    import sqlalchemy as sa

    return sa.inspect(shop.database.engine).get_table_names()


def score(shop: Shop, **chosen: Any) -> Any:
    return shop.score(**{"source": "orders", "incremental": "changed", **chosen})


@pytest.mark.parametrize("type_", [pa.timestamp("us"), pa.int64(), pa.date32()], ids=str)
def test_only_rows_past_the_watermark_are_read(shop: Shop, type_: pa.DataType):
    orders(shop, range(50), type_)
    assert score(shop).rows == 50
    assert score(shop).rows == 0
    orders(shop, range(50, 70), type_)
    run = score(shop)
    assert (run.rows, run.ranges, run.resumed) == (20, 1, False)
    assert shop.found() == expected(range(70))


def test_a_row_that_changed_is_scored_again(shop: Shop):
    orders(shop, range(30))
    score(shop)
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    late = MORNING + timedelta(days=1)
    shop.run(f"UPDATE orders SET changed = '{late:%Y-%m-%d %H:%M:%S}' WHERE id = 7")
    assert score(shop).rows == 1
    assert shop.found() == {**expected(range(30)), 7: expected([7], NEWER)[7]}


def test_rows_without_a_watermark_are_counted_and_left_out(shop: Shop):
    orders(shop, range(30))
    shop.run("UPDATE orders SET changed = NULL WHERE id < 4")
    run = score(shop)
    assert (run.rows, run.unmarked) == (26, 4)
    assert shop.found() == expected(range(4, 30))
    assert score(shop).unmarked == 4
    assert shop.score(source="orders").unmarked == 0


@pytest.mark.parametrize("lag", [timedelta(minutes=10), 600])
def test_a_lag_leaves_room_for_late_rows(shop: Shop, lag: Any):
    orders(shop, [*range(30), *range(40, 60)])
    assert score(shop, lag=lag).rows == 40  # up to minute 49
    orders(shop, [55 - 20])  # before the watermark: it came too late
    orders(shop, range(60, 62))
    run = score(shop, lag=lag)
    assert run.rows == 2  # minutes 50 and 51
    orders(shop, [61 + 20])
    assert score(shop, lag=lag).rows == 10  # up to minute 71
    assert 35 not in shop.found()


def test_a_lag_on_dates_is_whole_days(shop: Shop):
    orders(shop, range(10), pa.date32())
    assert score(shop, lag=3600).rows == 9


def test_rows_that_come_while_it_runs_are_of_the_next_run(shop: Shop):
    orders(shop, range(60))

    def come(progress: runs.Progress) -> None:
        if progress.rows == 20:
            orders(shop, [100])

    assert score(shop, on_progress=come).rows == 60
    assert score(shop).rows == 1
    assert shop.found() == expected([*range(60), 100])


def test_a_stopped_run_keeps_its_upper_end(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    orders(shop, range(60))

    def stop(progress: runs.Progress) -> None:
        if progress.rows == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(shop, on_progress=stop)
    orders(shop, [100])
    run = score(shop)
    assert (run.resumed, run.rows) == (True, 60)
    assert score(shop).rows == 1


def test_an_empty_source_sets_no_watermark(shop: Shop):
    shop.create("orders", columns={**COLUMNS, "changed": pa.timestamp("us")})
    assert score(shop).rows == 0
    orders(shop, range(5))
    assert score(shop).rows == 5


def test_a_target_that_went_is_filled_anew(shop: Shop):
    orders(shop, range(30))
    score(shop)
    shop.run("DROP TABLE predictions")
    assert score(shop).rows == 30


def test_a_named_job_does_not_take_its_watermark_to_another_source(shop: Shop):
    orders(shop, range(30))
    score(shop, name="nightly")
    shop.run("CREATE VIEW newer AS SELECT * FROM orders")
    with pytest.raises(JobConflict, match="got as far as its watermark with another source"):
        score(shop, name="nightly", source="newer", key="id")
    assert score(shop, source="newer", key="id").rows == 30


def test_only_rows_that_the_target_does_not_have(shop: Shop):
    orders(shop, range(50))
    assert shop.score(source="orders", only_new=True).rows == 50
    assert shop.score(source="orders", only_new=True).rows == 0
    orders(shop, [51, 60])
    shop.run("DELETE FROM predictions WHERE id = 9")
    for mode, rows in (("append", 3), ("upsert", 0)):
        assert shop.score(source="orders", only_new=True, mode=mode).rows == rows
    assert shop.found() == expected([*range(50), 51, 60])


def test_only_new_needs_both_tables_in_one_database(shop: Shop, sqlite: Database):
    orders(shop, range(5))
    shop.score(source="orders", target_db=sqlite.engine)
    with pytest.raises(DatabaseError, match="both must be in one database"):
        shop.score(source="orders", target_db=sqlite.engine, only_new=True)
