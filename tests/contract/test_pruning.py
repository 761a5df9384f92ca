"""Conditions and what a database enforces make a model's SQL shorter, and change no prediction."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlscore
from sqlscore.products.expressions import EXPRESSIONS
from tests.contract import tables
from tests.fixtures import models
from tests.fixtures.scoring import asked
from tests.pushdown import drawn
from tests.pushdown.judge import around, hard_rows

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

NAMES = ["a", "b", "c"]
EVERYTHING = ("folding", "pruning", "statistics", "thresholds")
#: conditions with bounds on, just under and just over what the drawn trees ask for
CONDITIONS = (
    "a > 0.1", "a >= 0.1 AND b < 1.5", "0.0 < a", "b BETWEEN -0.1 AND 1.5", "c = 1.5",
    "(a <= 0.100000001490116) AND c > -0.1", "b IN (1.5, 16777216, -0.1) AND a IS NOT NULL",
    "c >= 16777217", "a < 1e-45 AND a > -1.5", "NOT (a > 0.1)", "a > 0.1 OR b > 1.5", "a <= -0.1",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hard:
    """A table of hard rows, and what it holds."""

    scoring: sqlscore.Database
    rows: dict[int, list[float | None]]

    def found(self, model: bytes, condition: str, without: tuple[str, ...]) -> dict[int, Any]:
        """The predictions of the rows that a condition leaves."""
        rows = list(self.scoring.sql(_statement(model, condition), route="push-down",
                                     without=without))  # fmt: skip
        return {key: None if y is None else float(np.float32(y)) for key, y in rows}

    def expected(self, model: bytes, keys: list[int]) -> dict[int, Any]:
        """ONNX Runtime's own for these rows."""
        features = sqlscore.load(model).signature.features
        x = [[np.nan if v is None else v for v in self.rows[key]] for key in keys]
        with np.errstate(over="ignore"):
            scores = asked(model, np.array(x or np.empty((0, 3)), np.float64))[:, -1].tolist()
        lost = [
            any(v is None and not f.missing for v, f in zip(self.rows[key], features, strict=True))
            for key in keys
        ]
        return {k: None if gone else s for k, s, gone in zip(keys, scores, lost, strict=True)}


def named(model: bytes) -> bytes:
    """The model with names for its features."""
    proto = onnx.ModelProto.FromString(model)
    proto.metadata_props.add(key="feature_names", value='["f0", "f1", "f2"]')
    return bytes(proto.SerializeToString())


def _statement(model: bytes, condition: str) -> str:
    return (
        f"SELECT d.id, p.y FROM PREDICT(MODEL = 0x{model.hex()}, DATA = (SELECT id, a AS f0,"
        f" b AS f1, c AS f2 FROM hard WHERE {condition}) AS d) WITH (y real) AS p"
    )


@pytest.fixture
def hard(database: Database) -> Hard:
    scoring = sqlscore.connect(database.engine)
    if scoring.product.dialect not in EXPRESSIONS or scoring.product.t_sql:
        pytest.skip("no server of it is here to run the SQL")
    draw = np.random.default_rng(4)
    values = around(drawn.THRESHOLDS)
    x = hard_rows(draw.choice(values, (100, 3)), [values] * 3, most=900)
    rows: list[list[float | None]] = [list(map(float, row)) for row in x]
    if not database.product.infinity:
        rows = [row for row in rows if all(v is None or v != v or np.isfinite(v) for v in row)]
    if not database.product.nan:
        rows = [[None if v != v else v for v in row] for row in rows]
    rows[3][0] = rows[4][1] = rows[5][2] = None
    columns = {"id": pa.int64(), **dict.fromkeys(NAMES, pa.float64())}
    target = tables.create(database, "hard", columns, ("id",))
    stored = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    tables.write(database, target, {"id": pa.array(range(len(rows))), **{
        name: pa.array(column, pa.float64()) for name, column in stored.items()
    }})  # fmt: skip
    return Hard(scoring=scoring, rows=dict(enumerate(rows)))


