"""PREDICT statements on every database, judged by ONNX Runtime called directly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.statements import staging, writing
from tests.contract.type_cases import differences, source_of_all_types
from tests.fixtures.scoring import WEIGHED, Shop, asked

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

ROWS = 40


@pytest.fixture
def shop(database: Database) -> Shop:
    """Customers with a NULL age and a NULL spend, and a table that holds the model's bytes."""
    made = Shop.on(database, ROWS)
    made.run(
        "UPDATE customers SET age = NULL WHERE id = 9",
        "UPDATE customers SET spend = NULL WHERE id = 12",
    )
    made.scoring.models.alias("churn", "best", 1)
    keep = made.create("kept_models", None, {"id": pa.int64(), "model": pa.binary()})
    made.write(keep, {"id": [1], "model": [WEIGHED]})
    return made


def expected(shop: Shop) -> dict[int, float | None]:
    """Each customer's score; NULL where a feature is NULL."""
    rows = shop.ask("SELECT id, age, spend FROM customers")
    whole = [row for row in rows if None not in row]
    scores = asked(WEIGHED, np.array([row[1:] for row in whole], np.float64))[:, 0]
    found: dict[int, float | None] = dict.fromkeys((row[0] for row in rows), None)
    return found | {row[0]: float(s) for row, s in zip(whole, scores, strict=True)}


def found_by(shop: Shop, statement: str) -> dict[int, float | None]:
    """The ids and scores of a statement, to the last bit of a real."""
    rows = list(shop.scoring.sql(statement))
    found = {key: None if score is None else float(np.float32(score)) for key, score in rows}
    assert len(found) == len(rows)
    return found


FROM = "FROM PREDICT(MODEL = churn, DATA = customers AS d, RUNTIME = ONNX)"

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
    """Rows and predictions in one temporary table, where that can be, and in one each."""
    if request.param == "two tables":
        monkeypatch.setattr(staging, "can_stream", lambda *_: False)


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


#: what only the bridge does -> its WITH list, and what the refusal says
ONLY_BRIDGED = {
    "NOT NULL": ("score real NOT NULL", "score is NOT NULL, which only the bridge checks"),
    "a length": ("score nvarchar(20)", "score has a length"),
    "another type": ("score int", "score is int32, whose values only the bridge makes of float"),
}


def test_what_cannot_be_pushed_down_is_refused_with_its_reasons(shop: Shop):
    for name, (listed, message) in ONLY_BRIDGED.items():
        statement = f"SELECT d.id, p.score {FROM} WITH ({listed}) AS p"
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(statement, route="push-down")
        assert str(raised.value).startswith("line 1, column 27: this PREDICT cannot"), name
        assert message in str(raised.value), name
        (one,) = shop.scoring.explain(statement).predicts
        assert message in one.refused[0], name
    with pytest.raises(sqlscore.StatementError, match=r"no route 'pushdown'.*Did you mean"):
        shop.scoring.sql("SELECT 1 AS one", route="pushdown")


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


def test_predictions_are_written(shop: Shop):
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64(), "note": pa.string()})
    shop.create("rounded", None, {"id": pa.int64(), "score": pa.int64()})
    statements = [
        f"INSERT INTO scores (id, score) SELECT d.id, p.score {FROM} AS p",
        f"INSERT dbo.scores SELECT d.id, p.score, 'x' + 'y' {FROM} AS p",
        "WITH d AS (SELECT * FROM customers)"
        " INSERT INTO scores (score, id)"
        " SELECT p.score, d.id FROM PREDICT(MODEL = churn, DATA = d) AS p",
    ]
    for statement in statements:
        done = shop.scoring.sql(statement)
        assert done.rows_written in (ROWS, None), statement
        assert done.columns == []
        assert found_by(shop, "SELECT id, score FROM scores") == wanted, statement
        shop.run("DELETE FROM scores")
    shop.scoring.sql(f"INSERT INTO rounded SELECT d.id, p.score * 100 {FROM} AS p")
    assert len(shop.ask("SELECT * FROM rounded")) == ROWS


