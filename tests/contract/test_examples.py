"""Models added with their author's own predictions, and held to them on every database."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import sqlscore
from sqlscore.errors import ModelError, RegistryError, SignatureError, SqlscoreError
from sqlscore.jobs import loaded
from sqlscore.prove import examples as proofs
from sqlscore.prove.examples import Examples, compared, sample
from tests.fixtures.scoring import FEATURES, WEIGHED, Shop, asked, expected, features

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import Database


def holdout(rows: int = 1000, **changed: Any) -> pa.Table:
    """Rows with what ONNX Runtime itself gives, as the author's predictions."""
    x = features(range(rows))
    columns = {
        "note": ["row"] * rows, "score": asked(WEIGHED, x)[:, 0].astype(np.float64),
        "spend": x[:, 1], "age": x[:, 0],
    }  # fmt: skip
    return pa.table({**columns, **changed})


def shifted(row: int, by: float) -> dict[str, Any]:
    score = holdout()["score"].to_numpy().copy()
    score[row - 1] += by
    return {"score": score}


def test_examples_are_compared_kept_and_copied(database: Database, sqlite: Database):
    ours = sqlscore.connect(database.engine).models
    rows = holdout(**shifted(17, 5e-6))
    ours.add("churn", WEIGHED, features=FEATURES, examples=rows, expect="score")
    found = ours.examples("churn")
    assert found is not None
    assert (found.rows, found.tolerance, found.expect) == (1000, 1e-5, {"score": "score"})
    assert (found.largest.prediction, found.largest.row) == ("score", 17)
    assert found.largest.size == pytest.approx(5e-6, rel=0.01)
    assert 100 <= found.kept.num_rows <= 101
    assert found.kept.schema.names == [*FEATURES, "score"]
    assert ours.check("churn").size == pytest.approx(5e-6, rel=0.01)
    ours.add("churn", WEIGHED, features=FEATURES, examples=holdout(7), expect=["score"])
    again = ours.examples("churn:1")
    assert again is not None
    assert (again.rows, again.kept.num_rows, again.largest.size) == (7, 7, 0.0)
    there = sqlscore.connect(sqlite.engine).models
    ours.copy("churn", there, name="copy")
    assert there.examples("copy") == again
    ours.remove("churn:1")
    ours.add("churn", WEIGHED, features=FEATURES)
    assert ours.examples("churn") is None
    with pytest.raises(RegistryError, match="no examples are kept with churn:2"):
        ours.check("churn")


def test_a_difference_past_the_tolerance_names_itself_and_its_row(sqlite: Database):
    ours = sqlscore.connect(sqlite.engine).models
    rows = holdout(**shifted(400, 0.01))
    with pytest.raises(ModelError, match=r"1,000 rows .* is 0.01 \(score, row 400\)"):
        ours.add("churn", WEIGHED, features=FEATURES, examples=rows, expect="score")
    assert list(ours) == []
    ours.add(
        "churn", WEIGHED, features=FEATURES, examples=rows, expect="score", tolerance=0.02
    )  # fmt: skip
    assert list(ours) == ["churn"]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_and_other_names(sqlite: Database, tmp_path: Path, kind: str):
    ours = sqlscore.connect(sqlite.engine).models
    rows = holdout().rename_columns(["note", "probability", "spend", "age"])
    file = tmp_path / f"holdout.{kind}"
    {"parquet": pq.write_table, "csv": pacsv.write_csv}[kind](rows, file)
    ours.add(
        "churn", WEIGHED, features=FEATURES, examples=file, expect={"probability": "score"}
    )  # fmt: skip
    found = ours.examples("churn")
    assert found is not None
    assert found.rows == 1000
    assert found.largest.size < 1e-7


