"""A condition on the source's rows: which rows are scored, and what is no condition."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sqlscore.errors import DatabaseError, JobConflict, SqlscoreError
from sqlscore.relations import source as sources
from tests.fixtures.scoring import COLUMNS, Shop, customers, expected, small_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.jobs.run import Progress
    from tests.fixtures.databases import Database

IDS = range(0, 120, 3)
DAYS = [date(2026, 11, 20 + i % 4) for i in range(len(IDS))]


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Customers with a day, a price and a name that needs quotes."""
    small_ranges(monkeypatch, rows=7, batch=3)
    shop = Shop.on(database, rows=1)
    day = "DATE" if database.name == "sqlite" else pa.date32()
    columns = {**COLUMNS, "day": day, "Big Price": pa.decimal128(10, 2)}
    rows = customers(IDS)
    prices: list[Any] = [Decimal(i) / 4 for i in range(len(IDS))]
    days: list[Any] = list(DAYS)
    if database.name == "sqlite":
        prices, days = list(map(str, prices)), list(map(str, days))
    shop.create("orders", {**rows, "day": days, "Big Price": prices}, columns)
    return shop


def test_only_the_rows_of_a_condition_are_scored(shop: Shop):
    shown = shop.scoring.bind("churn", source="orders", where="id >= 60 AND id < 90")
    assert (shown.rows, shown.ranges) == (10, 2)
    run = shop.score(source="orders", where="id >= 60 AND id < 90 -- a part of them")
    assert (run.rows, run.total, run.ranges) == (10, 10, 2)
    assert shop.found() == expected(range(60, 90, 3))
    rows = shop.scoring.preview("churn", source="orders", where="NOT id < 111", limit=9)
    assert rows.column("id").to_pylist() == [111, 114, 117]


#: condition, parameters, and the rows that it is true for
CONDITIONS: tuple[tuple[str, dict[str, Any], Sequence[int]], ...] = (
    ("DAY = :day AND id < 20", {"day": "2026-11-21"}, [3, 15]),
    ("day = :day AND id < 20", {"day": date(2026, 11, 21)}, [3, 15]),
    ("id BETWEEN :low AND :high", {"low": "3", "high": 9}, [3, 6, 9]),
    ("{price} > :least", {"least": "9.5"}, [117]),
    ("{price} > :least", {"least": Decimal("9.495")}, [114, 117]),
    ("id IN (:a, :b) OR id = :a + 6", {"a": 3, "b": 6}, [3, 6, 9]),
    ("city = :city AND id < 20", {"city": "São Paulo"}, [3, 15]),
    ("city = :city OR id = 0", {"city": "x' OR 'a' = 'a"}, [0]),
    ("city LIKE '%ern' AND id < 12 AND NOT id IS NULL", {}, [0]),
    ("(CASE WHEN id < 6 THEN 1 ELSE 0 END) = 1", {}, [0, 3]),
    ("age < :age AND id < 20", {"age": "-1.5"}, [12, 18]),
    ("id > :x AND id < 12", {"x": 3.5}, [6, 9]),
)


def test_conditions(shop: Shop):
    for where, params, ids in CONDITIONS:
        chosen = where.format(price=shop.quoted("Big Price"))
        rows = shop.scoring.preview("churn", source="orders", limit=99, where=chosen, params=params)
        assert sorted(rows.column("id").to_pylist()) == ids, where


def test_a_select_that_is_evaluated_once_takes_a_condition_too(shop: Shop):
    query = "SELECT DISTINCT a.id, a.age, b.spend FROM orders a JOIN orders b ON a.id = b.id"
    run = shop.score(source=query, key="id", where="id > :id", params={"id": 99})
    assert run.rows == 6
    assert shop.found() == expected(range(102, 120, 3))


