"""What a run says of values that its model did not expect, also after it was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
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


def filled(shop: Shop, ages: list[float | None], spends: list[float]) -> None:
    shop.create(
        "people",
        {"id": list(range(len(ages))), "age": ages, "spend": spends, "city": ["x"] * len(ages)},
    )
    shop.scoring.models.add("mixed", models.MIXED)


def test_policies_of_types(shop: Shop):
    ages, spends = [1.0, -2.75, 300.0, -1e30, None, 7.9], [0.5, 0.1, 0.25, 2.0, 3.0, 0.125]
    filled(shop, ages, spends)
    chosen = {"source": "people", "target": "t"}
    with pytest.raises(SignatureError, match="'age' takes int8"):
        shop.score("mixed", **chosen)
    run = shop.score("mixed", **chosen, types={"age": "lossy"}, restart=True)
    whole = [1, -2, 127, -128, None, 7]
    wanted = {i: None if a is None else np.float32(a) + np.float32(s)
              for i, (a, s) in enumerate(zip(whole, spends, strict=True))}  # fmt: skip
    assert shop.found("t") == wanted
    assert (run.counts.features["age"].truncated, run.counts.features["age"].nulls) == (4, 1)
    kept = {"types": {"age": "lossy", "spend": "exact"}, "quarantine": True, "restart": True}
    run = shop.score("mixed", **{**chosen, "target": "u"}, **kept)
    assert [(row.key["id"], row.name) for row in shop.scoring.quarantine(run.id)] == [(1, "spend")]
    assert shop.found("u") == {i: score for i, score in wanted.items() if i != 1}
    assert shop.scoring.run(run.id).counts.features["age"].truncated == 3


def test_policies_that_fit_nothing(shop: Shop):
    filled(shop, [1.0], [1.0])
    with pytest.raises(SignatureError, match="Did you mean 'lossy'"):
        shop.scoring.bind("mixed", source="people", types="lossi")
    with pytest.raises(SignatureError, match="Did you mean 'age'"):
        shop.scoring.bind("mixed", source="people", types={"agee": "exact"})
    dearer = "SELECT id, age, CAST(spend AS decimal(9,2)) AS spend FROM people"
    if shop.database.name in ("postgres", "mariadb", "duckdb"):  # what SQLite makes of it is double
        with pytest.raises(SignatureError, match=r"policy 'exact'.*'spend'"):
            shop.scoring.bind("mixed", source=dearer, key="id", types="exact")
