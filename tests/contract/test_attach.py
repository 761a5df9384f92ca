"""`sqlscore.attach`: plain SQL on an open connection scores, as a run would."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

import sqlscore
from tests.fixtures import models, scoring
from tests.fixtures.scoring import Shop, customers, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database


@pytest.fixture(params=["sqlite", "duckdb"])
def shop(request: pytest.FixtureRequest) -> Shop:
    database: Database = request.getfixturevalue(request.param)
    shop = Shop.on(database)
    shop.scoring.models.add("classes", models.lightgbm(2), features=scoring.FEATURES)
    return shop


@pytest.fixture
def attached(shop: Shop) -> Iterator[sa.Connection]:
    with shop.database.engine.connect() as connection:
        sqlscore.attach(connection)
        yield connection


def ask(connection: sa.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_every_row_has_the_prediction_of_onnx_runtime(attached: sa.Connection):
    found = ask(attached, "SELECT id, predict('churn', age, spend) FROM customers ORDER BY id")
    assert dict(found) == expected(range(0, 900, 3))


def test_rows_with_null_have_what_a_run_gives_them(shop: Shop, attached: sa.Connection):
    unusual = ["(1, NULL, 1.0)", "(2, 1.0, NULL)", "(4, 1e300, -1e300)", "(5, 1, 2)"]
    shop.run(f"INSERT INTO customers (id, age, spend) VALUES {', '.join(unusual)}")
    shop.score(["classes"], target="scored")
    query = "SELECT c.id, predict('classes[probabilities_1]', age, spend), probabilities_1 "
    found = ask(attached, query + "FROM customers c JOIN scored s ON s.id = c.id")
    assert len(found) == 304
    assert all(np.float32(ours) == np.float32(theirs) for _, ours, theirs in found)
    churn = dict(ask(attached, "SELECT id, predict('churn', age, spend) FROM customers"))
    assert churn[1] is churn[2] is None


def test_it_is_a_function_like_any_other(attached: sa.Connection):
    scores = expected(range(0, 900, 3)).values()
    (found,) = ask(attached, "SELECT avg(predict('churn', age, spend)) FROM customers")
    assert found[0] == pytest.approx(np.mean(np.array(list(scores))))
    query = "SELECT count(*) FROM customers WHERE predict('churn', age, spend) > 0.5"
    assert ask(attached, query) == [(sum(score > 0.5 for score in scores),)]
    assert ask(attached, "SELECT predict('churn', 1, 2) WHERE 1 = 0") == []


def test_a_version_stays_until_the_connection_is_attached_again(shop: Shop):
    with shop.database.engine.connect() as connection:
        sqlscore.attach(connection)
        before = ask(connection, "SELECT predict('churn', 1, 2)")
        connection.rollback()
        shop.scoring.models.add("churn", scoring.NEWER, features=scoring.FEATURES)
        assert ask(connection, "SELECT predict('churn', 1, 2)") == before
        sqlscore.attach(connection)
        assert ask(connection, "SELECT predict('churn', 1, 2)") == [(5.0,)]
        assert ask(connection, "SELECT predict('churn:1', 1, 2)") == before


WRONG = {
    "predict('churn', age)": "takes 2 values, in this order: age, spend; and 1 are given",
    "predict('churm', age, spend)": "there is no model 'churm'.*Did you mean 'churn'",
    "predict('churn', city, spend)": "the feature 'age' takes a number",
    "predict('classes', age, spend)": r"has 3 predictions .*'classes\[probabilities_1\]'",
    "predict('classes[lable]', age, spend)": "no prediction 'lable'.*Did you mean 'label'",
    "predict('churn')": "takes (2 values.* 0 are given|a model's name, and a row or)",
}


@pytest.mark.parametrize("call", WRONG)
def test_what_is_wrong_is_said(shop: Shop, attached: sa.Connection, call: str):
    with pytest.raises(sa.exc.DBAPIError) as error:
        ask(attached, f"SELECT {call} FROM customers")
    said = str(error.value)
    if shop.database.name == "sqlite":  # whose module says only that a function failed
        (row,) = ask(attached, "SELECT predict_error()")
        said = row[0]
    assert re.search(WRONG[call], said, re.DOTALL)


def over(sqlite: Database, window: str, call: str = "'churn', age, spend") -> str:
    return f"SELECT id, predict_over({call}) OVER ({window}) FROM customers"


AHEAD = "ROWS BETWEEN UNBOUNDED PRECEDING AND 4000 FOLLOWING"


def test_rows_that_follow_are_scored_together(sqlite: Database):
    shop = Shop.on(sqlite)
    shop.run("UPDATE customers SET age = NULL WHERE id % 7 = 0")
    shop.run("UPDATE customers SET age = 3 WHERE id % 11 = 0")  # an integer among floats
    with sqlite.engine.connect() as connection:
        sqlscore.attach(connection)
        alone = dict(ask(connection, "SELECT id, predict('churn', age, spend) FROM customers"))
        assert None in alone.values()
        assert len(alone) == 300
        for window in (
            AHEAD,
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            "ROWS BETWEEN CURRENT ROW AND 4000 FOLLOWING",
            "ROWS BETWEEN 5 PRECEDING AND 4000 FOLLOWING",
            f"PARTITION BY city ORDER BY spend {AHEAD}",
        ):
            assert dict(ask(connection, over(sqlite, window))) == alone


def test_batches_of_rows_that_follow(sqlite: Database):
    shop = Shop.on(sqlite)
    for rows in (4001, 4002, 9000):
        shop.run("DELETE FROM customers")
        shop.write(shop.target("customers"), customers(range(rows)))
        with sqlite.engine.connect() as connection:
            sqlscore.attach(connection)
            assert dict(ask(connection, over(sqlite, AHEAD))) == expected(range(rows))
            some = ask(connection, f"{over(sqlite, AHEAD)} LIMIT 4100")
            assert dict(some) == expected(range(min(rows, 4100)))


@pytest.mark.parametrize(
    "window",
    [
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 7 FOLLOWING",
        "ROWS CURRENT ROW",
        "ORDER BY id",
        "ORDER BY id % 2",
        "ORDER BY id > 9 AND id",  # the first ones are peers, the others are not
        f"{AHEAD} EXCLUDE CURRENT ROW",
    ],
)
def test_a_frame_that_may_have_one_value_for_several_rows_is_refused(sqlite: Database, window: str):
    Shop.on(sqlite)
    with sqlite.engine.connect() as connection:
        sqlscore.attach(connection)
        with pytest.raises(sa.exc.DBAPIError):
            ask(connection, over(sqlite, window))
        assert "only OVER (ROWS" in ask(connection, "SELECT predict_error()")[0][0]


def test_a_frame_that_has_one_value_for_all_rows_is_logged(sqlite: Database, caplog: Any):
    Shop.on(sqlite)
    with sqlite.engine.connect() as connection:
        sqlscore.attach(connection)
        assert len({score for _, score in ask(connection, over(sqlite, ""))}) == 1
        assert "asked once for 300 rows" in caplog.text
        assert "asked once for 300 rows" in ask(connection, "SELECT predict_error()")[0][0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("'churn', city, spend", "the feature 'age' takes a number"),
        ("'churn'", "takes a model's name and a value for each feature"),
        ("'churm', age, spend", "there is no model 'churm'"),
        ("'churn:' || (1 + (id > 9)), age, spend", "one model for all rows of a window"),
    ],
)
def test_what_is_wrong_ahead_is_said(sqlite: Database, call: str, words: str):
    Shop.on(sqlite)
    with sqlite.engine.connect() as connection:
        sqlscore.attach(connection)
        with pytest.raises(sa.exc.DBAPIError):
            ask(connection, over(sqlite, AHEAD, call))
        assert words in ask(connection, "SELECT predict_error()")[0][0]


def test_the_callers_transaction_is_left_alone(sqlite: Database):
    Shop.on(sqlite, rows=2)
    assert sqlite.engine.url.database
    connection = sqlite3.connect(sqlite.engine.url.database)
    connection.execute("CREATE TABLE scored (id INTEGER, score REAL)")
    connection.execute("INSERT INTO scored VALUES (0, 0)")
    assert connection.in_transaction
    sqlscore.attach(connection)
    connection.execute("INSERT INTO scored SELECT id, predict('churn', age, spend) FROM customers")
    assert connection.in_transaction
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM scored").fetchall() == [(0,)]
    connection.close()


def test_a_database_in_memory(sqlite: Database):
    connection = sqlite3.connect(":memory:")
    assert sqlite.engine.url.database
    with sqlite3.connect(sqlite.engine.url.database) as other:
        Shop.on(sqlite, rows=2)
        other.backup(connection)
    other.close()
    sqlscore.attach(connection)
    found = connection.execute("SELECT id, predict('churn', age, spend) FROM customers").fetchall()
    assert dict(found) == expected([0, 3])
    connection.close()


def test_features_bind_by_name_to_a_duckdb_row(duckdb: Database):
    shop = Shop.on(duckdb)
    with duckdb.engine.connect() as connection:
        sqlscore.attach(connection)
        found = ask(connection, "SELECT id, predict('churn', c) FROM customers c")
        assert dict(found) == expected(range(0, 900, 3))
        with pytest.raises(sa.exc.DBAPIError, match="'spend': no such column"):
            ask(connection, "SELECT predict('churn', c) FROM (SELECT id, age FROM customers) c")
    shop.scoring.close()


def test_a_duckdb_statement_may_name_several_models(duckdb: Database):
    shop = Shop.on(duckdb)
    shop.scoring.models.add("other", scoring.OTHER, features=scoring.FEATURES)
    with duckdb.engine.connect() as connection:
        sqlscore.attach(connection)
        which = "CASE id % 9 WHEN 0 THEN 'churn' WHEN 3 THEN 'other' END"
        found = dict(ask(connection, f"SELECT id, predict({which}, age, spend) FROM customers"))
    ids = range(0, 900, 3)
    assert found == {
        **dict.fromkeys(ids),
        **expected(ids[::3]),
        **expected(ids[1::3], scoring.OTHER),
    }


def test_a_duckdb_table_function_gives_every_prediction_in_its_type(duckdb: Database):
    shop = Shop.on(duckdb)
    shop.scoring.models.add("classes", models.lightgbm(2), features=scoring.FEATURES, alias="best")
    shop.score("classes", target="scored", columns=["age", "spend", "city"])
    with duckdb.engine.connect() as connection:
        sqlscore.attach(connection, "classes@best", "churn")
        names = "id, age, spend, city, label, probabilities_0, probabilities_1"
        found = ask(connection, f"SELECT {names} FROM predict_classes('customers') ORDER BY id")
        assert found == ask(connection, f"SELECT {names} FROM scored ORDER BY id")
        query = "SELECT count(*), count(score) FROM predict_churn('customers')"
        assert ask(connection, query) == [(300, 300)]
        query = "WITH few AS (FROM customers WHERE id < 30) SELECT count(*) FROM "
        assert ask(connection, query + "predict_churn('few')") == [(10,)]
    shop.scoring.close()


def test_other_connections_are_refused(postgres: Database, sqlite: Database):
    with (
        postgres.engine.connect() as connection,
        pytest.raises(sqlscore.DatabaseError, match="postgresql takes no functions"),
    ):
        sqlscore.attach(connection)
    Shop.on(sqlite, rows=1)
    with (
        sqlite.engine.connect() as connection,
        pytest.raises(sqlscore.DatabaseError, match="SQLite takes no table functions"),
    ):
        sqlscore.attach(connection, "churn")
    with pytest.raises(sqlscore.DatabaseError, match="a connection of builtins takes no"):
        sqlscore.attach(object())