def test_predictions_that_memory_does_not_hold(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Where a reader is in the way of what is written, they wait in a file for its end."""
    monkeypatch.setattr(writing, "_IN_MEMORY", 0)
    shop.scoring.sql(f"SELECT d.id, p.score INTO spooled {FROM} AS p")
    assert found_by(shop, "SELECT id, score FROM spooled") == expected(shop)


def test_nothing_is_written_by_a_statement_that_fails(shop: Shop):
    target = shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.write(target, {"id": [30], "score": [0.0]})
    with pytest.raises(sqlscore.DatabaseError, match="line 2, column 1"):
        shop.scoring.sql(f"PRINT 'on'\nINSERT INTO scores SELECT d.id, p.score {FROM} AS p")
    assert shop.ask("SELECT id FROM scores") == [(30,)]


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


#: statements that write: what they leave in `scores`, which begins with 1 -> 10, 2 -> 20, 3 -> 30
WRITES = {
    "UPDATE s SET s.score = b.v FROM scores AS s JOIN changes AS b ON s.id = b.id": {
        1: 10, 2: 200, 3: 300
    },
    "UPDATE scores SET score = v + 1 FROM changes AS b WHERE b.id = scores.id AND b.v > 200": {
        1: 10, 2: 20, 3: 301
    },
    "UPDATE dbo.scores SET score = score / 3 WHERE id = 2": {1: 10, 2: 20 / 3, 3: 30},
    "DELETE s FROM scores AS s JOIN changes b ON b.id = s.id WHERE b.v > 200": {1: 10, 2: 20},
    "DELETE FROM scores WHERE EXISTS (SELECT 1 FROM changes AS b WHERE b.id = scores.id)": {1: 10},
    "MERGE INTO scores AS t USING changes AS s ON t.id = s.id"
    " WHEN MATCHED AND s.v > 200 THEN DELETE"
    " WHEN MATCHED THEN UPDATE SET t.score = s.v"
    " WHEN NOT MATCHED BY TARGET THEN INSERT (id, score) VALUES (s.id, s.v);": {
        1: 10, 2: 200, 4: 400
    },
}  # fmt: skip


def test_tables_are_changed_as_in_t_sql(shop: Shop):
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    changes = shop.create("changes", None, {"id": pa.int64(), "v": pa.int64()})
    shop.write(changes, {"id": [2, 3, 4], "v": [200, 300, 400]})
    for statement, wanted in WRITES.items():
        shop.scoring.sql("INSERT INTO scores VALUES (1, 10), (2, 20), (3, 30)")
        shop.scoring.sql(statement)
        found = dict(shop.ask("SELECT id, score FROM scores"))
        assert found == pytest.approx(wanted), statement
        shop.run("DELETE FROM scores")
    if shop.scoring.product.t_sql:
        return  # it takes outer joins as well
    with pytest.raises(sqlscore.StatementError, match="take inner joins"):
        shop.scoring.sql("DELETE s FROM scores AS s LEFT JOIN changes b ON b.id = s.id")


@pytest.mark.usefixtures("tables")
def test_predictions_change_tables(shop: Shop):
    wanted = {key: score for key, score in expected(shop).items() if key < 30}
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.run("INSERT INTO scores VALUES (0, 7), (3, 7), (700, 7)")
    shop.scoring.sql(
        "MERGE INTO scores AS t USING PREDICT(MODEL = churn, DATA ="
        " (SELECT * FROM customers WHERE id < 30) AS d) WITH (score float) AS p ON t.id = d.id"
        " WHEN MATCHED THEN UPDATE SET score = p.score"
        " WHEN NOT MATCHED THEN INSERT (id, score) VALUES (d.id, p.score);"
    )
    assert found_by(shop, "SELECT id, score FROM scores WHERE id < 700") == wanted
    shop.run("UPDATE scores SET score = 1")
    shop.scoring.sql(f"UPDATE s SET score = p.score {FROM} AS p JOIN scores AS s ON s.id = d.id")
    assert found_by(shop, "SELECT id, score FROM scores WHERE id < 700") == wanted
    assert shop.ask("SELECT score FROM scores WHERE id = 700") == [(1,)]


def test_output_gives_the_rows_that_were_written(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    written = "INSERT INTO scores (id, score) OUTPUT INSERTED.ID AS written, inserted.score"
    assert found_by(shop, f"{written} SELECT d.id, p.score {FROM} AS p") == wanted
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    values = shop.scoring.sql("INSERT INTO scores OUTPUT inserted.* VALUES (1000, 7)")
    assert list(values) == [(1000, 7)]
    deleted = "DELETE FROM scores OUTPUT deleted.id, deleted.score * 2 AS twice WHERE id = 1000"
    assert list(shop.scoring.sql(deleted)) == [(1000, 14)]
    update = "UPDATE scores SET score = 5 OUTPUT inserted.score WHERE id = 3"
    assert list(shop.scoring.sql(update)) == [(5,)]
    apart = f"UPDATE scores SET score = p.score {FROM} AS p WHERE scores.id = d.id"
    shop.scoring.sql(apart)
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    joined = (
        "UPDATE c SET spend += 1 + 0 * p.score OUTPUT deleted.ID, inserted.spend - deleted.spend"
        f" AS more, d.age * 0 AS none {FROM} AS p JOIN customers AS c ON c.id = d.id WHERE c.id < 4"
    )
    assert sorted(shop.scoring.sql(joined)) == [(0, pytest.approx(1), 0), (3, pytest.approx(1), 0)]
    shop.run("CREATE TABLE keyless (a integer, b integer)", "INSERT INTO keyless VALUES (1, 2)")
    for told, statement in {
        "needs to find its rows again, and it is of a table without a primary key": (
            "UPDATE keyless SET a = 5 OUTPUT deleted.a"
        ),
        "needs to find its rows again, and it changes its primary key": (
            "UPDATE scores SET id = 5 OUTPUT deleted.id WHERE id = 3"
        ),
        "has several rows for one of the table's": (
            "UPDATE s SET score = 1 OUTPUT deleted.id FROM scores AS s, customers AS c"
        ),
        "the SELECT names a column twice: id": (
            "UPDATE scores SET score = 5 OUTPUT deleted.id, inserted.id WHERE id = 3"
        ),
    }.items():
        with pytest.raises(sqlscore.StatementError, match=told):
            shop.scoring.sql(statement)
    assert shop.ask("SELECT a FROM keyless") == [(1,)]
    with pytest.raises(sqlscore.StatementError, match=r"OUTPUT deleted\.… of INSERT"):
        shop.scoring.sql("INSERT INTO scores OUTPUT deleted.id VALUES (1001, 7)")
    assert len(shop.ask("SELECT id FROM scores")) == ROWS


def test_output_puts_rows_into_a_table(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    wanted = expected(shop)
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.create("log", None, {"id": pa.int64(), "score": pa.float64(), "note": pa.string()})
    done = shop.scoring.sql(
        "INSERT INTO scores (id, score) OUTPUT inserted.score, inserted.ID INTO dbo.log (score, id)"
        f" SELECT d.id, p.score {FROM} AS p"
    )
    assert (done.rows_written, done.columns) == (ROWS, [])
    assert found_by(shop, "SELECT id, score FROM log") == wanted
    assert found_by(shop, "SELECT id, score FROM scores") == wanted
    gone = "DECLARE @gone TABLE (id bigint PRIMARY KEY, score float)\nDELETE FROM scores {} {}"
    both = gone.format("OUTPUT deleted.* INTO @gone OUTPUT deleted.id AS left_out", "WHERE id < 9")
    found = shop.scoring.sql(f"{both}\nSELECT id FROM @gone ORDER BY id")
    assert list(found) == [(0,), (3,), (6,)]
    assert sorted(found.earlier[0]) == [(0,), (3,), (6,)]
    nothing = gone.format("OUTPUT deleted.* INTO @gone", "WHERE id < 9\nSELECT @@ROWCOUNT AS n")
    assert list(shop.scoring.sql(nothing)) == [(0,)]
    with pytest.raises(sqlscore.StatementError, match="INSERT writes 3 columns of 'log'"):
        shop.scoring.sql("DELETE FROM scores OUTPUT deleted.id INTO log")
    assert len(shop.ask("SELECT id FROM scores")) == ROWS - 3
    shop.run("DELETE FROM log")
    shop.scoring.sql(
        "UPDATE scores SET score += 1 OUTPUT 'more', inserted.id, inserted.score - deleted.score"
        " INTO log (note, id, score) WHERE id IN (30, 33)"
    )
    logged = shop.ask("SELECT id, score FROM log WHERE note = 'more' ORDER BY id")
    assert logged == [(30, pytest.approx(1)), (33, pytest.approx(1))]


#: a MERGE of scores 1 -> 10, 2 -> 20, 3 -> 30 with 2 -> 200, 3 -> 300, 4 -> 400
MERGED = (
    "MERGE INTO scores AS t USING changes AS s ON t.id = s.id {} WHEN NOT MATCHED THEN"
    " INSERT (id, score) VALUES (s.id, s.v) {};"
)


def test_output_of_merge(shop: Shop):
    if shop.scoring.product.t_sql:
        pytest.skip("it passes as written, which the endpoint does not understand")
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    shop.run("INSERT INTO scores VALUES (1, 10), (2, 20), (3, 30)")
    changes = shop.create("changes", None, {"id": pa.int64(), "v": pa.int64()})
    shop.write(changes, {"id": [2, 3, 4], "v": [200, 300, 400]})
    wanted = "OUTPUT $action, inserted.id, deleted.score AS old"
    delete = "WHEN MATCHED AND s.v > 200 THEN DELETE"
    update = "WHEN MATCHED THEN UPDATE SET t.score = s.v"
    found = shop.scoring.sql(MERGED.format(delete, wanted))
    assert found.columns == ["$action", "id", "old"]
    assert sorted(found, key=str) == [("DELETE", None, 30), ("INSERT", 4, None)]
    assert shop.ask("SELECT id FROM scores ORDER BY id") == [(1,), (2,), (4,)]
    shop.run("UPDATE changes SET id = 5 WHERE id = 4")
    into = "OUTPUT $action, inserted.id INTO @log"
    log = "DECLARE @log TABLE (did nvarchar(10), id bigint)\n"
    merge = f"{log}{MERGED.format(f'{delete} {update}', into)}\nSELECT did, id FROM @log"
    assert sorted(shop.scoring.sql(merge)) == [("INSERT", 3), ("INSERT", 5), ("UPDATE", 2)]
    before = shop.ask("SELECT id, score FROM scores ORDER BY id")
    with pytest.raises(sqlscore.StatementError, match="OUTPUT of MERGE gives inserted"):
        shop.scoring.sql(MERGED.format(delete, "OUTPUT s.v"))
    assert shop.ask("SELECT id, score FROM scores ORDER BY id") == before
    shop.run("DELETE FROM changes WHERE id = 5", "UPDATE changes SET id = 6 WHERE id = 3")
    rest = "WHEN NOT MATCHED BY SOURCE AND t.id > 3 THEN UPDATE SET score = -t.score"
    found = shop.scoring.sql(
        f"MERGE scores AS t USING changes AS s ON t.id = s.id {update} WHEN NOT MATCHED BY TARGET"
        f" THEN INSERT VALUES (s.id, s.v) {rest} WHEN NOT MATCHED BY SOURCE THEN DELETE"
        " OUTPUT $action AS did, COALESCE(inserted.id, deleted.id) AS id, deleted.score AS old,"
        " inserted.score AS new;"
    )
    assert sorted(found) == [
        ("DELETE", 1, 10, None), ("DELETE", 3, 300, None), ("INSERT", 6, None, 300),
        ("UPDATE", 2, 200, 200), ("UPDATE", 4, 400, -400), ("UPDATE", 5, 400, -400),
    ]  # fmt: skip
    shop.scoring.sql(
        "MERGE scores AS t USING changes AS s ON t.id = s.id"
        " WHEN MATCHED AND t.score > 250 THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE;"
    )
    assert shop.ask("SELECT id FROM scores") == [(2,)]
    twice = f"{rest.replace('score = ', 'id = ')} WHEN MATCHED THEN UPDATE SET score = 1;"
    with pytest.raises(sqlscore.StatementError, match="two UPDATEs changes id, which ON compares"):
        shop.scoring.sql(f"MERGE scores AS t USING changes AS s ON t.id = s.id {twice}")


def test_merge_changes_no_row_twice(shop: Shop):
    shop.create(
        "scores", {"id": [1, 2], "score": [10.0, 20.0]}, {"id": pa.int64(), "score": pa.float64()}
    )
    columns = {"n": pa.int64(), "id": pa.int64(), "v": pa.int64()}
    shop.create("changes", {"n": [1, 2], "id": [2, 2], "v": [200, 300]}, columns, key=("n",))
    merge = MERGED.format("WHEN MATCHED {} THEN UPDATE SET score = s.v", "")
    if shop.scoring.product.t_sql:
        return  # the server's own error
    with pytest.raises(sqlscore.StatementError, match="line 1, column 1: MERGE would update or"):
        shop.scoring.sql(merge.format(""))
    assert shop.ask("SELECT score FROM scores ORDER BY id") == [(10,), (20,)]
    shop.scoring.sql(merge.format("AND s.v > 200"))
    assert shop.ask("SELECT score FROM scores ORDER BY id") == [(10,), (300,)]


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


SCORED = "SELECT p.score FROM PREDICT(MODEL = churn, DATA = customers AS d)"

#: what is wrong -> the statement, and what the message says, with its place
BAD: dict[str, tuple[str, str]] = {
    "unclosed": (
        "SELECT 1\nFROM PREDICT(MODEL = churn, DATA = customers",
        "line 2, column 6: PREDICT is not closed",
    ),
    "no MODEL": (
        "SELECT * FROM PREDICT(DATA = customers) p", "line 1, column 15: PREDICT has no MODEL",
    ),
    "no DATA": (
        "SELECT * FROM PREDICT(MODEL = churn) p", "line 1, column 15: PREDICT has no DATA",
    ),
    "DATA of each row": (
        "SELECT p.score FROM customers AS c\nCROSS APPLY PREDICT(MODEL = churn,"
        " DATA = (SELECT c.age, c.spend) AS d) AS p",
        "line 2, column 53: DATA is evaluated once, by itself: it cannot read 'c'.*join PREDICT by",
    ),
    "another runtime": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers,\n RUNTIME = TENSOR) p",
        "line 2, column 12: RUNTIME = 'TENSOR'",
    ),
    "no row": (
        "SELECT * FROM PREDICT(MODEL = (SELECT model FROM kept_models WHERE id = 2),"
        " DATA = customers) p",
        "line 1, column 39: MODEL = .SELECT …. gives no row",
    ),
    "two rows": (
        "SELECT * FROM PREDICT(MODEL = (SELECT age FROM customers), DATA = customers) p",
        "line 1, column 39: .*gives more than one row",
    ),
    "NULL": (
        "SELECT * FROM PREDICT(MODEL = (SELECT age FROM customers WHERE id = 9),"
        " DATA = customers) p",
        "line 1, column 39: MODEL is NULL",
    ),
    "no model": (
        "SELECT * FROM PREDICT(MODEL = 0xABCD, DATA = customers) p",
        "line 1, column 15: MODEL: the model is not an ONNX model",
    ),
    "unknown model": (
        "SELECT * FROM PREDICT(MODEL = chur, DATA = customers) p",
        "line 1, column 31: .*no model 'chur'.*Did you mean 'churn'",
    ),
    "unknown variable": (
        "DECLARE @model varbinary(max)\nSELECT * FROM PREDICT(MODEL = @modl, DATA = customers) p",
        "line 2, column 31: the variable @modl is not declared.*Did you mean '@model'",
    ),
    "unknown table": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = custmers) p",
        "line 1, column 45: there is no table or view 'custmers'. Did you mean 'customers'",
    ),
    "unknown temporary table": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = #c) p",
        "line 1, column 45: there is no temporary table '#c'",
    ),
    "DATA does not bind": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = (SELECT id, age FROM customers) AS d) p",
        "line 1, column 15: DATA does not fit the model.*'spend': no such column",
    ),
    "WITH does not bind": (
        f"{SCORED} WITH (score real, other real) AS p",
        "line 1, column 21: the WITH list asks for 'score', 'other'.*no prediction 'other'"
        ".*It returns: 'score'",
    ),
    "a type that does not hold": (
        f"{SCORED} WITH (score int) p",
        "line 1, column 21: a prediction does not fit the WITH column 'score': the model gives "
        "real, and the column is int",
    ),
    "NOT NULL": (
        f"{SCORED} WITH (score real NOT NULL) p",
        "line 1, column 21: the WITH list says score NOT NULL.*2 of 40 rows",
    ),
    "no end before WITH": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers AS d WITH (risk float) AS p",
        "line 1, column 60: PREDICT is not closed: a '\\)' is missing before its WITH list",
    ),
    "not supported": (
        "SELECT 1\nGOTO there", "line 2, column 1: GOTO is not supported",
    ),
    "a cursor": ("DECLARE c CURSOR FOR SELECT 1", "line 1, column 1: cursors are not supported"),
    "text to run": (
        "EXEC('DROP TABLE customers')",
        "line 1, column 1: EXEC runs procedures by name, and no text",
    ),
    "TOP PERCENT": (
        "SELECT TOP 5 PERCENT id / 2 FROM customers",
        "line 1, column 1: TOP … PERCENT and WITH TIES need a name for each column",
    ),
    "NULL in a variable": (
        "DECLARE @m varbinary(max)\nSELECT * FROM PREDICT(MODEL = @m, DATA = customers) p",
        "line 2, column 31: MODEL = @m is NULL",
    ),
    "a number as a model": (
        "DECLARE @m int = 7\n\nSELECT * FROM PREDICT(MODEL = @m, DATA = customers) p",
        "line 3, column 31: MODEL = @m is int, neither the bytes of a model",
    ),
    "text that is too long": (
        f"{SCORED} WITH (score nvarchar(3)) p", "line 1, column 21: a prediction",
    ),
    "a type that is not known": (
        f"{SCORED} WITH (score geography) p", "line 1, column 21: the type GEOGRAPHY is not",
    ),
    "unknown column": (
        f"SELECT d.id, d.spnd {FROM} AS p WHERE p.score > 0",
        "line 1, column 16: DATA has no column 'spnd'. Did you mean 'spend'",
    ),
    "unknown prediction": (
        f"SELECT d.id {FROM} AS p WHERE p.risk > 0",
        "line 1, column [0-9]+: PREDICT gives no column 'risk'",
    ),
    "unknown column without a table": (
        f"SELECT id, [scor] {FROM} AS p", "line 1, column 12: .*no column 'scor'. Did you mean",
    ),
    "unknown column of a table": (
        "SELECT id FROM customers\nWHERE agee > 1", "line 2, column 7: .*no column 'agee'.*'age'",
    ),
    "unknown relation": (
        "SELECT x.id FROM customers AS c", "line 1, column 10: .*read here as 'x'. There are: c",
    ),
    "unknown column that is written": (
        "INSERT INTO customers (id, tel) VALUES (1, 2)",
        "line 1, column 28: 'customers' has no column 'tel'. There are: id, age, spend, city",
    ),
    "half an expression": ("SELECT 1 +", "line 1, column 10: .*something is missing, near"),
    "a set that gives no value": (
        "SELECT 1 AS one\nSET @x = 3", "line 2, column 1: the variable @x is not declared",
    ),
    "an argument twice": (
        "SELECT * FROM PREDICT(MODEL = churn, DATA = customers,\n  MODEL = churn) p",
        "line 2, column 3: PREDICT has MODEL twice",
    ),
    "half a comment": ("SELECT 1 AS one /* and", "line 1, column 17: this comment is not closed"),
    "nothing": ("-- a comment", "there is no statement"),
}  # fmt: skip


def test_bad_input_says_what_and_where(shop: Shop):
    names = {"of a table", "without a table", "that is written"}
    own = {"TOP PERCENT", "unknown relation", *(f"unknown column {name}" for name in names)}
    native = own if shop.scoring.product.t_sql else set()
    for name, (statement, message) in BAD.items():
        if name in native:
            continue
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(statement).to_arrow()
        assert re.search(message, str(raised.value), re.DOTALL), (name, str(raised.value))


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
