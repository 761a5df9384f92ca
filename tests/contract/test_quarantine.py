"""Rows that cannot be scored: left out, kept with key and reason; the rest is scored."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.errors import ModelError, SignatureError, SqlscoreError, TooManyBadRows
from sqlscore.jobs.gate import allowed, most
from sqlscore.jobs.status import Status
from tests.faults.test_faults import PICKY
from tests.fixtures import models
from tests.fixtures.scoring import COLUMNS, Shop, expected, features, small_ranges

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 120, 3)
#: a whole number in, one out
WHOLE = models.written(
    "g (int64[N,1] age, float[N,1] spend) => (float[N,1] score) "
    "{ f = Cast <to = 1> (age) score = Add(f, spend) }"
)
#: NaN for a negative age, -inf for an age of zero
LOGARITHM = models.written("g (float[N,1] age) => (float[N,1] score) { score = Log(age) }")


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=7, batch=3)
    return Shop.on(database, rows=40)


def left_out(shop: Shop, run: Any) -> dict[int, tuple[str | None, str]]:
    """Key -> what is said of the row."""
    rows = shop.scoring.quarantine(run.id)
    assert all(row.at is not None for row in rows)
    return {row.key["id"]: (row.name, row.reason) for row in rows}


def test_rows_with_null_where_that_is_an_error(shop: Shop):
    shop.run("UPDATE customers SET age = NULL WHERE id IN (3, 60, 63)")
    chosen: dict[str, Any] = {"nulls": {"age": "error"}}
    with pytest.raises(SignatureError, match="policy is 'error'"):
        shop.score(**chosen)
    run = shop.score(**chosen, quarantine=True)  # goes on with the run that failed
    assert (run.resumed, run.rows, run.quarantined, run.counts.rows) == (True, 37, 3, 37)
    why = ("age", "it is NULL, and its NULL policy is 'error'")
    assert left_out(shop, run) == {3: why, 60: why, 63: why}
    assert shop.found() == expected([i for i in IDS if i not in (3, 60, 63)])
    assert shop.scoring.run(run.id).quarantined == 3
    (row, *_) = shop.scoring.quarantine(run.id[:6], limit=1)
    assert (dict(row.key), row.model) == ({"id": 3}, "churn:1")
    # mended: the next run scores them, and the first one's quarantine is its own
    shop.run("UPDATE customers SET age = 1 WHERE age IS NULL")
    assert shop.score(**chosen, quarantine=True).quarantined == 0
    assert len(shop.found()) == 40
    assert len(shop.scoring.quarantine(run.id)) == 3


def test_values_that_do_not_fit_and_rows_that_the_model_refuses(shop: Shop):
    shop.run("UPDATE customers SET age = 1", "UPDATE customers SET age = 77 WHERE id IN (9, 90)")
    shop.scoring.models.add("picky", PICKY)
    shop.scoring.models.add("whole", WHOLE)
    run = shop.score("picky", quarantine=True)
    assert sorted(left_out(shop, run)) == [9, 90]
    name, reason = left_out(shop, run)[9]
    assert name is None
    assert "the model failed while it ran" in reason
    assert "77" not in reason
    spend = features([i for i in IDS if i not in (9, 90)])[:, 1].astype(np.float32)
    assert list(shop.found().values()) == (spend + np.float32(2)).tolist()
    shop.run("UPDATE customers SET age = 1.5 WHERE id = 6")
    both = shop.score(["picky", "whole"], target="both", quarantine=True)
    assert (both.rows, both.quarantined) == (37, 3)
    said = left_out(shop, both)
    assert said[6][0] == "age"
    assert "or not whole" in said[6][1]
    assert {row.model for row in shop.scoring.quarantine(both.id)} == {"picky:1", "whole:1"}


def test_predictions_that_are_not_finite(shop: Shop):
    shop.run("UPDATE customers SET age = 1", "UPDATE customers SET age = -1 WHERE id = 6",
             "UPDATE customers SET age = 0 WHERE id = 12")  # fmt: skip
    shop.scoring.models.add("logarithm", LOGARITHM)
    assert shop.score("logarithm", target="all_of_them").rows == 40
    with pytest.raises(ModelError, match=r"prediction 'score' of 1 rows: it is NaN .*at id "):
        shop.score("logarithm", finite=True)
    run = shop.score("logarithm", finite=True, quarantine=True)
    why = ("score", "it is NaN or infinite, and predictions are to be finite")
    assert left_out(shop, run) == {6: why, 12: why}
    assert shop.found() == dict.fromkeys((i for i in IDS if i not in (6, 12)), 0.0)


def test_too_many_of_them_stop_the_run(shop: Shop):
    shop.run("UPDATE customers SET age = NULL WHERE id IN (3, 60, 117)")
    chosen: dict[str, Any] = {"nulls": {"age": "error"}, "quarantine": True}
    with pytest.raises(TooManyBadRows, match=r"2 rows of about 40 cannot.*max_bad= allows 4%") as e:
        shop.score(**chosen, max_bad=0.04)
    assert "1 times age: it is NULL" in str(e.value)
    stopped: Any = e.value.run
    assert (stopped.status, stopped.quarantined) == (Status.FAILED, 1)
    assert sorted(shop.found()) == [i for i in IDS if i != 3][: stopped.rows]
    assert sorted(left_out(shop, stopped)) == [3]
    with pytest.raises(TooManyBadRows, match="3 rows of about 40"):
        shop.score(**chosen, max_bad=2)
    run = shop.score(**chosen, max_bad="3")
    assert (run.id, run.rows, run.quarantined) == (stopped.id, 37, 3)
    assert sorted(left_out(shop, run)) == [3, 60, 117]


def test_keys_of_several_columns_and_kinds(shop: Shop):
    columns = {"day": pa.date32(), "raw": pa.int32(), **COLUMNS}
    days: list[Any] = [date(2026, 11, 22), date(2026, 11, 23)]
    shop.create("days", {
        "day": list(map(str, days)) if shop.database.name == "sqlite" else days,
        "raw": [1, 2], "id": [0, 3], "age": [None, 1.0], "spend": [0.5, 0.5], "city": ["a", "b"],
    }, columns, key=("day", "raw"))  # fmt: skip
    run = shop.score(source="days", target="t", nulls={"age": "error"}, quarantine=True)
    (row,) = shop.scoring.quarantine(run.id)
    assert dict(row.key) == {"day": "2026-11-22", "raw": 1}


def test_what_belongs_together(shop: Shop):
    with pytest.raises(SqlscoreError, match="max_bad= belongs to quarantine="):
        shop.score(max_bad=1)
    for wrong in ("1 %", "x", "-1", "101%", -1, 1.5):
        with pytest.raises(SqlscoreError, match="takes a number of rows, or a share such as 1%"):
            allowed(wrong)
    assert [allowed(g) for g in (None, 5, "5", 0.01, "0.5%")] == [None, "5", "5", "1%", "0.5%"]
    assert [most(t, 1001) for t in (None, "5", "1%", "0.05%")] == [None, 5, 10, 0]
