"""Trained models compiled to SQL give what ONNX Runtime gives, on every database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sqlscore
from tests.fixtures import models
from tests.pushdown.judge import PROBABILITY, ULP, ask, hard_rows, thresholds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import Database
    from tests.pushdown.libraries import Library

NAMES = ["a", "b", "c", "d"]
NULLS = [(3, 0), (4, 1), (5, 2), (6, 3)]

#: name -> model, whether its scores are sums of leaves as they are
ENSEMBLES: dict[str, tuple[Callable[[], bytes], bool]] = {
    "lightgbm": (lambda: models.lightgbm(4, 10), False),
    "lightgbm, missing values": (lambda: models.lightgbm(4, 10, missing=True), False),
    "xgboost": (lambda: models.xgboost(4, 10), True),
    "xgboost, missing values": (lambda: models.xgboost(4, 10, missing=True), True),
    "imputed forest": (models.imputed_forest, True),
}


def assert_ensemble(database: Database | Library, name: str, *, exact: bool) -> None:
    """An ensemble takes the same leaf of every tree; `exact`: sums have the same bits, too."""
    make, sums = ENSEMBLES[name]
    x = hard_rows(models.columns(200, 4, seed=5), thresholds(make()))
    answers = ask(database, make(), x, nulls=NULLS, features=NAMES)
    bits = 0.0 if sums else ULP  # exp in float32 is not always the nearest number
    answers.assert_equal(bits if exact else PROBABILITY)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_an_ensemble_takes_the_same_leaf_always(database: Database, name: str) -> None:
    assert_ensemble(database, name, exact=database.product.nan)


def test_a_linear_classifier(database: Database) -> None:
    x = hard_rows(models.columns(300, 4, seed=5), [np.array([])] * 4)
    ask(database, models.logistic(4), x, nulls=NULLS, features=NAMES).assert_equal(PROBABILITY)


def test_a_hundred_trees_compile_within_a_second_of_a_processor() -> None:
    model = sqlscore.load(models.lightgbm(20, 100), features=[f"f{i}" for i in range(20)])
    began = time.process_time()
    sqlscore.compile(model, dialect="postgres")
    assert time.process_time() - began < 1
