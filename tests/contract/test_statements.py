"""PREDICT statements on every database, judged by ONNX Runtime called directly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.statements import staging
from tests.contract.statements import FROM, ROWS, expected, found_by, in_tables, shop_of
from tests.contract.type_cases import differences, source_of_all_types
from tests.fixtures.scoring import WEIGHED, Shop, asked

if TYPE_CHECKING:
    from tests.fixtures.databases import Database


@pytest.fixture
def shop(database: Database) -> Shop:
    return shop_of(database)


#: statements that all give each customer's id and score
FORMS = {
    "projection": f"SELECT d.id, p.score {FROM} WITH (score real) AS p",
    "no WITH": f"SELECT d.id, p.score {FROM} AS p",
    "any name for one prediction": f"SELECT d.id, p.risk {FROM} WITH (risk real) AS p",
    "arguments in any order and case": (
        "select D.ID, P.SCORE from predict(runtime = onnx, data = Customers as D, model = churn)"
        " with (SCORE real null) P"
    ),
    "schema and brackets": (
        "SELECT [d].[id], [p].[score]"
        " FROM PREDICT(MODEL = [churn], DATA = [dbo].[customers] AS [d])"
        " WITH ([score] real) AS [p]"
    ),
    "three parts": (
        "SELECT d.id, p.score"
        " FROM PREDICT(MODEL = 'churn@best', DATA = [shop].[dbo].[customers] AS d) AS p"
    ),
    "without an alias": (
        "SELECT customers.id, score FROM PREDICT(MODEL = churn, DATA = dbo.customers)"
        " WITH (score real)"
    ),
    "a version by its number": (
        "SELECT d.id, p.score FROM PREDICT(MODEL = 'churn:1', DATA = customers AS d) AS p"
    ),
    "a subquery": (
        "SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA ="
        " (SELECT id, age, spend FROM customers WHERE id >= 0) AS d) AS p"
    ),
    "a CTE": (
        "WITH d AS (SELECT id, age, spend FROM customers)"
        " SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = d) AS p"
    ),
    "a CTE and its alias": (
        "WITH c AS (SELECT id, age, spend FROM customers)"
        " SELECT q.id, p.score FROM PREDICT(MODEL = churn, DATA = c AS q) AS p"
    ),
    "a CTE that reads another": (
        "WITH c AS (SELECT id, age, spend FROM customers), d AS (SELECT * FROM c WHERE id >= 0),"
        " s AS (SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = d) AS p)"
        " SELECT s.id, s.score FROM s JOIN c ON c.id = s.id"
    ),
    "inside a CTE": (
        f"WITH s AS (SELECT d.id, p.score {FROM} AS p) SELECT id, score FROM s"
    ),
    "inside a subquery": f"SELECT x.id, x.score FROM (SELECT d.id, p.score {FROM} AS p) AS x",
    "joined": (
        "SELECT c.id, p.score FROM customers AS c"
        " JOIN PREDICT(MODEL = churn, DATA = customers AS d) AS p ON c.id = d.id"
    ),
    "joined from": f"SELECT d.id, p.score {FROM} AS p JOIN customers AS c ON c.id = d.id",
    "left join": (
        "SELECT c.id, p.score FROM customers AS c"
        " LEFT JOIN PREDICT(MODEL = churn, DATA = customers AS d) AS p ON c.id = d.id"
    ),
    "APPLY": (
        "SELECT c.id, p.score FROM customers AS c"
        " CROSS APPLY PREDICT(MODEL = churn, DATA = customers AS d) AS p WHERE c.id = d.id"
    ),
    "OUTER APPLY": (
        "SELECT d.id, p.score FROM (SELECT MAX(id) AS id FROM customers) AS c"
        " OUTER APPLY PREDICT(MODEL = churn, DATA = customers AS d) AS p WHERE d.id <= c.id"
    ),
    "a condition of every row": f"SELECT d.id, p.score {FROM} AS p WHERE d.id >= 0",
    "a star of each": f"SELECT x.id, x.score FROM (SELECT d.*, p.* {FROM} AS p) AS x",
    "everything": f"SELECT x.id, x.score FROM (SELECT * {FROM} AS p) AS x",
    "two at once": (
        "SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = customers AS d) AS p"
        " JOIN PREDICT(MODEL = 'churn:1', DATA = customers AS e) WITH (other real) AS q"
        " ON d.id = e.id"
    ),
    "one in another": (
        "SELECT o.id, p.score FROM PREDICT(MODEL = churn, DATA = PREDICT(MODEL = churn, DATA ="
        " customers AS d) WITH (inner_score real) AS o) AS p"
    ),
    "UNION": (
        f"SELECT d.id, p.score {FROM} AS p WHERE d.id < 30"
        " UNION ALL"
        " SELECT e.id, q.score FROM PREDICT(MODEL = churn, DATA = customers AS e) AS q"
        " WHERE e.id >= 30"
    ),
    "a temporary table": (
        "SELECT id, age, spend INTO #wanted FROM dbo.customers\n"
        "SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = #wanted AS d) AS p"
    ),
    "a temporary table by its own name": (
        "SELECT id, age, spend INTO #wanted FROM customers\n"
        "SELECT [#wanted].id, p.score FROM PREDICT(MODEL = churn, DATA = #wanted) AS p"
    ),
    "a table variable": (
        "DECLARE @wanted TABLE (id bigint PRIMARY KEY, age float, spend float)\n"
        "INSERT INTO @wanted (id, age, spend) SELECT id, age, spend FROM customers\n"
        "SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = @wanted AS d) AS p"
    ),
    "a temporary table for the predictions": (
        f"SELECT d.id, p.score INTO #scored {FROM} AS p\nSELECT id, score FROM #scored"
    ),
    "a table that is made": (
        f"SELECT d.id, p.score INTO dbo.scored {FROM} AS p\nSELECT id, score FROM scored"
    ),
    "IF and blocks": (
        "IF (SELECT COUNT(*) FROM customers) > 10 BEGIN\n"
        f" SELECT d.id, p.score {FROM} AS p\nEND ELSE SELECT 1 AS id, 2 AS score"
    ),
    "GO": f"USE shop\nGO\nSET NOCOUNT ON\nGO\nSELECT d.id, p.score {FROM} AS p\nGO\n",
}  # fmt: skip


@pytest.fixture(params=["one table", "two tables"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    in_tables(request.param, monkeypatch)


@pytest.mark.usefixtures("tables")
def test_every_form_gives_the_scores_of_onnxruntime(shop: Shop):
    wanted = expected(shop)
    for name, statement in FORMS.items():
        assert found_by(shop, statement) == wanted, name
        if name == "a table that is made":
            shop.run("DROP TABLE scored")


def test_every_form_gives_the_same_scores_pushed_down(shop: Shop):
    wanted = expected(shop)
    some = {"projection", "a CTE", "everything", "one in another"}  # the endpoint is slow
    for name, statement in FORMS.items():
        if shop.scoring.product.t_sql and name not in some:
            continue
        done = shop.scoring.sql(statement, route="push-down")
        assert dict(iter(done)) == pytest.approx(wanted, abs=1e-6), name
        if name == "a table that is made":
            shop.run("DROP TABLE scored")


#: a WITH that names itself: the customers 0, 3, … 27, one after the other
CHAIN = (
    "WITH chain (id, age, spend, step) AS ("
    "SELECT id, age, spend, 0 FROM customers WHERE id = 0 UNION ALL "
    "SELECT c.id, c.age, c.spend, chain.step + 1 FROM customers AS c"
    " JOIN chain ON c.id = chain.id + 3 WHERE c.id < 30) "
)


def test_a_with_that_names_itself(shop: Shop):
    scored = f"{CHAIN}SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = chain AS d) AS p"
    wanted = {key: score for key, score in expected(shop).items() if key < 30}
    assert found_by(shop, scored) == wanted
    rows = f"{CHAIN}SELECT id, step FROM chain ORDER BY step"
    assert list(shop.scoring.sql(rows)) == [(3 * step, step) for step in range(10)]
    joined = scored.replace("WHERE c.id < 30) ", "WHERE c.id < 30), k AS (SELECT id FROM chain) ")
    both = f"{joined} JOIN k ON k.id = d.id JOIN chain ON chain.id = k.id ORDER BY p.score"
    assert found_by(shop, both) == wanted
    shop.scoring.sql(f"{CHAIN}SELECT id, step INTO #steps FROM chain OPTION (MAXRECURSION 50)")
    below = (
        "WITH s AS (SELECT d.id, p.score FROM PREDICT(MODEL = churn, DATA = customers AS d)"
        " WITH (score float) AS p), sums AS (SELECT id, score FROM s WHERE id = 0 UNION ALL"
        " SELECT s.id, s.score + sums.score FROM s JOIN sums ON s.id = sums.id + 3 WHERE s.id < 9)"
        " SELECT id, score FROM sums WHERE id = 6"
    )
    ((_, total),) = shop.scoring.sql(below)
    assert total == pytest.approx(sum(wanted[key] or 0 for key in (0, 3, 6)), abs=1e-6)


def test_data_is_evaluated_once(shop: Shop):
    data = "(SELECT id, age, RAND() AS spend FROM customers WHERE age IS NOT NULL) AS d"
    scored = f"SELECT d.age, d.spend, p.score FROM PREDICT(MODEL = churn, DATA = {data}) AS p"
    for statement in (scored, f"{scored} ORDER BY p.score, d.age"):  # streamed, and staged
        rows = np.array([[float(one) for one in row] for row in shop.scoring.sql(statement)])
        assert len(rows) == ROWS - 1
        assert rows[:, 2].astype(np.float32).tolist() == asked(WEIGHED, rows[:, :2])[:, 0].tolist()


def test_models_of_bytes(shop: Shop):
    wanted = sorted(v for v in expected(shop).values() if v is not None)
    data = (
        "DATA = (SELECT age, spend FROM customers WHERE age IS NOT NULL AND spend IS NOT NULL) AS d"
    )
    for model in (
        "(SELECT model FROM kept_models WHERE id = 1)",
        f"0x{WEIGHED.hex()}",
        "@m",
    ):
        declared = "DECLARE @m varbinary(max), @n int = 1\nSELECT @m = model FROM kept_models\n"
        statement = f"{declared}SELECT p.score FROM PREDICT(MODEL = {model}, {data}) AS p"
        found = [score for (score,) in shop.scoring.sql(statement)]
        assert sorted(found) == wanted, model


@pytest.mark.usefixtures("tables")
def test_the_outer_statement_runs_in_the_database(shop: Shop):
    wanted = {k: v for k, v in expected(shop).items() if v is not None}
    done = shop.scoring.sql(
        f"SELECT TOP 3 d.id AS customer, p.score {FROM} WITH (score float) AS p"
        " WHERE p.score IS NOT NULL ORDER BY p.score DESC, d.id"
    ).to_arrow()
    best = sorted(wanted, key=lambda k: (-wanted[k], k))[:3]
    assert done.column("customer").to_pylist() == best
    ((rows, mean),) = shop.scoring.sql(f"SELECT COUNT(*) AS n, AVG(p.score) AS mean {FROM} AS p")
    assert rows == ROWS
    assert mean == pytest.approx(sum(wanted.values()) / len(wanted), rel=1e-6)


def test_columns_of_every_type_come_along(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    monkeypatch.setattr(staging, "_KEPT", 100)
    _, cases = source_of_all_types(shop.database)
    columns = ", ".join(f"d.c{i}" for i in range(len(cases)))
    data = "(SELECT *, id AS age, 1.5 AS spend FROM source)"
    statement = (
        f"SELECT d.id, {columns}, p.score INTO target"
        f" FROM PREDICT(MODEL = churn, DATA = {data} AS d) AS p WHERE p.score IS NOT NULL"
    )
    plan = shop.scoring.explain(statement)
    assert plan.how.startswith("rows stream through the model into a temporary table")
    shop.scoring.sql(statement)
    assert not differences(shop.database, cases)


#: a condition -> what DATA takes over of it, and whether that is all
CONDITIONS: dict[str, tuple[tuple[str, ...], bool]] = {
    "d.id < 30": (("id",), True),
    "id < 30 AND (age > 0 AND d.city IS NOT NULL)": (("id", "age", "city"), True),
    "(d.id < 30 OR d.id = 33) AND p.risk > 0.5": (("id", "33"), False),
    "d.id < 30 OR p.risk > 0.5": ((), False),
    "d.id < 30 AND risk > 0.5 AND d.age * 2 > p.risk": (("id",), False),
    "d.id IN (SELECT id FROM customers WHERE id < 30) AND d.spend > 0": (("spend",), False),
}


def test_conditions_on_data_hold_before_rows_are_scored(shop: Shop):
    whole = f"SELECT d.id, d.age, d.spend, d.city, p.risk {FROM} WITH (risk float) AS p"
    shop.scoring.sql(f"SELECT x.* INTO scored FROM ({whole}) AS x")
    for condition, (words, all_of_it) in CONDITIONS.items():
        statement = f"SELECT d.id, p.risk {FROM} WITH (risk real) AS p WHERE {condition}"
        plain = condition.replace("d.", "").replace("p.", "")
        wanted = {
            key: None if risk is None else float(np.float32(risk))
            for key, risk in shop.ask(f"SELECT id, risk FROM scored WHERE {plain}")
        }
        assert found_by(shop, statement) == wanted, condition
        plan = shop.scoring.explain(statement)
        taken = plan.predicts[0].data.partition("WHERE")[2]
        assert all(word in taken for word in words), condition
        assert bool(taken) == bool(words), condition
        assert plan.how.endswith("to the reader") == all_of_it, condition


def test_conditions_stay_where_a_join_makes_rows(shop: Shop):
    shop.create("others", {"id": [3, 4]}, {"id": pa.int64()})
    joined = f"SELECT o.id, p.score {FROM} AS p RIGHT JOIN others AS o ON o.id = d.id"
    assert list(shop.scoring.sql(f"{joined} WHERE d.id IS NULL")) == [(4, None)]
    left = (
        "SELECT o.id, p.score FROM others AS o"
        " LEFT JOIN PREDICT(MODEL = churn, DATA = customers AS d) AS p ON d.id = o.id"
    )
    assert list(shop.scoring.sql(f"{left} WHERE d.id IS NULL")) == [(4, None)]
    (one,) = shop.scoring.explain(f"{left} WHERE d.id IS NULL").predicts
    assert "WHERE" not in one.data


def test_a_result_is_read_once_and_as_what_one_likes(shop: Shop):
    statement = f"SELECT d.id, p.score {FROM} AS p"
    result = shop.scoring.sql(statement)
    assert result.columns == ["id", "score"]
    assert result.to_arrow().num_rows == ROWS
    with pytest.raises(sqlscore.StatementError, match="read already"):
        result.to_arrow()
    assert len(shop.scoring.sql(statement).to_pandas()) == ROWS
    assert len(shop.scoring.sql(statement).to_polars()) == ROWS
    with shop.scoring.sql(statement) as left:
        next(left.to_batches())
    assert "read already" in repr(left)


def test_a_transaction_of_the_caller_is_joined(shop: Shop):
    statement = f"SELECT d.id, p.score {FROM} AS p"
    with pytest.raises(ZeroDivisionError), shop.scoring.begin() as connection:  # noqa: PT012
        connection.exec_driver_sql("INSERT INTO customers (id, age, spend) VALUES (5000, 1, 2)")
        found = found_by(shop, statement)
        assert found[5000] == asked(WEIGHED, np.array([[1.0, 2.0]]))[0, 0]
        shop.scoring.sql(f"INSERT INTO kept_models (id) SELECT d.id + 100 {FROM} AS p")
        assert len(list(shop.scoring.sql("SELECT id FROM kept_models"))) == ROWS + 2
        raise ZeroDivisionError
    assert shop.ask("SELECT COUNT(*) FROM kept_models") == [(1,)]
    assert shop.ask("SELECT COUNT(*) FROM customers") == [(ROWS,)]


def test_null_comes_first(shop: Shop):
    ordered = f"SELECT d.id {FROM} AS p ORDER BY d.age, d.id"
    if not shop.scoring.product.t_sql:
        assert next(iter(shop.scoring.sql(ordered))) == (9,)


def test_variables_and_messages(shop: Shop):
    done = shop.scoring.sql(
        "DECLARE @low int = 30, @n int\n"
        "SELECT @n = COUNT(*) FROM customers WHERE id < @low\n"
        "SET @n = @n * 2\n"
        "PRINT 'twice: ' + CAST(@n AS varchar(10))\n"
        "SELECT 1 AS first\n"
        f"SELECT d.id {FROM} AS p WHERE d.id < @low ORDER BY d.id"
    )
    assert done.messages == ("twice: 20",)
    assert [list(one) for one in done.earlier] == [[(1,)]]
    assert [row[0] for row in done] == list(range(0, 30, 3))


def test_the_plan_is_explained(shop: Shop):
    streamed = shop.scoring.explain(
        f"DECLARE @low int = 3\nSELECT d.id, p.risk {FROM} WITH (risk float) AS p"
    )
    assert streamed.how == "rows stream through the model to the reader"
    (one,) = streamed.predicts
    assert (one.name, one.route, one.kept) == ("p", "bridge", ("id",))
    assert one.model.startswith("churn:1, sha256 ")
    assert [feature for feature, _ in one.features] == ["age", "spend"]
    assert one.predictions == (("risk", "score"),)
    assert "city" not in one.data
    assert any("3 of DATA's 4 columns" in reason for reason in one.because)

    staged = f"SELECT p.score, COUNT(*) AS n {FROM} AS p GROUP BY p.score"
    plan = shop.scoring.explain(staged)
    assert plan.how.startswith("rows stream through the model into a temporary table")
    assert "GROUP BY" in (plan.sql or "")
    assert plan.steps == ()
    assert "PREDICT p: bridge" in str(plan)
    assert "features" in str(plan)
    assert re.search(r"cost: bridge [\d.e-]+ s, push-down [\d.e-]+ s \(not measured", str(plan))
    pushed = shop.scoring.explain(staged, route="push-down")
    assert pushed.how == "the database runs the statement, with the model as SQL in it"
    assert [one.route for one in pushed.predicts] == ["push-down"]
    assert "GROUP BY" in (pushed.sql or "")
    assert "0.25" in (pushed.sql or "")  # a weight of the model
    ran = shop.scoring.explain(staged, analyze=True)
    assert (ran.steps[0].name, ran.steps[0].rows) == (
        "rows through the model into a temporary table",
        ROWS,
    )
    with pytest.raises(sqlscore.StatementError, match="explain takes one statement"):
        shop.scoring.explain("PRINT 'a'")
