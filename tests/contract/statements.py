"""Customers that PREDICT statements are asked about, and what ONNX Runtime says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sqlscore.statements import staging
from tests.fixtures.scoring import WEIGHED, Shop, asked

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.databases import Database

ROWS = 40


def shop_of(database: Database) -> Shop:
    """Customers with a NULL age and a NULL spend, and a table that holds the model's bytes."""
    made = Shop.on(database, ROWS)
    made.run(
        "UPDATE customers SET age = NULL WHERE id = 9",
        "UPDATE customers SET spend = NULL WHERE id = 12",
    )
    made.scoring.models.alias("churn", "best", 1)
    keep = made.create("kept_models", None, {"id": pa.int64(), "model": pa.binary()})
    made.write(keep, {"id": [1], "model": [WEIGHED]})
    return made


def expected(shop: Shop) -> dict[int, float | None]:
    """Each customer's score; NULL where a feature is NULL."""
    rows = shop.ask("SELECT id, age, spend FROM customers")
    whole = [row for row in rows if None not in row]
    scores = asked(WEIGHED, np.array([row[1:] for row in whole], np.float64))[:, 0]
    found: dict[int, float | None] = dict.fromkeys((row[0] for row in rows), None)
    return found | {row[0]: float(s) for row, s in zip(whole, scores, strict=True)}


def found_by(shop: Shop, statement: str) -> dict[int, float | None]:
    """The ids and scores of a statement, to the last bit of a real."""
    rows = list(shop.scoring.sql(statement))
    found = {key: None if score is None else float(np.float32(score)) for key, score in rows}
    assert len(found) == len(rows)
    return found


FROM = "FROM PREDICT(MODEL = churn, DATA = customers AS d, RUNTIME = ONNX)"


def in_tables(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and predictions in one temporary table, where that can be, or in one each."""
    if how == "two tables":
        monkeypatch.setattr(staging, "can_stream", lambda *_: False)