#: parameters of a SELECT, whether it can be asked again, and the ids that are left
SELECTS: tuple[tuple[str, dict[str, Any], bool, Sequence[int]], ...] = (
    ("SELECT id, age, spend FROM orders WHERE id > :low", {"low": "111"}, True, [114, 117]),
    ("SELECT * FROM orders WHERE DAY = :day AND id < 20", {"day": "2026-11-21"}, True, [3, 15]),
    ("SELECT id, age, spend FROM orders WHERE city = :city", {"city": "x' OR 'a' = 'a"}, True, []),
    ("SELECT id, age, spend FROM orders WHERE city <> ':id' AND id < :id", {"id": 6}, True, [0, 3]),
    (
        "SELECT a.id, a.age, b.spend FROM orders a JOIN orders b ON a.id = b.id WHERE a.id < :end",
        {"end": "9"}, False, [0, 3, 6],
    ),
)  # fmt: skip


def test_a_select_takes_parameters(shop: Shop):
    engine, product = shop.database.engine, shop.database.product
    for query, params, repeatable, ids in SELECTS:
        assert sources.resolve(engine, product, query, params).repeatable is repeatable, query
        run = shop.score(source=query, params=params, key="id", mode="replace")
        assert run.rows == len(ids)
        assert shop.found() == expected(ids), query
    query = "SELECT id, age, spend FROM orders WHERE id < :end"
    run = shop.score(source=query, key="id", where="id > :id", params={"id": 9, "end": 18})
    assert run.rows == 2
    with pytest.raises(SqlscoreError, match=r"SELECT asks for the parameter :end.*mean 'ends'"):
        shop.score(source=query, key="id", params={"ends": 9})


def test_a_condition_and_a_watermark(shop: Shop):
    chosen = {"source": "orders", "incremental": "id", "where": "city <> 'Bern'", "name": "west"}
    first = shop.score(**chosen)
    assert 0 < first.rows < 40
    assert shop.score(**chosen).rows == 0
    with pytest.raises(JobConflict, match="Give this job another name"):
        shop.score(**{**chosen, "where": "city = 'Bern'"})


def test_another_condition_is_another_job(shop: Shop):
    def stop(progress: Progress) -> None:
        if progress.rows:
            raise KeyboardInterrupt

    chosen = {"source": "orders", "where": "id < :end", "name": "part"}
    with pytest.raises(KeyboardInterrupt):
        shop.score(**chosen, params={"end": 60}, on_progress=stop)
    with pytest.raises(JobConflict, match=r"params: \{'end': 60\} then, \{'end': 90\} now"):
        shop.score(**chosen, params={"end": 90})
    run = shop.score(**chosen, params={"end": 60})
    assert (run.resumed, run.rows) == (True, 20)
    assert shop.found() == expected(range(0, 60, 3))


#: what is no condition, and what is said of it
NONE = (
    ("city", "takes one condition on the rows, such as region = 'EU'.*none: 'city'"),
    ("id = 1; DROP TABLE orders", "takes one condition"),
    ("1) OR (1 = 1", "takes one condition"),
    ("", "takes one condition"),
    ("id + 1", "takes one condition"),
    ("id IN (SELECT id FROM orders)", "holds a subquery"),
    ("mine(id) = 1", "uses mine, which is not known to give the same answer"),
    ("id = CURRENT_DATE", "uses CURRENT_DATE.*today's date is a parameter"),
    ("MAX(id) = 1", "uses MAX"),
    ("orders.id = 1", "with its table"),
    ("id = ?", "parameter without a name"),
    ("idd = 1", r"the source 'orders' has no column 'idd'. Did you mean 'id'\?"),
    ("id = :dya", r"asks for the parameter :dya, which has no value. Did you mean 'day'\?"),
    ("id = 1", "params= has a value for :day, and neither where= nor a SELECT"),
    ("id = :day", "compared with the column 'id'.*its value is no such number"),
)


def test_what_is_no_condition(shop: Shop):
    for where, message in NONE:
        with pytest.raises(SqlscoreError, match=message):
            shop.score(source="orders", where=where, params={"day": "today"})
    assert shop.scoring.runs() == []


def test_the_database_judges_the_types(postgres: Database):
    shop = Shop.on(postgres, rows=1)
    with pytest.raises(DatabaseError, match=r"trying where= failed.*operator does not exist"):
        shop.score(where="city > 5")
