"""Statements in BigQuery's and Oracle's words on every database, judged by ONNX Runtime itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

import sqlscore
from tests.fixtures import models
from tests.fixtures.scoring import WEIGHED, Shop, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import Database

ROWS = 40

#: of two classes, and of three whose labels are numbers
CHURN = models.written(
    "g (float[N,2] x) => (string[N] label, float[N,2] scores) { label, scores ="
    ' ai.onnx.ml.LinearClassifier <classlabels_strings = ["no", "yes"], post_transform ='
    ' "LOGISTIC", coefficients = [-0.05, 0.01, 0.05, -0.01], intercepts = [1.0, -1.0]> (x) }'
)
TIER = models.written(
    "g (float[N,2] x) => (int64[N] tier, float[N,3] scores) { tier, scores ="
    " ai.onnx.ml.LinearClassifier <classlabels_ints = [1, 2, 3], post_transform = "
    '"SOFTMAX", coefficients = [-0.05, 0.01, 0.05, -0.01, 0.01, 0.02], intercepts ='
    " [1.0, -1.0, 0.0]> (x) }"
)


@pytest.fixture
def shop(database: Database) -> Shop:
    """Customers, one of them without an age, their orders, and three models more."""
    made = Shop.on(database, ROWS)
    made.run("UPDATE customers SET age = NULL WHERE id = 9")
    for name, model in (("leaving", CHURN), ("tier", TIER)):
        made.scoring.models.add(name, model, features=("age", "spend"))
    made.scoring.models.add("unnamed", WEIGHED)
    orders = {"id": list(range(0, 60, 3)), "amount": [float(i) for i in range(20)]}
    made.create("orders", orders, {"id": pa.int64(), "amount": pa.float64()})
    return made


class Wanted:
    """What ONNX Runtime gives for each customer; None where the age is NULL."""

    def __init__(self, shop: Shop) -> None:
        rows = shop.ask("SELECT id, age, spend FROM customers ORDER BY id")
        self.ids = [row[0] for row in rows]
        self.ages = {row[0]: row[1] for row in rows}
        self._whole = [row for row in rows if None not in row]
        self.x = np.array([row[1:] for row in self._whole], np.float64)

    def score(self) -> dict[int, Any]:
        return self._by_id(asked(WEIGHED, self.x)[:, 0])

    def label(self, model: bytes) -> dict[int, Any]:
        return self._by_id(self._run(model)[0])

    def scores(self, model: bytes, position: int | None) -> dict[int, Any]:
        """Those of a class, or of the most probable one."""
        scores = self._run(model)[1]
        return self._by_id(scores.max(axis=1) if position is None else scores[:, position])

    def _run(self, model: bytes) -> list[np.ndarray]:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        found: list[np.ndarray] = session.run(None, {"x": self.x.astype(np.float32)})
        return found

    def _by_id(self, values: np.ndarray) -> dict[int, Any]:
        found: dict[int, Any] = dict.fromkeys(self.ids)
        return found | {
            row[0]: v.item() if hasattr(v, "item") else v
            for row, v in zip(self._whole, values, strict=True)
        }


def leaving_above(threshold: float) -> Callable[[Wanted], dict[int, Any]]:
    def wanted(w: Wanted) -> dict[int, Any]:
        scores = w.scores(CHURN, 1)
        return {
            k: None if s is None else "yes" if s > threshold else "no" for k, s in scores.items()
        }

    return wanted


#: BigQuery's statements that give id and value -> what is wanted
BIGQUERY: dict[str, tuple[str, Callable[[Wanted], dict[int, Any]]]] = {
    "a table": (
        "SELECT id, predicted_score FROM ML.PREDICT(MODEL churn, TABLE customers)", Wanted.score
    ),
    "names in backticks": (
        "SELECT p.`id`, p.predicted_score FROM ML.PREDICT(MODEL `shop.ml.churn`,"
        " TABLE `dbo.customers`) AS p",
        Wanted.score,
    ),
    "a version": (
        "SELECT id, predicted_score FROM ML.PREDICT(MODEL `churn:1`, TABLE Customers)",
        Wanted.score,
    ),
    "the prediction's own name": (
        "SELECT id, score FROM ML.PREDICT(MODEL churn, TABLE customers)", Wanted.score
    ),
    "a query": (
        "SELECT p.id, p.score FROM ML.PREDICT(MODEL churn,"
        " (SELECT id, age, spend FROM customers WHERE id >= 0)) p",
        Wanted.score,
    ),
    "a CTE": (
        "WITH c AS (SELECT id, age, spend FROM customers) SELECT id, predicted_score"
        " FROM ML.PREDICT(MODEL churn, TABLE c)",
        Wanted.score,
    ),
    "a star without some": (
        "SELECT * EXCEPT (age, spend, city) REPLACE (id + 0 AS id) FROM (SELECT * EXCEPT"
        " (predicted_score), predicted_score AS s FROM ML.PREDICT(MODEL churn, TABLE customers)) q",
        Wanted.score,
    ),
    "the label": (
        "SELECT id, predicted_label FROM ML.PREDICT(MODEL leaving, TABLE customers)",
        lambda w: w.label(CHURN),
    ),
    "a threshold": (
        "SELECT id, predicted_label FROM ML.PREDICT(MODEL leaving, TABLE customers,"
        " STRUCT(0.7 AS threshold))",
        leaving_above(0.7),
    ),
    "a low threshold, and the columns stay": (
        "SELECT id, label FROM ML.PREDICT(MODEL leaving, TABLE customers,"
        " STRUCT(0.01 AS threshold, TRUE AS keep_original_columns)) WHERE id < 1000",
        leaving_above(0.01),
    ),
    "a class's score": (
        "SELECT id, predicted_scores_yes FROM ML.PREDICT(MODEL leaving, TABLE customers)",
        lambda w: w.scores(CHURN, 1),
    ),
    "joined": (
        "SELECT c.id, p.score FROM customers AS c JOIN ML.PREDICT(MODEL churn, TABLE customers) AS"
        " p ON c.id = p.id",
        Wanted.score,
    ),
    "two at once": (
        "SELECT p.id, q.tier FROM ML.PREDICT(MODEL churn, TABLE customers) AS p"
        " JOIN ML.PREDICT(MODEL tier, TABLE customers) AS q ON p.id = q.id WHERE q.id >= 0",
        lambda w: w.label(TIER),
    ),
    "one in another": (
        "SELECT id, predicted_tier FROM ML.PREDICT(MODEL tier, (SELECT * FROM"
        " ML.PREDICT(MODEL churn, TABLE customers)))",
        lambda w: w.label(TIER),
    ),
    "inside a subquery": (
        "SELECT id, s FROM (SELECT id, predicted_score AS s FROM"
        " ML.PREDICT(MODEL churn, TABLE customers) ORDER BY s LIMIT 1000)",
        Wanted.score,
    ),
    "sorted and counted": (
        "SELECT id, MAX(p.score) AS s FROM ML.PREDICT(MODEL churn, TABLE customers) AS p"
        " GROUP BY id ORDER BY s DESC",
        Wanted.score,
    ),
    "a table that is made": (
        "CREATE TABLE scored AS SELECT id, predicted_score AS s FROM"
        " ML.PREDICT(MODEL churn, TABLE customers);\nSELECT id, s FROM scored;",
        Wanted.score,
    ),
    "rows that are written": (
        "CREATE TABLE scored AS SELECT id, age AS s FROM customers WHERE id < 0;\n"
        "INSERT INTO scored (id, s) SELECT id, predicted_score FROM"
        " ML.PREDICT(MODEL churn, TABLE customers);\nSELECT id, s FROM scored",
        Wanted.score,
    ),
}  # fmt: skip

#: the same of Oracle's
ORACLE: dict[str, tuple[str, Callable[[Wanted], dict[int, Any]]]] = {
    "all columns": ("SELECT id, PREDICTION(churn USING *) AS s FROM customers", Wanted.score),
    "no alias, a schema": (
        "SELECT id, PREDICTION(dbo.churn USING *) FROM dbo.customers", Wanted.score
    ),
    "some columns": ("SELECT id, PREDICTION(churn USING age, spend) FROM customers", Wanted.score),
    "other names": (
        "SELECT c.id, PREDICTION(\"churn:1\" USING c.age, amount AS spend) s FROM"
        " (SELECT id, age, spend AS amount FROM customers) c",
        Wanted.score,
    ),
    "other names and a star": (
        "SELECT id, PREDICTION(churn USING years AS age, *) s FROM"
        " (SELECT id, age AS years, spend, city FROM customers)",
        Wanted.score,
    ),
    "values that are computed": (
        "SELECT id, PREDICTION(churn USING age + 0 AS age, spend * 1 AS spend) s FROM customers",
        Wanted.score,
    ),
    "columns in the model's order": (
        "SELECT id, PREDICTION(unnamed USING age, spend) s FROM customers", Wanted.score
    ),
    "the label": (
        "SELECT id, PREDICTION(leaving COST MODEL AUTO USING *) FROM customers",
        lambda w: w.label(CHURN),
    ),
    "the probability of a class": (
        "SELECT id, PREDICTION_PROBABILITY(leaving, 'yes' USING *) FROM customers",
        lambda w: w.scores(CHURN, 1),
    ),
    "that of a number": (
        "SELECT id, PREDICTION_PROBABILITY(tier, 3 USING age, spend) FROM customers",
        lambda w: w.scores(TIER, 2),
    ),
    "that of the predicted class": (
        "SELECT id, PREDICTION_PROBABILITY(tier USING *) FROM customers",
        lambda w: w.scores(TIER, None),
    ),
    "sorted, counted and filtered": (
        "SELECT id, MAX(PREDICTION(churn USING *)) AS s FROM customers"
        " WHERE PREDICTION(churn USING *) >= 0 OR id = 9 GROUP BY id ORDER BY s",
        Wanted.score,
    ),
    "two models": (
        "SELECT id, PREDICTION(tier USING age * 1 AS age, spend) AS t FROM customers"
        " WHERE PREDICTION_PROBABILITY(leaving, 'yes' USING age + 0 AS age, spend) >= 0 OR id = 9",
        lambda w: w.label(TIER),
    ),
    "a join": (
        "SELECT c.id, PREDICTION(churn USING c.age, d.spend) AS s FROM customers c"
        " JOIN customers d ON c.id = d.id WHERE d.id >= 0",
        Wanted.score,
    ),
    "in a subquery": (
        "SELECT id, s FROM (SELECT id, PREDICTION(churn USING *) AS s FROM customers"
        " ORDER BY PREDICTION(churn USING *) DESC) WHERE ROWNUM <= 1000",
        Wanted.score,
    ),
    "first rows": (
        "SELECT id, PREDICTION(churn USING *) AS s FROM customers ORDER BY id"
        " FETCH FIRST 1000 ROWS ONLY",
        Wanted.score,
    ),
    "rows that are written": (
        "CREATE TABLE scored AS SELECT id, age AS s FROM customers WHERE id < 0;\n"
        "INSERT INTO scored (id, s) SELECT id, PREDICTION(churn USING *) FROM customers;\n"
        "SELECT id, s FROM scored",
        Wanted.score,
    ),
}  # fmt: skip

FORMS = {"bigquery": BIGQUERY, "oracle": ORACLE}


@pytest.mark.parametrize("dialect", FORMS)
def test_every_form_gives_what_onnxruntime_gives(shop: Shop, dialect: str):
    wanted = Wanted(shop)
    for name, (statement, of) in FORMS[dialect].items():
        rows = list(shop.scoring.sql(statement, dialect=dialect))
        found = {key: _single(value) for key, value in rows}
        assert len(rows) == ROWS, name
        assert found == of(wanted), name
        if "CREATE TABLE" in statement:
            shop.run("DROP TABLE scored")


def _single(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, float) else value


#: those that are pushed down too: what asks for labels, thresholds and names in ways of its own
PUSHED = {
    "bigquery": ("a threshold", "a class's score", "a star without some", "two at once"),
    "oracle": ("the label", "that of the predicted class", "values that are computed", "a join"),
}


@pytest.mark.parametrize("dialect", FORMS)
def test_forms_give_the_same_pushed_down(shop: Shop, dialect: str):
    wanted = Wanted(shop)
    for name in PUSHED[dialect]:
        statement, of = FORMS[dialect][name]
        found = dict(iter(shop.scoring.sql(statement, dialect=dialect, route="push-down")))
        assert found == _about(of(wanted)), name


def _about(wanted: dict[int, Any]) -> Any:
    return {
        key: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
        for key, value in wanted.items()
    }


def test_a_label_has_the_length_of_those_that_are_known(shop: Shop):
    scored = "SELECT d.id, p.label FROM PREDICT(MODEL = leaving, DATA = customers AS d) WITH "
    found = shop.scoring.sql(f"{scored} (label nvarchar(3)) AS p", route="push-down")
    assert dict(iter(found)) == Wanted(shop).label(CHURN)
    with pytest.raises(sqlscore.StatementError, match="label has a length, which only the bridge"):
        shop.scoring.sql(f"{scored} (label nvarchar(2)) AS p", route="push-down")
    plan = shop.scoring.explain(f"{scored} (label nvarchar(3) NOT NULL) AS p", route="auto")
    assert plan.predicts[0].route == "bridge"
    assert plan.predicts[0].refused == ("label is NOT NULL, which only the bridge checks",)


def test_columns_come_in_bigquerys_order_under_its_names(shop: Shop):
    statement = "SELECT * FROM ML.PREDICT(MODEL leaving, TABLE customers{})"
    found = shop.scoring.sql(statement.format(""), dialect="bigquery")
    given = ["predicted_label", "predicted_scores_no", "predicted_scores_yes"]
    assert found.columns == [*given, "id", "age", "spend", "city"]
    found.close()
    alone = statement.format(", STRUCT(FALSE AS keep_original_columns)")
    with shop.scoring.sql(alone, dialect="bigquery") as found:
        assert found.columns == given


def test_expressions_keep_the_meaning_of_their_dialect(shop: Shop):
    columns = {"id": pa.int64(), "a": pa.int64(), "b": pa.float64(), "name": pa.string()}
    target = shop.create("meanings", None, columns)
    shop.write(target, {"id": [1], "a": [7], "b": [2.5], "name": ["Ann "]})
    shared = {"a / 2": 3.5, "AVG(a)": 7.0, "LENGTH(name)": 4, "a * b": 17.5, "UPPER(name)": "ANN "}
    dialects = {
        "bigquery": {"CAST(b AS INT64)": 3, "IF(a > 1, 'more', 'less')": "more"},
        "oracle": {"CAST(b AS INTEGER)": 3, "NVL(NULL, a)": 7, "name || '!'": "Ann !"},
    }
    for dialect, own in dialects.items():
        meanings: dict[str, Any] = {**shared, **own}
        listed = ", ".join(f"{one} AS c{i}" for i, one in enumerate(meanings))
        (row,) = shop.scoring.sql(
            f"SELECT {listed} FROM meanings GROUP BY a, b, name", dialect=dialect
        )
        for (expression, wanted), found in zip(meanings.items(), row, strict=True):
            given = found if isinstance(found, str) else float(found)
            assert given == wanted, (dialect, expression)


ML = "SELECT * FROM ML.PREDICT"
SCORED = "SELECT PREDICTION(churn USING *) s FROM customers"

#: dialect, statement -> what the message says, with its place
BAD: dict[tuple[str, str], str] = {
    (
        "bigquery",
        f"{ML}(churn, TABLE customers)",
    ): "line 1, column 26: ML.PREDICT begins with MODEL",
    ("bigquery", f"{ML}(MODEL churn)"): "line 1, column 37: a comma and the rows to score",
    ("bigquery", f"{ML}(MODEL churn, customers)"): "line 1, column 39: the rows are TABLE name or",
    (
        "bigquery",
        f"{ML}(MODEL churn, TABLE customers",
    ): "line 1, column 18: ML.PREDICT is not closed",
    ("bigquery", f"{ML}(MODEL chrn, TABLE customers)"): "line 1, column 32: .*no model 'chrn'",
    ("bigquery", f"{ML}(MODEL churn, TABLE custmers)"): "line 1, column 45: there is no table",
    ("bigquery", f"{ML}(MODEL churn,\nTABLE customers, STRUCT(2 AS threshold))"): (
        "line 1, column 18: the threshold is a number from 0 to 1"
    ),
    ("bigquery", f"{ML}(MODEL churn, TABLE customers, STRUCT(0.5 AS treshold))"): (
        "no setting 'treshold'. Did you mean 'threshold'"
    ),
    ("bigquery", f"{ML}(MODEL churn, TABLE customers, STRUCT(3 AS trial_id))"): "trial_id is not",
    ("bigquery", f"{ML}(MODEL churn, TABLE customers, STRUCT(0.5 AS threshold))"): (
        "line 1, column 18: the model gives no scores of named classes"
    ),
    ("bigquery", f"{ML}(MODEL tier, TABLE customers, STRUCT(0.5 AS threshold))"): (
        "a threshold needs a model that predicts one of two classes, and this one has 3"
    ),
    ("bigquery", f"{ML}(MODEL churn, (SELECT id, age FROM customers))"): (
        "line 1, column 18: DATA does not fit the model.*'spend': no such column"
    ),
    ("bigquery", "SELECT p.risk FROM ML.PREDICT(MODEL churn, TABLE customers) AS p"): (
        "line 1, column 10: ML.PREDICT gives no column 'risk'"
    ),
    ("bigquery", "SELECT PREDICT(MODEL churn, TABLE customers)"): "PREDICT is written ML.PREDICT",
    ("bigquery", "SELECT 1;\nDECLARE x INT64"): "line 2, column 1: DECLARE is not supported",
    ("bigquery", "SELECT 1;\nSELECT FROM WHERE"): "line 2, column 13: this is not understood",
    ("bigquery", "CREATE FUNCTION f() AS (1)"): "CREATE FUNCTION is not supported here",
    ("bigquery", "CREATE OR REPLACE TABLE t AS SELECT 1 AS a"): "DROP TABLE before it",
    (
        "oracle",
        "SELECT PREDICTION(churn) FROM customers",
    ): "line 1, column 24: PREDICTION wants USING",
    ("oracle", "SELECT PREDICTION(churn USING) FROM customers"): "column 30: USING lists columns",
    ("oracle", "SELECT PREDICTION(churn USING age + 1) FROM customers"): (
        "line 1, column 31: this needs the name of a feature"
    ),
    ("oracle", "SELECT\n PREDICTION(FOR age USING *) FROM customers"): (
        "line 2, column 13: PREDICTION begins with a model's name"
    ),
    ("oracle", "SELECT PREDICTION(churn COST MODEL USING *) FROM customers"): (
        "line 1, column 25: COST is not supported here"
    ),
    ("oracle", "SELECT PREDICTION(churn USING * FROM customers"): "PREDICTION is not closed",
    ("oracle", "SELECT PREDICTION_SET(churn USING *) FROM customers"): (
        "line 1, column 8: PREDICTION_SET is not supported"
    ),
    ("oracle", "SELECT PREDICTION(churn USING *) OVER (ORDER BY id) FROM customers"): (
        "line 1, column 8: PREDICTION … OVER is not supported"
    ),
    ("oracle", "SELECT PREDICTION(chrn USING *) FROM customers"): "column 19: .*no model 'chrn'",
    ("oracle", "SELECT PREDICTION(churn USING aeg, spend) FROM customers"): (
        "line 1, column 8: .*USING names 'aeg', and DATA has no such column. Did you mean 'age'"
    ),
    ("oracle", "SELECT PREDICTION(churn USING age) FROM customers"): (
        "line 1, column 8: DATA does not fit the model.*'spend': no such column"
    ),
    ("oracle", "SELECT PREDICTION_PROBABILITY(leaving, 'maybe' USING *) FROM customers"): (
        "line 1, column 8: the model has no class 'maybe'.* Its classes: 'no', 'yes'"
    ),
    ("oracle", "SELECT PREDICTION_PROBABILITY(churn USING *) FROM customers"): (
        "the model gives no scores of named classes"
    ),
    ("oracle", "SELECT PREDICTION_PROBABILITY(churn, age USING *) FROM customers"): (
        "line 1, column 38: the class is a text or a number"
    ),
    ("oracle", "SELECT PREDICTION(churn USING *) FROM customers c JOIN orders o ON c.id = o.id"): (
        "PREDICTION over a join takes no star"
    ),
    (
        "oracle",
        "UPDATE customers SET age = PREDICTION(churn USING *)",
    ): "PREDICTION stands in a query",
    ("oracle", "SELECT ROWNUM AS n FROM customers"): "ROWNUM is supported as WHERE ROWNUM <= n",
    ("oracle", "BEGIN NULL; END;"): "line 1, column 1: BEGIN is not supported",
    ("pgsql", "SELECT 1"): "no dialect 'pgsql'.* Dialects are: tsql, bigquery, oracle",
}


def test_bad_input_says_what_and_where(shop: Shop):
    for (dialect, statement), message in BAD.items():
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(statement, dialect=dialect).to_arrow()
        assert re.search(message, str(raised.value), re.DOTALL), (statement, str(raised.value))


VIEWS = {
    "bigquery": "SELECT id, predicted_score AS s FROM ML.PREDICT(MODEL churn, TABLE customers)",
    "oracle": "SELECT id, PREDICTION(churn USING *) AS s FROM customers",
}


@pytest.mark.parametrize("dialect", VIEWS)
def test_views_are_the_databases_own_where_they_can_be(shop: Shop, dialect: str):
    wanted = Wanted(shop).score()
    done = shop.scoring.sql(f"CREATE VIEW scored AS {VIEWS[dialect]}", dialect=dialect)
    assert "the database's own" in done.messages[0]
    assert dict(shop.ask("SELECT id, s FROM scored")) == _about(wanted)
    again = f"CREATE OR REPLACE VIEW scored (customer, risk) AS {VIEWS[dialect]} WHERE id < 30"
    shop.scoring.sql(again, dialect=dialect)
    assert [row[0] for row in shop.ask("SELECT customer FROM scored ORDER BY customer")] == [
        *range(0, 30, 3)
    ]
    shop.scoring.sql("DROP VIEW scored", dialect=dialect)


#: a model without a SQL form
BARE = models.written(
    "g (float[N,2] x) => (float[N,1] score) <int64[1] a = {1}>"
    " { y = Sinh(x) score = ReduceSum <keepdims = 1> (y, a) }"
)


def test_views_are_kept_where_their_model_runs_outside(shop: Shop):
    shop.scoring.models.add("curved", BARE, features=("age", "spend"))
    w = Wanted(shop)
    wanted = w._by_id(asked(BARE, w.x)[:, 0])
    for dialect, view in VIEWS.items():
        made = f"CREATE VIEW {dialect}_view AS {view.replace('churn', 'curved')}"
        done = shop.scoring.sql(made, dialect=dialect)
        assert f"view {dialect}_view: kept by sqlscore" in done.messages[0]
        with pytest.raises(sqlscore.StatementError, match=f"a view '{dialect}_view' already"):
            shop.scoring.sql(made, dialect=dialect)
    later = sqlscore.connect(shop.database.engine)
    for dialect in ("tsql", *VIEWS):
        for view in VIEWS:
            found = later.sql(f"SELECT id, s FROM {view}_view", dialect=dialect)
            assert {key: _single(value) for key, value in found} == wanted, (dialect, view)
    joined = (
        "SELECT o.id, MAX(p.predicted_score) AS s FROM ML.PREDICT(MODEL churn, (SELECT c.* FROM"
        " customers AS c JOIN bigquery_view AS v ON v.id = c.id WHERE v.s IS NOT NULL)) AS p"
        " JOIN oracle_view AS o ON o.id = p.id GROUP BY o.id"
    )
    scores = {key: score for key, score in w.score().items() if score is not None}
    found = later.sql(joined, dialect="bigquery")
    assert {key: _single(value) for key, value in found} == scores
    later.sql("DROP VIEW oracle_view; DROP VIEW bigquery_view", dialect="oracle")
    with pytest.raises(sqlscore.StatementError, match="no table or view 'oracle_view'"):
        later.sql("SELECT * FROM oracle_view", dialect="oracle")


def test_the_plan_is_explained(shop: Shop):
    statement = (
        "SELECT id, label FROM ML.PREDICT(MODEL leaving, TABLE customers, STRUCT(0.7 AS threshold))"
    )
    plan = shop.scoring.explain(statement, dialect="bigquery")
    assert plan.how == "rows stream through the model to the reader"
    (one,) = plan.predicts
    assert "predicted_label is 'yes' where scores_yes is above 0.7" in one.because
    assert one.kept == ("id",)
    plan = shop.scoring.explain(SCORED, dialect="oracle")
    assert [feature for feature, _ in plan.predicts[0].features] == ["age", "spend"]