@pytest.mark.parametrize(
    ("given", "expect", "message"),
    [
        (holdout(), "scor", r"'scor' is no prediction .* Did you mean 'score'"),
        (holdout(), {"skore": "score"}, r"have no column 'skore'. Did you mean 'score'"),
        (holdout(), (), "no expected column"),
        (holdout().slice(0, 0), "score", "no row"),
        (holdout().drop(["age"]), "score", "age"),
        (holdout(score=["high"] * 1000), "score", "string, which cannot be compared"),
        ("nothing.parquet", "score", r"there is no file 'nothing.parquet'"),
        (None, "score", "examples="),
    ],
)
def test_what_cannot_be_compared_is_said(sqlite: Database, given: Any, expect: Any, message: str):
    ours = sqlscore.connect(sqlite.engine).models
    with pytest.raises(SqlscoreError, match=message):
        ours.add("churn", WEIGHED, features=FEATURES, examples=given, expect=expect)
    assert list(ours) == []


def test_another_runtime_is_held_to_the_examples_before_a_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    shop = Shop.on(database, rows=5)
    ours = shop.scoring.models
    ours.add("churn", WEIGHED, features=FEATURES, examples=holdout(), expect="score")
    checked: list[str] = []
    check = Examples.check

    def noted(examples: Examples, predictor: Any, name: str) -> Any:
        checked.append(name)
        return check(examples, predictor, name)

    monkeypatch.setattr(Examples, "check", noted)
    monkeypatch.setattr(proofs, "_held", set())
    shop.score()
    assert checked == []  # it is the runtime that they were compared with
    monkeypatch.setattr(loaded, "runtime_version", lambda: "another")
    shop.score()
    shop.score()
    assert checked == ["churn:1"]
    assert shop.found() == expected(range(0, 15, 3))


def test_a_runtime_that_gives_other_predictions_runs_nothing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    shop = Shop.on(sqlite, rows=5)
    ours = shop.scoring.models
    ours.add("churn", WEIGHED, features=FEATURES, examples=holdout(), expect="score")
    shifts = pa.RecordBatch.from_pydict({**{n: [0.5] for n in FEATURES}, "score": [0.9]})
    kept = ours.examples("churn")
    assert kept is not None
    wrong = dataclasses.replace(kept, kept=shifts, onnxruntime="1.0")
    ours._registry.add("churn", WEIGHED, features=FEATURES, examples=wrong)
    with pytest.raises(ModelError, match=r"churn:1 does not give .* held with onnxruntime 1.0 on"):
        shop.score()
    assert shop.scoring.runs() == []
    with pytest.raises(ModelError, match="churn:1 does not give its author's predictions"):
        ours.check("churn")


def test_values_are_compared_as_people_mean_it():
    inf, nan = np.inf, np.nan

    def largest(theirs: Any, ours: Any) -> float:
        batches = [pa.RecordBatch.from_pydict({"p": pa.array(v)}) for v in (theirs, ours)]
        return compared(*batches).size

    assert largest([1.0, nan, None, inf, -inf], [1.0, None, nan, inf, -inf]) == 0
    assert largest([0.5], [0.25]) == 0.25
    assert largest([1000.0], [999.0]) == 0.001  # relative past 1
    assert largest([1.0, None], [1.0, 2.0]) == inf
    assert largest([inf], [-inf]) == inf
    assert largest([1, 2], [1, 3]) == 0.5
    assert largest([1, 0], [True, False]) == 0
    assert largest(["a", "b"], ["a", "b"]) == 0
    assert largest(["a", None], ["a", "b"]) == inf
    assert largest([[1.0, 2.0]], [[1.0, 2.5]]) == 0.25
    assert largest([[1.0, 2.0], None], [[1.0], None]) == inf
    with pytest.raises(SignatureError, match="cannot be compared"):
        largest([b"\xff"], ["a"])


def test_few_of_large_rows_are_kept_and_the_worst_among_them():
    wide = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(50 * 8000)), 8000)
    given = pa.RecordBatch.from_pydict({"x": wide})
    expect = pa.RecordBatch.from_pydict({"y": pa.array(range(50))})
    kept = sample(given, expect, 33)
    assert 1 < kept.num_rows < 20
    assert kept.nbytes < 2**20
    assert 33 in kept["y"].to_pylist()
    huge = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2**18)), 2**18)
    assert sample(pa.RecordBatch.from_pydict({"x": huge}), expect.slice(0, 1), 0).num_rows == 0