def test_trees_take_the_same_leaves_whatever_is_pruned(hard: Hard):
    @settings(
        max_examples=8, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(drawn.regressors(1), st.sampled_from(CONDITIONS))
    def check(model: bytes, condition: str) -> None:
        model = named(model)
        whole = hard.found(model, condition, EVERYTHING)
        pruned = hard.found(model, condition, ())
        assert pruned == whole
        expected = hard.expected(model, list(pruned))
        bound = 0.0 if hard.scoring.product.nan else 1e-5
        for key, value in expected.items():
            assert pruned[key] == (value if value is None else pytest.approx(value, abs=bound)), (
                condition, hard.rows[key],
            )  # fmt: skip

    check()


def test_sums_are_the_same_whatever_is_pruned(hard: Hard):
    model = models.written(
        "g (float[N,3] x) => (float[N,1] y) { s = ai.onnx.ml.Scaler <offset = [0.5, 0.0, -1.0],"
        " scale = [2.0, 0.1, 1.0]> (x) y = ai.onnx.ml.LinearRegressor"
        " <coefficients = [1.5, -2.0, 0.25], intercepts = [0.125]> (s) }"
    )
    model = named(model)
    _, shown = _explained(hard.scoring, _statement(model, "a > 0.1"))
    assert "folding: Scaler is part of the weights" in shown
    assert "folding" not in _explained(hard.scoring, _statement(model, "a > 0.1"), "folding")[1]
    for condition in CONDITIONS:
        pruned, whole = (hard.found(model, condition, without) for without in ((), EVERYTHING))
        assert pruned.keys() == whole.keys()
        for key, value in whole.items():
            both_nan = value is not None and value != value and pruned[key] != pruned[key]
            same = pruned[key] == value or pruned[key] == pytest.approx(value, rel=1e-6, abs=1e-6)
            assert both_nan or same, (condition, hard.rows[key])


def _explained(scoring: sqlscore.Database, statement: str, *without: str) -> tuple[int, str]:
    plan = scoring.explain(statement, route="push-down", without=without)
    return len(plan.sql or ""), str(plan)


@pytest.fixture
def typed(database: Database) -> sqlscore.Database:
    """Rows whose types, NOT NULL and CHECK say what they hold."""
    scoring = sqlscore.connect(database.engine)
    if scoring.product.dialect not in EXPRESSIONS or scoring.product.t_sql:
        pytest.skip("no server of it is here to run the SQL")
    double = {"sqlite": "REAL"}.get(scoring.product.dialect, "DOUBLE PRECISION")
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE typed (id INTEGER PRIMARY KEY, f0 SMALLINT NOT NULL, f1 DECIMAL(6, 2),"
            f" f2 {double} NOT NULL, f3 {double}, CHECK (f2 >= -1.0 AND f2 <= 1.0))"
        )
        for i in range(200):
            row = (i, i % 50 - 25, (i * 37 % 1000) / 100 - 5, np.sin(i), np.cos(i) * 3)
            values = ", ".join(repr(float(v)) for v in row[2:])
            connection.exec_driver_sql(f"INSERT INTO typed VALUES ({row[0]}, {row[1]}, {values})")
        connection.exec_driver_sql("INSERT INTO typed VALUES (200, 1, NULL, 0.5, NULL)")
    features = ["f0", "f1", "f2", "f3"]
    scoring.models.add("linear", models.logistic(4), features=features,
                       outputs={"p": "output_probability[1]"})  # fmt: skip
    scoring.models.add("trees", models.xgboost(4, 20), features=features)
    return scoring


@pytest.mark.parametrize("name", ["linear", "trees"])
def test_types_and_constraints_make_the_sql_shorter(typed: sqlscore.Database, name: str):
    given = typed.models[name].signature.predictions[-1].name
    statement = f"SELECT d.id, p.{given} FROM PREDICT(MODEL = {name}, DATA = typed AS d) AS p"
    size, shown = _explained(typed, statement)
    whole, plain = _explained(typed, statement, "statistics")
    assert size < whole or typed.product.loose_types
    assert "statistics: " in shown
    assert "statistics: " not in plain
    found: dict[Any, Any] = dict(typed.sql(statement, route="push-down"))
    assert found == dict(typed.sql(statement, route="push-down", without="statistics"))
    for key, value in typed.sql(statement):
        assert found[key] == (value if value is None else pytest.approx(value, abs=1e-5))


def test_a_view_stands_on_its_own_conditions_alone(typed: sqlscore.Database):
    given = typed.models["linear"].signature.predictions[-1].name
    source = "FROM PREDICT(MODEL = linear, DATA = typed AS d) AS p WHERE d.f3 < 1"
    typed.sql(f"CREATE VIEW scored AS SELECT d.id, p.{given} AS y {source}")
    before = dict(tuple(row) for row in typed.sql("SELECT id, y FROM scored"))
    assert len(before) > 10
    relax = {"postgres": "ALTER TABLE typed ALTER COLUMN f2 DROP NOT NULL"}
    if typed.product.dialect not in relax:
        return
    with typed.engine.begin() as connection:
        connection.exec_driver_sql(relax[typed.product.dialect])
        connection.exec_driver_sql("INSERT INTO typed VALUES (300, 1, 1, NULL, 0.5)")
    assert dict(tuple(row) for row in typed.sql("SELECT id, y FROM scored")) == before | {300: None}


def test_rows_that_come_later_are_scored_right(typed: sqlscore.Database):
    """Least and largest values hold in the statement's own transaction, or are not used."""
    given = typed.models["trees"].signature.predictions[-1].name
    statement = f"SELECT d.id, p.{given} FROM PREDICT(MODEL = trees, DATA = typed AS d) AS p"
    lazy = typed.sql(statement, route="push-down")
    if typed.product.shared and not typed.product.server:
        return  # a writer waits for the reader
    with typed.engine.connect() as other:
        other.exec_driver_sql("INSERT INTO typed VALUES (400, 3000, 900, 0.9, 1e30)")
        other.commit()
    found = dict(tuple(row) for row in lazy)
    expected = dict(tuple(row) for row in typed.sql(statement))
    for key, value in found.items():
        assert value == (None if expected[key] is None else pytest.approx(expected[key], abs=1e-5))


def test_each_optimisation_is_shown_and_switched_off(hard: Hard):
    model = models.written(
        "g (float[N,3] x) => (float[N,1] y) { y = ai.onnx.ml.LinearRegressor"
        " <coefficients = [1.5, -2.0, 0.25], intercepts = [0.125]> (x) }"
    )
    statement = _statement(
        named(model), "a BETWEEN 1 AND 2 AND b BETWEEN 1 AND 2 AND c BETWEEN 0 AND 1"
    )
    size, shown = _explained(hard.scoring, statement)
    whole, plain = _explained(hard.scoring, statement, "pruning")
    assert "pruning: f0 from 0.999999 to 2" in shown
    assert "pruning" not in plain
    assert size < whole / 2


def test_conditions_on_scores_give_the_same_rows_by_the_sum(hard: Hard):
    logistic = "z = ai.onnx.ml.LinearRegressor <coefficients = [2.0, 0.5, 0.25]> (x)"
    model = named(models.written(
        f"g (float[N,3] x) => (float[N,1] y) {{ {logistic} y = Sigmoid (z) }}"
    ))  # fmt: skip
    source = (
        f"SELECT d.id, p.y FROM PREDICT(MODEL = 0x{model.hex()}, DATA = (SELECT id, a AS f0,"
        " b AS f1, c AS f2 FROM hard) AS d) WITH (y real) AS p WHERE"
    )
    scores = [y for _, y in hard.scoring.sql(source[:-5], route="push-down") if y is not None]
    bounds = sorted({round(float(y), 6) for y in scores if y == y and not 0.12 < y < 0.88})
    bounds = [0.9, 0.1, 0.999999, *bounds[:: max(len(bounds) // 6, 1)]]
    shown = str(hard.scoring.explain(f"{source} p.y > 0.9", route="push-down"))
    assert "thresholds: rows go on only where the sum of y is more than 2.197" in shown
    forms = ("p.y > {}", "p.y <= {}", "{} = p.y")
    for number, bound in enumerate(bounds):
        condition = forms[number % len(forms)].format(repr(bound))
        turned, plain = (
            [
                (key, str(y))
                for key, y in hard.scoring.sql(
                    f"{source} {condition}", route="push-down", without=without
                )
            ]
            for without in ((), "thresholds")
        )
        assert sorted(turned) == sorted(plain), condition
