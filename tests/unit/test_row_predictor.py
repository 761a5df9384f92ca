"""A row by itself has the bits that it has in a batch, and the same NULLs and errors."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.predictor.row import RowPredictor
from sqlscore.predictor.rows import predicted_rows
from tests.fixtures import models

NUMBERS = models.columns(40, 4).tolist()
ROWS: list[list[Any]] = [
    *NUMBERS,
    [None, 1.0, 2.0, 3.0],
    [math.nan, 1.0, 2.0, 3.0],
    [math.inf, -math.inf, 1e300, -1e-300],
    [None] * 4,
    [0.1, -0.0, 2.0**60, 3.4028235677973366e38],
]
MODELS = {
    "logistic": lambda: models.logistic(),
    "labels": lambda: models.logistic(labels=("a", "b", "c")),
    "network": lambda: models.mlp(),
    "trees": lambda: models.lightgbm(),
    "trees with missing values": lambda: models.lightgbm(missing=True),
    "boosting": lambda: models.xgboost(missing=True),
    "imputed forest": lambda: models.imputed_forest(),
}


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)  # NaN is NaN, and -0.0 is not 0.0


@pytest.mark.parametrize("name", MODELS)
def test_a_row_has_the_bits_that_it_has_in_a_batch(name: str):
    predictor = sqlscore.load(MODELS[name]()).predictor()
    columns = [pa.array(column, pa.float64()) for column in zip(*ROWS, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=predictor.feature_names)
    expected = [tuple(row.values()) for row in predictor(batch).batch.to_pylist()]
    row = RowPredictor(predictor)
    for values, wanted in zip(ROWS, expected, strict=True):
        assert same(row(values), wanted)
        assert same(tuple(row.one(values, i) for i in range(len(wanted))), wanted)


def test_text_and_numbers_side_by_side():
    predictor = sqlscore.load(models.one_hot()).predictor()
    people = models.people(30)
    expected = predictor(people.select(predictor.feature_names)).batch.to_pylist()
    row = RowPredictor(predictor)
    given = [[one[name] for name in predictor.feature_names] for one in people.to_pylist()]
    assert [row(values) for values in given] == [tuple(one.values()) for one in expected]


@pytest.mark.parametrize(
    ("element", "values"),
    [("int64", (2**62 + 1, -1)), ("int32", (7, -(2**31))), ("uint8", (255, 0)),
     ("bool", (True, False)), ("double", (0.1, 1e300)), ("float16", (0.1, 3.0)),
     ("string", ("x", ""))],
)  # fmt: skip
def test_every_kind_of_element(element: str, values: tuple[Any, ...]):
    predictor = sqlscore.load(models.passing(element), features=["a", "b"]).predictor()
    arrays = [pa.array([value]) for value in values]
    batch = pa.RecordBatch.from_arrays(arrays, names=predictor.feature_names)
    expected = tuple(predictor(batch).batch.to_pylist()[0].values())
    assert RowPredictor(predictor)(values) == expected


def test_other_words_for_numbers():
    row = RowPredictor(sqlscore.load(models.passing("float"), features=["a", "b"]).predictor())
    assert row([Decimal("0.5"), True]) == ([0.5, 1.0],)
    assert row([10**400, -(10**400)]) == ([math.inf, -math.inf],)


def test_one_prediction_again_and_again():
    text = "g (int64[N] a, float[N,1] b, int64[N] c) => (int64[N] d, float[N,1] y) "
    text += "{ d = Sub(a, c) y = Identity(b) }"
    row = RowPredictor(sqlscore.load(models.written(text)).predictor())
    for _ in range(3):
        assert row.one((2**62 + 1, 0.1, -1), 0) == 2**62 + 2
        assert row.one((5, 0.1, 3.0), 0) == 2  # a whole number that came as a float
        assert row.one((5, None, 3), 0) is None
        assert row.one((1, 0.1, 2), 1) == float(np.float32(0.1))
        assert row.one((1, 10**400, 2), 1) == row.one((1, 1e39, 2), 1) == math.inf
    for wrong in ((0.5, 1, 2), (2**63, 1, 2), (1, "1", 2), (1, 2)):
        with pytest.raises(sqlscore.SignatureError):
            row.one(wrong, 0)


def test_one_prediction_by_several_threads():
    row = RowPredictor(sqlscore.load(models.lightgbm()).predictor())
    expected = [row(values)[-1] for values in NUMBERS]
    place = len(row(NUMBERS[0])) - 1

    def all_rows(_: int) -> list[Any]:
        return [row.one(values, place) for values in NUMBERS * 20]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected * 20 for found in pool.map(all_rows, range(8)))


@pytest.mark.parametrize("name", MODELS)
def test_rows_together_have_the_bits_of_each_alone(name: str):
    predictor = sqlscore.load(MODELS[name]()).predictor()
    row = RowPredictor(predictor)
    rows = [tuple(values) for values in ROWS]
    place = len(predictor.signature.predictions) - 1
    found = predicted_rows(predictor, row, rows, place)
    assert same(found, [row(values)[place] for values in rows])
    with pytest.raises(sqlscore.SignatureError, match="of the type str"):
        predicted_rows(predictor, row, [*rows, ("1", 2.0, 3.0, 4.0)], place)


def test_a_tensor_a_row():
    model = sqlscore.load(models.written("g (float[N,2,2] x) => (float[N,2,2] y) { y = Abs(x) }"))
    assert RowPredictor(model.predictor())(["[[1, -2], [3, -4]]"]) == ([1.0, 2.0, 3.0, 4.0],)


def test_null_policies():
    model = sqlscore.load(models.passing("float"), features=["a", "b"])
    assert RowPredictor(model.predictor(nulls={"a": 7}))([None, 1]) == ([7.0, 1.0],)
    with pytest.raises(sqlscore.SignatureError, match="'a' is NULL, and its NULL policy is"):
        RowPredictor(model.predictor(nulls={"a": "error"}))([None, 1])


@pytest.mark.parametrize(
    ("element", "values", "message"),
    [
        ("float", ("1", 2), "'a' takes a number, and was given another value, of the type str"),
        ("string", ("1", 2), "'b' takes text"),
        ("int32", (2**31, 1), r"'a' takes int32, from -2147483648 to 2147483647"),
        ("int64", (0.5, 1), "'a' takes a whole number"),
        ("bool", (2, 1), "'a' takes bool, from 0 to 1"),
        ("float", (1,), "takes 2 values, in this order: a, b; and 1 are given"),
    ],
)
def test_what_does_not_fit_is_named(element: str, values: tuple[Any, ...], message: str):
    row = RowPredictor(sqlscore.load(models.passing(element), features=["a", "b"]).predictor())
    with pytest.raises(sqlscore.SignatureError, match=message):
        row(values)
