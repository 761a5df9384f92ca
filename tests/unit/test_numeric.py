"""A model of numbers runs without Arrow and onnx, and gives what a predictor gives."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.registry.running import running
from sqlscore.session.numeric import Numeric, NumericModel
from tests.fixtures import models
from tests.unit.test_row_predictor import ROWS, same

PLAIN = {
    "logistic": lambda: models.logistic(),
    "labels": lambda: models.logistic(labels=("a", "b", "c")),
    "network": lambda: models.mlp(),
    "trees": lambda: models.lightgbm(),
    "trees with missing values": lambda: models.lightgbm(missing=True),
    "boosting": lambda: models.xgboost(missing=True),
    "imputed forest": lambda: models.imputed_forest(),
    "an input a feature, in another order": lambda: models.written(
        "g (float[N,1] a, double[N] b, float[N,2] c) => (float[N,1] one, float[N,1] two) "
        "<float[2,1] w = {0.5, -0.25}, int64[1] axes = {1}> "
        "{ d = Cast<to = 1>(b) e = Unsqueeze(d, axes) one = Sub(a, e) two = MatMul(c, w) }"
    ),
}
NAMES = ["w", "x", "y", "z"]


def found(model: bytes) -> tuple[sqlscore.Model, NumericModel | None]:
    """The model, and what is stored of it for functions inside, after its way through JSON."""
    loaded = sqlscore.load(model)
    if not loaded.signature.named:
        loaded = sqlscore.load(model, features=NAMES[: len(loaded.signature.features)])
    made = running(loaded.graph, loaded.signature, loaded.proof, loaded.options["constants"] or {})
    if made is None:
        return loaded, None
    facts = Numeric.of_stored(json.loads(json.dumps(made.numeric.stored())))
    assert facts == made.numeric
    return loaded, NumericModel(facts, made.graph)


@pytest.mark.parametrize("name", PLAIN)
def test_it_gives_what_a_predictor_gives(name: str):
    loaded, numeric = found(PLAIN[name]())
    assert numeric is not None
    predictor = loaded.predictor()
    given = [*ROWS, *ROWS * 100]  # more than a run holds
    columns = [pa.array(column, pa.float64()) for column in zip(*given, strict=True)]
    batch = predictor(pa.RecordBatch.from_arrays(columns, names=predictor.feature_names)).batch
    wanted = {column: batch.column(column).to_pylist() for column in batch.schema.names}
    values = np.array([[0.0 if v is None else v for v in row] for row in given])
    nulls = np.array([[v is None for v in row] for row in given])
    predictions, lost = numeric(values, nulls)
    assert list(predictions) == list(wanted)
    for column, some in predictions.items():
        every: Any = np.full(len(given), None, object)
        every[slice(None) if lost is None else ~lost] = some.tolist()
        assert same(every.tolist(), wanted[column])
    rows = list(zip(*wanted.values(), strict=True))
    for values_, row in zip(ROWS, rows, strict=False):
        assert same(numeric.row(values_), row)
        # the second time by tensors that stay
        for _ in range(2):
            assert same(tuple(numeric.one(values_, i) for i in range(len(row))), row)


def test_nothing_but_rows_without_a_prediction():
    _, numeric = found(models.mlp())
    assert numeric is not None
    predictions, lost = numeric(np.zeros((3, 4)), np.ones((3, 4), bool))
    assert {len(one) for one in predictions.values()} == {0}
    assert lost is not None
    assert lost.tolist() == [True] * 3
    assert numeric.one([math.nan, None, 1.0, 2.0], 0) is None


@pytest.mark.parametrize(
    "model",
    [
        models.one_hot,
        lambda: models.passing("int64"),
        lambda: models.written("g (float[N,3,2] x) => (float[N,3,2] y) { y = Neg(x) }"),
        lambda: models.written("g (float[N,4] x) => (float[N,4] y) { y = Neg(x) }"),
        lambda: models.written(
            "g (float[N,4] x) => (float[N,1] y) <float m> { m = ReduceMean<keepdims = 1>(x) "
            "a = ReduceMean<axes = [1]>(x) y = Sub(a, m) }"
        ),
    ],
    ids=["text", "integers", "tensors", "a list a row", "rows that depend on each other"],
)
def test_what_is_not_plain_is_left_to_the_predictor(model: Any):
    assert found(model())[1] is None


def test_functions_inside_a_server_import_neither_arrow_nor_onnx():
    """Each new connection pays for every import."""
    program = "import sqlscore.runtime.plpython, sys; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    slow = {"pyarrow", "onnx", "pandas", "sqlalchemy", "sqlglot", "concurrent.futures"}
    assert not slow & set(imported)
