"""Runs whose models are SQL in the database: what they write, count, refuse, and go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.cli.describe import run_record
from sqlscore.costs.kept import store
from sqlscore.errors import DatabaseError, JobConflict, SqlscoreError
from sqlscore.jobs import pushing
from sqlscore.jobs.status import Status
from tests.fixtures import models
from tests.fixtures.scoring import (
    FEATURES,
    NEWER,
    OTHER,
    WEIGHED,
    Shop,
    asked,
    customers,
    expected,
    features,
    small_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.jobs.run import Progress
    from sqlscore.jobs.status import Run
    from tests.fixtures.databases import Database

IDS = range(0, 300, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch)
    made = Shop.on(database, rows=100)
    if made.scoring.product.fill is None:
        pytest.skip("rows are written from batches alone there")
    return made


def pushed(shop: Shop, models: Any = "churn", **chosen: Any) -> Run:
    run = shop.score(models, **{"route": "push-down", **chosen})
    assert run.route == "push-down"
    return run


def near(found: Mapping[int, float | None], wanted: Mapping[int, float | None]) -> None:
    """The same keys, and predictions within the bound of push-down; NULL where it should be."""
    assert list(found) == sorted(wanted)
    values = np.array([[found[i], wanted[i]] for i in wanted], dtype=np.float64)  # NULL is NaN
    np.testing.assert_allclose(values[:, 0], values[:, 1], rtol=1e-6, atol=1e-6)


def found(shop: Shop, name: str = "predictions", column: str = "score") -> dict[int, float | None]:
    return dict(sorted(shop.found(name, column).items()))


def test_each_mode_writes_what_it_should(shop: Shop):
    run = pushed(shop)
    assert (run.status, run.rows, run.total, run.ranges_done) == (Status.DONE, 100, 100, 3)
    near(found(shop), expected(IDS))
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    shop.create("later", customers([1, 4]))
    pushed(shop, source="later")
    near(found(shop), {**expected(IDS), **expected([1, 4], NEWER)})
    pushed(shop, "churn:1", source="later")
    near(found(shop), expected([*IDS, 1, 4]))
    with pytest.raises(DatabaseError, match="use mode upsert"):
        pushed(shop, source="later", mode="append")
    shop.create("latest", customers([2, 5]))
    pushed(shop, "churn:1", source="latest", mode="append")
    near(found(shop), expected([*IDS, 1, 4, 2, 5]))
    pushed(shop, mode="replace")
    near(found(shop), expected(IDS, NEWER))


def test_update_fills_columns_of_the_source_itself(shop: Shop):
    shop.run(f"ALTER TABLE customers ADD score {shop.database.product.declare(pa.float32())}")
    pushed(shop, target="customers", mode="update")
    near(found(shop, "customers"), expected(IDS))
    ages = [age for (age,) in shop.ask("SELECT age FROM customers ORDER BY id")]
    assert ages == customers(IDS)["age"].tolist()


def test_a_target_with_another_unique_column_keeps_its_other_rows(shop: Shop):
    chosen = {"id": pa.int64(), "note": pa.int64(), "score": pa.float32()}
    rows = {"id": [0, 1], "note": [7, 8], "score": pa.array([9, 9], pa.float32())}
    shop.create("predictions", rows, chosen)
    shop.run("CREATE UNIQUE INDEX by_note ON predictions (note)")
    if shop.database.product.t_sql:
        shop.run("DELETE FROM predictions WHERE id = 0")  # which has one NULL in a unique index
    pushed(shop, where="id < 3")
    near(found(shop), {**expected([0]), 1: 9.0})


def test_nulls_become_what_the_run_says_and_are_counted(shop: Shop):
    shop.run(
        "UPDATE customers SET age = NULL WHERE id < 30",
        "UPDATE customers SET spend = NULL WHERE id < 12",
    )
    run = pushed(shop)
    assert {n: t.nulls for n, t in run.counts.features.items()} == {"age": 10, "spend": 4}
    assert run.counts.predictions["score"].nulls == 10
    assert "nans" in run.uncounted
    told = run_record(run)
    assert told["counts"]["features"]["spend"] == {"nulls": 4, "truncated": 0}
    assert told["uncounted"] == list(run.uncounted)
    near(found(shop), {**expected(IDS), **dict.fromkeys(range(0, 30, 3))})
    filled = pushed(shop, nulls={"age": 0.0, "spend": "=1.5"}, target="filled")
    assert (filled.counts.features["age"].nulls, filled.counts.predictions) == (10, {})
    x = features(list(IDS))
    x[:10, 0], x[:4, 1] = 0.0, 1.5
    near(found(shop, "filled"), dict(zip(IDS, asked(WEIGHED, x)[:, 0].tolist(), strict=True)))


def test_what_float32_has_as_zero_or_as_infinite_is_that(shop: Shop):
    rows = {"id": [1, 2, 3], "age": [1e-60, 1e-300, 1e300], "spend": [0.0, -1e-310, 1.0]}
    shop.create("edges", {**rows, "city": [None, None, "Bern"]})
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    shop.score(source="edges", target="bridged")
    pushed(shop, source="edges")
    assert found(shop) == found(shop, "bridged")


def test_text_passes_and_defaults_hold_what_sql_might_read(shop: Shop):
    shop.scoring.models.add("one", models.one_hot())
    strange = "it's 100%: :x /* -- */"
    with shop.database.engine.begin() as connection:
        given = sa.text("UPDATE customers SET city = :city WHERE id = 3")
        connection.execute(given, {"city": strange})
    shop.run("UPDATE customers SET city = NULL WHERE id = 6")
    chosen: dict[str, Any] = {
        "columns": ["city"], "map": {"plan": "city"},
        "nulls": {"city": models.CITIES[0], "plan": f"={strange}"},
    }  # fmt: skip
    shop.score("one", target="bridged", **chosen)
    pushed(shop, "one", **chosen)
    label, *scores = (one.name for one in shop.scoring.models["one"].signature.predictions)
    for name in ("city", label):
        query = f"SELECT id, {shop.quoted(name)} FROM {{}} ORDER BY id"
        assert shop.ask(query.format("predictions")) == shop.ask(query.format("bridged"))
    for name in scores:
        near(found(shop, column=name), found(shop, "bridged", name))


def test_rows_conditions_and_lineage_are_those_of_any_run(shop: Shop):
    run = pushed(shop, where="id >= :least", params={"least": 150}, lineage=True)
    near(found(shop), expected(range(150, 300, 3)))
    told = "SELECT DISTINCT model_name, model_version, run_id FROM predictions"
    assert shop.ask(told) == [("churn", 1, run.id)]
    assert pushed(shop, only_new=True, lineage=True).rows == 50
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    assert pushed(shop, rescore="stale", lineage=True).rows == 100
    near(found(shop), expected(IDS, NEWER))
    shop.run("DELETE FROM customers WHERE id < 30")
    assert pushed(shop, sync=True, lineage=True).removed == 10
    near(found(shop), expected(range(30, 300, 3), NEWER))


def test_a_select_that_cannot_be_asked_twice_is_staged(shop: Shop):
    pushed(shop, source="SELECT DISTINCT id, age, spend FROM customers", key="id")
    near(found(shop), expected(IDS))


def test_a_join_is_read_by_ranges_and_its_keys_are_looked_at(shop: Shop):
    shop.create(
        "towns", {"number": [1], "name": ["nowhere"]}, {"number": pa.int64(), "name": pa.string()},
        key=["number"],
    )  # fmt: skip
    source = "SELECT c.id, c.age, c.spend FROM customers c LEFT JOIN towns t ON t.name = c.city"
    pushed(shop, source=source, key="id")
    near(found(shop), expected(IDS))

    def meddle(progress: Progress) -> None:
        if progress.rows == 0:  # its key was proved by then
            for number in (2, 3):
                shop.run(f"INSERT INTO towns VALUES ({number}, '{models.CITIES[0]}')")

    with pytest.raises(DatabaseError, match="does not identify a row"):
        pushed(shop, source=source, key="id", target="other", on_progress=meddle)
    assert shop.found("other") == {}


def test_several_models_stand_over_each_other(shop: Shop):
    shop.scoring.models.add("spend", OTHER, features=FEATURES)
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    shop.run("INSERT INTO customers (id, age) VALUES (-1, NULL)")
    run = pushed(shop, ["churn:1", "spend", "churn"])
    assert (run.rows, run.counts.rows) == (101, 101)
    assert list(run.counts.features)[:3] == ["churn_1_age", "churn_1_spend", "spend_age"]
    shop.run("DELETE FROM predictions WHERE id = -1")
    names = ["churn_1_score", "spend_other", "churn_score"]
    assert shop.names() == ["id", *names]
    for name, model in zip(names, (WEIGHED, OTHER, NEWER), strict=True):
        near(found(shop, column=name), expected(IDS, model))


def test_what_stands_in_the_way_is_told_at_once_and_before_anything_is_written(
    shop: Shop, tmp_path: Any
):
    odd = models.written(
        "g (float[N,2] x) => (float[N,2] score) <int64 one = {1}> { score = CumSum (x, one) }"
    )
    shop.scoring.models.add("odd", odd, features=FEATURES, outputs={"score": "score[1]"})
    chosen = {"quarantine": True, "finite": True, "nulls": {"age": "error"}}
    with pytest.raises(SqlscoreError) as error:
        shop.score("odd", route="push-down", **chosen)
    for words in ("CumSum", "quarantine=", "finite=", "'error' for 'age'"):
        assert words in str(error.value)
    assert shop.scoring.runs() == []
    with pytest.raises(SqlscoreError, match="two databases"):
        shop.score(route="push-down", target_db=f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(SqlscoreError, match="there is no route 'sql'"):
        shop.score(route="sql")


def test_a_column_that_would_change_what_is_written_is_in_the_way(shop: Shop):
    shop.create("predictions", None, {"id": pa.int64(), "score": "DECIMAL(5, 2)"})
    with pytest.raises(SqlscoreError, match="the target's column 'score' is"):
        shop.score(route="push-down")
    assert shop.scoring.runs() == []


def test_auto_takes_the_cheaper_route_and_keeps_why(shop: Shop):
    for seconds, route in ((0.0, "push-down"), (1.0, "bridge")):
        constants = dict.fromkeys(("plan_start", "plan_leaf", "sql_weight", "sql_call"), seconds)
        store(shop.database.engine, shop.scoring.product, constants)
        run = shop.score(target=f"by_{len(route)}", route="auto")
        assert run.route == route
        assert "push-down about" in run.because[0]
        assert shop.scoring.run(run.id).because == run.because
    run = shop.score(target="aside", route="auto", quarantine=True)
    assert (run.route, "quarantine=" in run.because[0]) == ("bridge", True)


class Stopped(Exception):
    """What the test raises in the middle of a run."""


def stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch, **chosen: Any) -> None:
    """A run that ended after its first range."""
    push, left = pushing.Pusher.__call__, [1]

    def limited(*given: Any) -> int:
        if not left[0]:
            raise Stopped
        left[0] -= 1
        return push(*given)

    with monkeypatch.context() as patch:
        patch.setattr(pushing.Pusher, "__call__", limited)
        with pytest.raises(Stopped):
            shop.score(route="push-down", **chosen)


def test_a_run_that_was_stopped_goes_on_by_its_route(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    (before,) = shop.scoring.runs()
    assert (before.status, before.rows) == (Status.FAILED, 40)
    near(found(shop), expected(IDS[:40]))
    with pytest.raises(JobConflict, match="route: 'push-down' then, 'bridge' now"):
        shop.score()
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    run = pushed(shop)
    assert (run.id, run.resumed, run.rows) == (before.id, True, 100)
    near(found(shop), expected(IDS))
    assert shop.scoring.run(run.id).counts.rows == 100


def test_a_view_with_a_condition_of_its_own_is_pushed_down_too(shop: Shop):
    shop.run("CREATE VIEW old AS SELECT id, age, spend FROM customers WHERE id >= 150")
    run = pushed(shop, source="old", key="id")
    assert run.rows == 50
    near(found(shop), expected(range(150, 300, 3)))
    with sqlscore.connect(shop.database.engine) as other, other.engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
    assert not [name for name in names if "stag" in name]
