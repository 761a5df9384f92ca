"""What a run says of values that its model did not expect, also after it was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlscore.cli import main
from sqlscore.errors import SignatureError
from tests.fixtures import models
from tests.fixtures.scoring import Shop, features, small_ranges

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = list(range(0, 120, 3))
#: knows two of the cities, and the ages of its training
KNOWING = models.written(
    "g (string[N,1] city, float[N,1] age) => (float[N,1] score) { "
    'c = ai.onnx.ml.LabelEncoder <keys_strings = ["Bern", "Łódź"], values_floats = [1.0, 2.0]>'
    " (city) score = Add(c, age) }",
    {"feature_ranges": '{"age": [-1.5, 1.5]}'},
)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=7, batch=3)
    return Shop.on(database, rows=40)


def test_unknown_categories_and_values_out_of_range_are_counted(
    shop: Shop, capsys: pytest.CaptureFixture[str]
):
    shop.scoring.models.add("knowing", KNOWING)
    shop.run("UPDATE customers SET age = NULL WHERE id = 60")
    chosen = {"target": "t", "nulls": {"age": "error"}}
    with pytest.raises(SignatureError):
        shop.score("knowing", **chosen)
    shop.run("UPDATE customers SET age = 0 WHERE id = 60")
    run = shop.score("knowing", **chosen)
    assert (run.resumed, run.rows) == (True, 40)
    cities = [models.CITIES[i % len(models.CITIES)] for i in IDS]
    ages = [0.0 if i == 60 else age for i, age in zip(IDS, features(IDS)[:, 0], strict=True)]
    unknown = sum(city not in ("Bern", "Łódź") for city in cities)
    outside = sum(abs(age) > 1.5 for age in ages)
    assert run.counts.features["city"].unknown == unknown > 0
    assert run.counts.features["age"].outside == outside > 0
    assert shop.scoring.run(run.id).counts == run.counts
    shop.database.engine.dispose()
    assert main(["run", "show", run.id, "--db", shop.database.url]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"feature city {unknown} unknown to the model" in said
    assert f"feature age {outside} out of the range of training" in said
