"""What a database's constants are measured as, and the routes that statements take by them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa

from sqlscore import tables
from sqlscore.calibration import calibrated
from sqlscore.costs import Costs
from sqlscore.costs.kept import store, stored
from sqlscore.doctor import State
from sqlscore.products.expressions import EXPRESSIONS
from tests.fixtures import models
from tests.fixtures.scoring import FEATURES, Shop, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

ROWS = 300
FROM = "FROM PREDICT(MODEL = churn, DATA = customers AS d)"
MEAN = f"SELECT AVG(p.score) AS mean {FROM} WITH (score float) AS p"


@pytest.fixture
def shop(database: Database) -> Shop:
    made = Shop.on(database, ROWS)
    if made.scoring.product.dialect not in EXPRESSIONS:
        pytest.skip("no SQL is known to be right there")
    return made


def with_constants(shop: Shop, **seconds: float) -> None:
    """Have constants kept, as if they had been measured."""
    store(shop.database.engine, shop.scoring.product, seconds)


def test_constants_are_measured_and_kept(shop: Shop):
    url = shop.database.engine.url.render_as_string(hide_password=False)
    product = shop.scoring.product
    before = sa.inspect(shop.database.engine).get_table_names() if not product.t_sql else []
    checks = list(calibrated(url, rows=1000))
    assert {check.state for check in checks} == {State.GOOD}, checks
    assert any("a node of a tree" in check.found for check in checks)
    costs, at = stored(shop.database.engine, product)
    assert at is not None
    assert all(value > 0 for value in dataclasses.asdict(costs).values())
    assert costs != Costs.of(product.dialect)
    if not product.t_sql:
        after = set(sa.inspect(shop.database.engine).get_table_names()) - set(before)
        assert not [name for name in after if "calibration" in name]
    shown = str(shop.scoring.explain(MEAN, route="auto"))
    assert f"(measured {tables.now():%Y-%m-%d})" in shown


def test_auto_takes_the_cheaper_route_and_says_so(shop: Shop):
    truth = np.mean(list(expected(range(0, 3 * ROWS, 3)).values()))
    for seconds, route in ((0.0, "push-down"), (1.0, "bridge")):
        with_constants(
            shop, plan_start=0.0, plan_leaf=seconds, sql_weight=seconds, sql_call=seconds
        )
        plan = shop.scoring.explain(MEAN, route="auto")
        (one,) = plan.predicts
        assert one.route == route
        assert "that is cheaper" in one.because[0]
        assert min(one.seconds, key=lambda name: one.seconds[name]) == route
        (row,) = shop.scoring.sql(MEAN, route="auto")
        assert row[0] == pytest.approx(truth, abs=1e-6)


def test_what_has_no_sql_form_runs_here(shop: Shop):
    shop.scoring.models.add("odd", models.written(
        "g (float[N,2] x) => (float[N,2] score) { score = CumSum (x, one) }"
        .replace("{", "<int64 one = {1}> {", 1)
    ), features=FEATURES, outputs={"score": "score[1]"})  # fmt: skip
    with_constants(shop, plan_start=0.0, plan_leaf=0.0, sql_weight=0.0, sql_call=0.0)
    statement = MEAN.replace("churn", "odd")
    (one,) = shop.scoring.explain(statement, route="auto").predicts
    assert (one.route, bool(one.refused)) == ("bridge", True)
    assert "it cannot be pushed down" in one.because[0]
    assert next(iter(shop.scoring.sql(statement, route="auto")))[0] is not None


def test_jit_is_off_for_a_pushed_statement_alone(shop: Shop):
    if not shop.scoring.product.tuning.no_jit:
        pytest.skip("it has no JIT that could be turned off")
    jit = "SELECT current_setting('jit')"
    data = "(SELECT id, age, spend, current_setting('jit') AS jit FROM customers)"
    rows = f"FROM PREDICT(MODEL = churn, DATA = {data} AS d) AS p"
    pushed = f"SELECT DISTINCT d.jit {rows} WHERE p.score > 0"
    with shop.scoring.begin() as connection:
        connection.exec_driver_sql("SET LOCAL jit = on")
        assert [tuple(row) for row in shop.scoring.sql(pushed, route="push-down")] == [("off",)]
        assert connection.exec_driver_sql(jit).scalar() == "on"
    with shop.database.engine.connect() as connection:
        assert connection.exec_driver_sql(jit).scalar() == "on"
