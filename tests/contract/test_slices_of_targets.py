"""Slices that are refilled, targets that follow their source, and predictions gone stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs import mirroring
from sqlscore.jobs.status import Status
from tests.fixtures.databases import fresh_database
from tests.fixtures.models import CITIES
from tests.fixtures.scoring import (
    COLUMNS,
    FEATURES,
    NEWER,
    OTHER,
    Shop,
    customers,
    expected,
    small_ranges,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import Database

IDS = range(0, 120, 3)
BERN = [i for i in IDS if CITIES[i % len(CITIES)] == "Bern"]
REST = [i for i in IDS if i not in BERN]


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=7, batch=3)
    return Shop.on(database, rows=40)


def newer(shop: Shop) -> None:
    shop.scoring.models.add("churn", NEWER, features=FEATURES)


# ---- slices


def test_a_slice_is_refilled_and_nothing_else(shop: Shop):
    shop.score(mode="replace", columns=["city"])
    newer(shop)
    shop.run("DELETE FROM customers WHERE id = 0", "UPDATE customers SET city = 'Bern' WHERE id=-1")
    where: dict[str, Any] = {"where": "city = :city", "params": {"city": "Bern"}}
    run = shop.score(mode="replace", columns=["city"], **where)
    assert run.rows == len(BERN) - 1
    assert shop.found() == {**expected(REST), **expected(BERN[1:], NEWER)}
    again = shop.score(mode="replace", columns=["city"], **where)
    assert (again.resumed, again.rows) == (False, len(BERN) - 1)
    assert shop.found() == {**expected(REST), **expected(BERN[1:], NEWER)}
    # the target is still one that sqlscore made, and may be swapped
    assert shop.score(mode="replace", columns=["city"]).rows == 39
    assert shop.found() == expected(IDS[1:], NEWER)


def test_the_first_slice_makes_the_target(shop: Shop):
    shop.score(mode="replace", where="id < 30")
    shop.score(mode="replace", where="id >= 90")
    assert shop.found() == expected([*range(0, 30, 3), *range(90, 120, 3)])


def test_a_slice_that_is_empty_now_is_emptied(shop: Shop):
    shop.score(mode="replace", columns=["city"])
    shop.run("DELETE FROM customers WHERE city = 'Bern'")
    shop.score(mode="replace", columns=["city"], where="city = 'Bern'")
    assert shop.found() == expected(REST)


def test_a_key_that_is_in_another_slice_is_an_error_that_changes_nothing(shop: Shop):
    shop.score(mode="replace", columns=["city"])
    newer(shop)
    shop.run("UPDATE customers SET city = 'Bern' WHERE id = 3")
    with pytest.raises(DatabaseError, match=r"1 rows of the slice have a key \(id\)") as error:
        shop.score(mode="replace", columns=["city"], where="city = 'Bern'")
    assert shop.found() == expected(IDS)
    assert error.value.run.status is Status.FAILED  # type: ignore[attr-defined]
    city = "São Paulo" if CITIES[3] == "São Paulo" else CITIES[3]
    shop.score(mode="replace", columns=["city"], where=f"city = '{city}'")
    assert shop.score(mode="replace", columns=["city"], where="city = 'Bern'").resumed
    assert shop.found()[3] == expected([3], NEWER)[3]


def test_a_slice_must_be_told_by_what_the_target_has(shop: Shop):
    with pytest.raises(DatabaseError, match=r"no column 'city'.*pass the columns on.*columns="):
        shop.score(mode="replace", where="city = 'Bern'")
    with pytest.raises(DatabaseError, match="no column 'city'"):
        shop.score(sync=True, where="city = 'Bern'")
    assert shop.scoring.runs() == []


def test_a_slice_of_a_select_that_is_evaluated_once(shop: Shop):
    query = "SELECT a.id, a.age, b.spend, a.city FROM customers a JOIN customers b ON a.id = b.id"
    shop.score(mode="replace", columns=["city"])
    newer(shop)
    chosen = {"source": query, "key": "id", "mode": "replace", "columns": ["city"]}
    assert shop.score(**chosen, where="city = 'Bern'").rows == len(BERN)
    assert shop.found() == {**expected(REST), **expected(BERN, NEWER)}


# ---- a target that follows its source


def test_predictions_whose_row_is_gone_are_removed(shop: Shop):
    shop.score()
    shop.run("DELETE FROM customers WHERE id < 30")
    assert shop.score().removed == 0
    run = shop.score(sync=True)
    assert (run.rows, run.removed) == (30, 10)
    assert shop.scoring.run(run.id).removed == 10
    assert shop.found() == expected(range(30, 120, 3))
    assert shop.score(sync=True).removed == 0


def test_only_those_of_the_slice_are_removed(shop: Shop):
    shop.score(columns=["city"])
    shop.run("DELETE FROM customers WHERE id < 30")
    run = shop.score(sync=True, columns=["city"], where="city = 'Bern'")
    gone = [i for i in BERN if i < 30]
    assert run.removed == len(gone)
    assert sorted(shop.found()) == [i for i in IDS if i not in gone]


def test_an_incremental_run_removes_them_too(shop: Shop):
    chosen: dict[str, Any] = {"incremental": "id", "sync": True}
    shop.score(**chosen)
    shop.run("DELETE FROM customers WHERE id = 3")
    run = shop.score(**chosen)
    assert (run.rows, run.removed) == (0, 1)
    assert sorted(shop.found()) == [i for i in IDS if i != 3]


def test_from_a_select_that_is_evaluated_once(shop: Shop):
    shop.score()
    run = shop.score(source="SELECT DISTINCT * FROM customers WHERE id > 60", key="id", sync=True)
    assert (run.rows, run.removed) == (19, 21)
    assert shop.found() == expected(range(63, 120, 3))


def test_from_another_database(shop: Shop, tmp_path: Path):
    """The source's keys are copied beside the target; nothing of them is left."""
    (tmp_path / "other").mkdir()
    with fresh_database("sqlite", None, tmp_path / "other") as elsewhere:
        there = Shop(database=elsewhere, scoring=shop.scoring)
        there.create("customers", customers(IDS), COLUMNS)
        shop.score(source_db=elsewhere.engine)
        there.run("DELETE FROM customers WHERE id > 60")
        run = shop.score(source_db=elsewhere.engine, sync=True)
        assert (run.rows, run.removed) == (21, 19)
        assert shop.found() == expected(range(0, 63, 3))
        if shop.database.name != "sqlite":
            with pytest.raises(SqlscoreError, match="which may understand it differently"):
                shop.score(source_db=elsewhere.engine, sync=True, where="id > 3")


