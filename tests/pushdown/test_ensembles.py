"""Random ensembles take ONNX Runtime's own leaf of every tree, on the hardest rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from tests.pushdown import drawn
from tests.pushdown.judge import PROBABILITY, ULP, Rows, around, hard_rows

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from tests.fixtures.databases import Database

NAMES = ["a", "b", "c"]
ONE_TABLE = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _rows(database: Database) -> Rows:
    draw = np.random.default_rng(4)
    hard = around(drawn.THRESHOLDS)
    x = hard_rows(draw.choice(hard, (150, drawn.WIDTH)), [hard] * drawn.WIDTH)
    columns = dict(zip(NAMES, x.T.tolist(), strict=True))
    return Rows.store(database, columns, nulls=[(0, "a"), (1, "b"), (2, "c")])


def _agrees(
    database: Database, models: st.SearchStrategy[bytes], bound: float, **options: Any
) -> None:
    rows = _rows(database)

    @ONE_TABLE
    @given(models)
    def check(model: bytes) -> None:
        answers = rows.ask(model, features=NAMES, **options)
        answers.assert_equal(bound if database.product.nan else PROBABILITY)

    check()


def test_a_regressor_drawn_at_random(database: Database) -> None:
    _agrees(database, drawn.regressors(1), 0.0)


def test_a_regressor_of_two_targets_drawn_at_random(database: Database) -> None:
    _agrees(database, drawn.regressors(2), 0.0, outputs={"first": "y[0]", "second": "y[1]"})


def test_a_classifier_drawn_at_random(database: Database) -> None:
    _agrees(database, drawn.classifiers(), 2 * ULP)


def test_an_ensemble_of_opset_5_drawn_at_random(database: Database) -> None:
    _agrees(database, drawn.ensembles(1), 0.0)


def test_an_ensemble_of_opset_5_and_two_targets_drawn_at_random(database: Database) -> None:
    _agrees(database, drawn.ensembles(2), 2 * ULP, outputs={"first": "y[0]", "second": "y[1]"})
