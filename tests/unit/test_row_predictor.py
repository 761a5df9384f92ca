"""A row by itself has the bits that it has in a batch, and the same NULLs and errors."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import sqlscore
from sqlscore.predictor.row import RowPredictor
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