def test_a_sync_that_fails_is_gone_on_with(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.score()
    shop.run("DELETE FROM customers WHERE id < 30")
    remove = mirroring.remove

    def failing(*_: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(mirroring, "remove", failing)
    with pytest.raises(DatabaseError):
        shop.score(sync=True)
    monkeypatch.setattr(mirroring, "remove", remove)
    run = shop.score(sync=True)
    assert (run.resumed, run.rows, run.removed) == (True, 30, 10)
    assert shop.found() == expected(range(30, 120, 3))


# ---- predictions of another version


def test_only_stale_rows_are_scored_again(shop: Shop):
    shop.scoring.models.alias("churn", "live", 1)
    chosen: dict[str, Any] = {"models": "churn@live", "lineage": ["version"], "rescore": "stale"}
    with pytest.raises(DatabaseError, match="the target must be there"):
        shop.score(**chosen)
    shop.score("churn@live", lineage=["version"])
    assert shop.score(**chosen).rows == 0
    newer(shop)
    shop.scoring.models.alias("churn", "live", 2)
    shop.score("churn@live", lineage=["version"], where="id < 30")
    shop.run("UPDATE predictions SET model_version = NULL WHERE id = 0")
    shop.create("later", customers([1000]))
    run = shop.score(**chosen)
    assert (run.rows, run.total) == (31, 31)
    assert shop.found() == expected(IDS, NEWER)
    assert shop.score(**chosen).rows == 0


def test_stale_rows_of_the_source_itself_and_of_several_models(shop: Shop):
    shop.scoring.models.add("other", OTHER, features=FEATURES)
    word = shop.database.product.declare
    for name, type_ in (
        ("churn_score", pa.float32()), ("other_other", pa.float32()),
        ("churn_model_sha256", pa.string()), ("other_model_sha256", pa.string()),
    ):  # fmt: skip
        shop.run(f"ALTER TABLE customers ADD {name} {word(type_)}")
    chosen: dict[str, Any] = {
        "target": "customers",
        "mode": "update",
        "lineage": "sha256",
        "rescore": "stale",
    }
    assert shop.score(["churn", "other"], **chosen).rows == 40
    assert shop.score(["churn", "other"], **chosen).rows == 0
    newer(shop)
    assert shop.score(["churn", "other"], **chosen).rows == 40
    assert shop.found("customers", "churn_score") == expected(IDS, NEWER)
