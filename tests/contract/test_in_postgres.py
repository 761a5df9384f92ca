"""Functions inside PostgreSQL: `sqlscore install`, and what SQL callers can then do, and cannot."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.products import engine_for
from sqlscore.products.postgres.routines import as_a_whole
from tests.fixtures import models, scoring
from tests.fixtures.scoring import Shop, customers, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

pytestmark = pytest.mark.usefixtures("roles")

AS_SCORED = "AS p(id bigint, score real)"


@pytest.fixture
def shop(postgres: Database) -> Shop:
    shop = Shop.on(postgres)
    try:
        found = shop.scoring.install()
    except sqlscore.DatabaseError as reason:
        if "cannot read" in str(reason):
            pytest.skip(str(reason))
        raise
    if "queue" in found and "postgres" not in os.environ.get("SQLSCORE_REQUIRE", ""):
        pytest.skip("this server has no PL/Python")
    assert "queue" not in found
    return shop


def ask(shop: Shop, query: str) -> list[tuple[Any, ...]]:
    return shop.ask(query.replace("%", "%%"))


def predict(query: str, columns: str = "id bigint, score real", model: str = "churn") -> str:
    return f"SELECT * FROM sqlscore.predict('{model}', $q${query}$q$) AS p({columns})"


@contextmanager
def role(shop: Shop, *grants: str) -> Iterator[sa.Connection]:
    """A connection as a new role without rights but these; the superuser's session set to it."""
    name = f"guest_{time.monotonic_ns()}"
    shop.run(f"CREATE ROLE {name}", *(grant.format(name) for grant in grants))
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql(f"SET SESSION AUTHORIZATION {name}")
        connection.commit()
        yield connection
        connection.rollback()
        connection.invalidate()
    shop.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def refused(connection: sa.Connection, query: str, words: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=words):
        connection.exec_driver_sql(query.replace("%", "%%")).all()
    connection.rollback()


def test_rows_of_several_batches_have_onnx_runtimes_predictions(shop: Shop):
    shop.create("many", customers(range(10_000)))
    found = ask(shop, predict("SELECT id, age, spend FROM many"))
    wanted = expected(range(10_000))
    assert {k: np.float32(v) for k, v in found} == {k: np.float32(v) for k, v in wanted.items()}
    # as doubles: the very bits
    doubles = ask(shop, predict("SELECT id, age, spend FROM many", "score float8, id bigint"))
    assert {k: score for score, k in doubles} == wanted


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_keep_their_order_on_one_thread_and_on_several(shop: Shop, workers: int):
    shop.create("many", customers(range(30_000)))
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql(f"SET max_parallel_workers_per_gather = {workers}")
        query = predict("SELECT id, age, spend FROM many ORDER BY id", "id int, score float8")
        found = connection.exec_driver_sql(query).all()
    assert [tuple(row) for row in found] == sorted(expected(range(30_000)).items())


def test_a_single_row_has_what_it_has_among_others(shop: Shop):
    """One row takes a way of its own."""
    shop.run(
        "UPDATE customers SET age = NULL WHERE id = 3", "UPDATE customers SET city = 'a, \"b\"'"
    )
    shop.scoring.models.add("classes", models.lightgbm(2), features=scoring.FEATURES)
    for model, columns in (
        ("churn", "score float8, city text, id int"),
        ("classes", "label int, probabilities_1 float8, probabilities_0 real, id bigint"),
    ):
        together = ask(shop, predict("SELECT * FROM customers WHERE id < 30", columns, model))
        assert len(together) == 10
        for row in together:
            query = f"SELECT * FROM customers WHERE id = {row[-1]}"
            assert ask(shop, predict(query, columns, model)) == [row]


def test_a_call_imports_no_more_than_it_needs(shop: Shop):
    """Each new connection pays for every import."""
    shop.database.engine.dispose()  # so that the next connection is a new one
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql(predict("SELECT id, age, spend FROM customers WHERE id = 3"))
        connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.imported() RETURNS text[] LANGUAGE plpython3u AS "
            "$$ import sys; return list(sys.modules) $$"
        )
        imported = connection.exec_driver_sql("SELECT pg_temp.imported()").scalar_one()
    assert "sqlscore.runtime.plpython" in imported
    slow = {"pandas", "pyarrow", "onnx", "sqlalchemy", "sqlglot", "concurrent.futures"}
    assert not slow & set(imported)


def test_a_version_of_before_runs_as_well_and_install_notes_how(shop: Shop):
    shop.scoring.models.add("classes", models.logistic(2), features=scoring.FEATURES)
    noted = "SELECT name, signature, runs FROM sqlscore.models ORDER BY name"
    queries = [
        predict("TABLE customers"),
        predict(
            "TABLE customers", "id int, output_label bigint, output_probability_1 float8", "classes"
        ),
        "SELECT sqlscore.predict_row('churn', 41, 20.5)",
        "SELECT sqlscore.predict_row('classes', to_jsonb(c)) FROM customers c WHERE id = 3",
    ]
    before, wanted = ask(shop, noted), [ask(shop, query) for query in queries]
    assert all(runs for _, _, runs in before)
    shop.run("UPDATE sqlscore.models SET runs = NULL, signature = '{}'")
    shop.database.engine.dispose()  # a process keeps what it has loaded
    assert [ask(shop, query) for query in queries] == wanted
    shop.scoring.install()
    assert ask(shop, noted) == before


def test_arrays_of_some_thousand_rows_have_what_the_rows_have(shop: Shop):
    shop.create("many", customers(range(9_000)))
    shop.run(
        "UPDATE many SET city = 'a, \"b\" \\ c' WHERE id = 7",
        "UPDATE many SET age = NULL WHERE id = 9",
    )
    shop.run("UPDATE many SET city = NULL WHERE id < 3")
    columns = "id bigint, score float8, city text"
    arrays = "id bigint[], score float8[], city text[]"
    rows = ask(shop, predict("TABLE many", columns))
    call = "sqlscore.predict_batches('churn', 'TABLE many')"
    query = f"SELECT u.* FROM {call} AS p({arrays}), unnest(p.id, p.score, p.city) AS u"
    assert ask(shop, query) == rows
    assert [len(row[0]) for row in ask(shop, f"SELECT * FROM {call} AS p({arrays})")] == [
        4080, 4920,
    ]  # fmt: skip
    few = """sqlscore.predict_batches('churn', 'TABLE many WHERE id < ($1 ->> ''n'')::int',
        '{"n": 0}')"""
    few = few.replace("TABLE many", "SELECT * FROM many")
    assert ask(shop, f"SELECT * FROM {few} AS p(score real[])") == []
    with pytest.raises(sa.exc.DBAPIError, match=r"'scor'.*Did you mean 'score'"):
        ask(shop, f"SELECT * FROM {call} AS p(scor real[])")


def test_a_list_of_values_is_an_array_or_its_text(shop: Shop):
    twice = models.written("g (float[N,2] x) => (float[N,2] y) { y = Add(x, x) }")
    shop.scoring.models.add("twice", twice, features=scoring.FEATURES)
    for where in ("id < 9", "id = 3"):
        source = f"SELECT * FROM customers WHERE {where} ORDER BY id"
        given = ask(
            shop, f"SELECT age::real + age::real, spend::real + spend::real FROM ({source}) AS c"
        )
        found = ask(shop, predict(source, "y real[]", "twice"))
        assert [tuple(values) for (values,) in found] == given
        texts = ask(shop, predict(source, "y text", "twice"))
        assert [tuple(map(np.float32, re.findall(r"[-\d.e]+", text))) for (text,) in texts] == given


def test_columns_are_found_by_name_whatever_they_hold(shop: Shop):
    shop.run("UPDATE customers SET city = NULL WHERE id = 3")
    shop.run("""UPDATE customers SET city = 'a "b", (c) \\ d' WHERE id = 6""")
    shop.run("UPDATE customers SET city = '' WHERE id = 9")
    shop.run("CREATE DOMAIN money_ AS float8", "ALTER TABLE customers ALTER spend TYPE money_")
    query = "SELECT *, now() AS at FROM customers ORDER BY id -- and a comment"
    found = ask(shop, predict(query, "city text, score real, at timestamptz, id int"))
    assert [row[0] for row in found[1:4]] == [None, 'a "b", (c) \\ d', ""]
    assert [row[3] for row in found] == list(range(0, 900, 3))
    capital = 'SELECT *, id AS "Key", id AS "Twin", -id AS "TWIN" FROM customers WHERE id = 9'
    assert ask(shop, predict(capital, 'Key int, SCORE real, "TWIN" int'))[0][::2] == (9, -9)
    with pytest.raises(sa.exc.DBAPIError, match="names 'twin', which is neither"):
        ask(shop, predict(capital, "twin int"))
    table = "SELECT count(*), avg(score) FROM sqlscore.predict('churn', 'customers'::regclass)"
    assert ask(shop, f"{table} {AS_SCORED}")[0][0] == 300
    assert len(ask(shop, predict("customers"))) == 300
    given = """SELECT id FROM sqlscore.predict('churn', '/* of one day */ SELECT * FROM customers
        WHERE id < ($1 ->> ''most'')::int', '{"most": 7}') """
    assert sorted(ask(shop, given + AS_SCORED)) == [(0,), (3,), (6,)]
    assert ask(shop, given.replace("""'{"most": 7}'""", "NULL") + AS_SCORED) == []
    every = given.replace("id <", "true OR id <")
    assert len(ask(shop, every.replace("""'{"most": 7}'""", "NULL") + AS_SCORED)) == 300
    assert ask(shop, every.replace("'churn'", "NULL") + AS_SCORED) == []
    with pytest.raises(sa.exc.DBAPIError, match=r"'DELETE .*' is neither a query \(SELECT"):
        ask(shop, predict("DELETE FROM customers"))
    assert ask(shop, predict("SELECT * FROM customers WHERE false")) == []


def test_text_features_null_and_every_prediction_as_a_run_has_them(shop: Shop):
    rows = models.people(200).to_pydict()
    rows["age"][3] = rows["city"][5] = None
    columns: dict[str, Any] = {"id": "bigint", "age": "float8", "spend": "numeric"}
    shop.create("people", None, {**columns, "city": "text", "plan": "text"})
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO people VALUES (:id, :age, :spend, :city, :plan)"),
            [{"id": i, **{k: rows[k][i] for k in rows}} for i in range(200)],
        )
    shop.scoring.models.add("hot", models.one_hot())
    shop.scoring.models.add("gbm", models.lightgbm(2, missing=True), features=scoring.FEATURES)
    for model, names in (
        ("hot", "output_label, output_probability_0"),
        ("gbm", "label, probabilities_1"),
    ):
        shop.score(model, source="people", target=f"{model}_run")
        typed = ", ".join(f"{n} {'bigint' if 'label' in n else 'real'}" for n in names.split(", "))
        found = ask(shop, predict("TABLE people", f"id bigint, {typed}", model))
        assert sorted(found) == ask(shop, f"SELECT id, {names} FROM {model}_run ORDER BY id")
    assert found[3][1] is not None  # its trees know what a missing value is


def test_single_rows_and_arrays(shop: Shop):
    shop.scoring.models.add("classes", models.lightgbm(2), features=scoring.FEATURES)
    ids = [0, 3, 6]
    scores = list(expected(ids).values())
    where = "FROM customers WHERE id <= 6"
    found = ask(shop, f"SELECT sqlscore.predict_row('churn', age, spend) {where} ORDER BY id")
    assert [row[0] for row in found] == scores
    named = f"SELECT sqlscore.predict_row('churn', VARIADIC ARRAY[age, spend]) {where}"
    assert ask(shop, f"{named} ORDER BY id") == found
    named = "SELECT sqlscore.predict_row('churn', to_jsonb(c)) FROM customers c WHERE id <= 6"
    found = ask(shop, f"{named} ORDER BY id")
    assert [row[0]["score"] for row in found] == scores
    array = "sqlscore.predict_array('churn', array_agg(ARRAY[age, spend] ORDER BY id))"
    assert ask(shop, f"SELECT {array} {where}") == [(scores,)]
    calls = """sqlscore.predict_array('churn', ARRAY[[1, NULL], [1, 2]]),
        sqlscore.predict_array('churn', '{}'), sqlscore.predict_row('churn', 1, NULL),
        sqlscore.predict_row('classes[label]', 1, 2), sqlscore.predict_row(NULL, 1, 2)"""
    (row,) = ask(shop, f"SELECT {calls}")
    assert row[0][0] is None
    assert row[1:] == ([], None, 1.0, None)


WRONG = {
    predict("TABLE customers", "id bigint, scor real"): "'scor'.*Did you mean 'score'",
    predict("TABLE customers", "age float8, score real"): "'age' feeds the model.*age AS age_given",
    predict("TABLE customers", model="churm"): "no model 'churm' that you may use.*'churn'",
    predict("TABLE customers", model="churn:9"): "no model 'churn:9'",
    predict("TABLE customers", model="churn@best"): "no model 'churn@best'",
    predict("SELECT id, age FROM customers"): "'spend': no such column",
    predict("SELECT id, city AS age, spend FROM customers"): "wants float, and column 'age' is",
    predict("SELECT id, now() AS age, spend FROM customers"): "column 'age' is timestamp",
    predict("SELECT id, word AS age, spend FROM customers, words"): "column 'age' is word",
    predict("SELECT id, ARRAY[age] AS age, spend FROM customers"): r"'age' is double precision\[\]",
    predict("SELECT age, spend, id, id FROM customers"): "several columns named 'id'",
    "SELECT sqlscore.predict_row('churn', 1)": "takes 2 values, in this order: age, spend",
    "SELECT sqlscore.predict_array('churn', ARRAY[1, 2, 3])": "takes 2 values",
    "SELECT sqlscore.predict_array('churn', ARRAY[[[1, 2]]])": "an array of 3 dimensions",
    "SELECT sqlscore.predict_row('churn', '[1]'::jsonb)": "no JSON object",
    "CALL sqlscore.score('churn', 'customers', 'x', 'id', 'upsrt')": "Did you mean 'upsert'",
    "CALL sqlscore.score('churn', 'customers', 'x', 'idd')": "no column 'idd'.*'id'",
    "CALL sqlscore.score('churn', 'customers', 'x', NULL)": "the argument key is NULL",
    "CALL sqlscore.score('churn', NULL, 'x', 'id')": "the argument source is NULL",
}


def test_what_is_wrong_is_said(shop: Shop):
    shop.run("CREATE DOMAIN word AS text", "CREATE TABLE words (word word)")
    with shop.database.engine.connect() as connection:
        for query, words in WRONG.items():
            with pytest.raises(sa.exc.DBAPIError) as error:
                connection.exec_driver_sql(query)
            said = " ".join(str(error.value).split())
            assert re.search(words, said), said
            connection.rollback()


def test_a_procedure_scores_a_table_into_a_table(shop: Shop):
    shop.run("CALL sqlscore.score('churn', 'customers', 'scored', 'id')")
    wanted = expected(range(0, 900, 3))
    assert shop.found("scored") == wanted
    shop.run("UPDATE customers SET age = 0 WHERE id = 3", "DELETE FROM customers WHERE id > 6")
    shop.run("CALL sqlscore.score('churn', 'SELECT * FROM customers', 'scored', 'id')")
    changed = shop.found("scored")
    assert len(changed) == 300
    assert changed[3] != wanted[3]
    shop.run("CALL sqlscore.score('churn', 'customers', 'scored', 'id', 'replace')")
    assert sorted(shop.found("scored")) == [0, 3, 6]
    again = "SELECT id, age, spend FROM customers JOIN scored USING (id) WHERE id < 6"
    for _ in range(2):  # the source reads the target's own rows
        shop.run(f"CALL sqlscore.score('churn', '{again}', 'scored', 'id', 'replace')")
        assert shop.found("scored") == {k: changed[k] for k in (0, 3)}
    with pytest.raises(sa.exc.IntegrityError):
        shop.run("CALL sqlscore.score('churn', 'customers', 'scored', 'id', 'append')")
    shop.run("ALTER TABLE customers ADD score real")
    shop.run("CALL sqlscore.score('churn', 'SELECT id, age, spend FROM customers', 'customers', "
             "'id', 'update')")  # fmt: skip
    assert shop.found("customers") == {k: changed[k] for k in (0, 3, 6)}


def test_a_columns_name_that_is_a_predictions_means_the_prediction(shop: Shop):
    shop.run("ALTER TABLE customers ADD score real DEFAULT 7")
    wanted = expected(range(0, 900, 3))
    shop.run("CALL sqlscore.score('churn', 'customers', 'scored', 'id')")
    assert shop.found("scored") == wanted
    both = predict("SELECT *, score AS was FROM customers", "id bigint, score float8, was real")
    assert sorted(ask(shop, both)) == [(key, score, 7) for key, score in wanted.items()]


def test_a_trigger_fills_the_rows_of_a_statement(shop: Shop):
    shop.run("CREATE TABLE live (id text PRIMARY KEY, age float8, spend numeric, risk float8)")
    for name, event in (("inserted", "INSERT"), ("updated", "UPDATE")):
        shop.run(
            f"CREATE TRIGGER {name} AFTER {event} ON live REFERENCING NEW TABLE AS new_rows "
            "FOR EACH STATEMENT EXECUTE FUNCTION sqlscore.fill('churn', 'id', 'risk=score')"
        )
    shop.run("INSERT INTO live SELECT id, age, spend FROM customers")
    wanted = ask(
        shop, predict("SELECT id, age, spend::numeric FROM customers", "id text, score float8")
    )
    assert sorted(ask(shop, "SELECT id, risk FROM live")) == sorted(wanted)
    shop.run("UPDATE live SET age = 1, spend = 2 WHERE id = '3'", "INSERT INTO live VALUES ('x')")
    assert ask(shop, "SELECT risk FROM live WHERE id = '3'") == [(0.5,)]
    assert ask(shop, "SELECT risk FROM live WHERE id = 'x'") == [(None,)]
    with pytest.raises(sqlscore.DatabaseError, match="nothing was taken away") as error:
        shop.scoring.uninstall()
    assert "trigger inserted on table live" in str(error.value)


def test_the_next_statement_has_the_version_that_an_alias_points_to_then(shop: Shop):
    shop.scoring.models.add("churn", scoring.NEWER, features=scoring.FEATURES)
    shop.scoring.models.alias("churn", "best", 1)
    with shop.database.engine.connect() as connection:
        call = f"{_ROW}, sqlscore.predict_row('churn@best', 1, 2)"
        assert connection.exec_driver_sql(call).all() == [(5.0, 0.5)]
        connection.commit()
        shop.scoring.models.alias("churn", "best", 2)
        assert connection.exec_driver_sql(call).all() == [(5.0, 5.0)]
        connection.commit()
        shop.scoring.models.unalias("churn", "best")
        shop.scoring.models.remove("churn:2")
        refused(connection, call, "no model 'churn@best'")


_BLOCK = """
DO $$
DECLARE scores float8[];
BEGIN
    scores := ARRAY[sqlscore.predict_row('churn@best', 1, 2)];
    UPDATE sqlscore.aliases SET version = 2 WHERE alias = 'best';
    scores := scores || sqlscore.predict_row('churn@best', 1, 2);
    COMMIT;
    UPDATE sqlscore.aliases SET version = 1 WHERE alias = 'best';
    COMMIT;
    scores := scores || sqlscore.predict_row('churn@best', 1, 2);
    BEGIN
        UPDATE sqlscore.aliases SET version = 2 WHERE alias = 'best';
        scores := scores || sqlscore.predict_row('churn@best', 1, 2);
        RAISE 'undone';
    EXCEPTION WHEN raise_exception THEN
        scores := scores || sqlscore.predict_row('churn@best', 1, 2);
    END;
    IF scores <> '{0.5, 5, 0.5, 5, 0.5}' THEN RAISE 'scores %%', scores; END IF;
END
$$
"""


def test_statements_of_one_block_each_have_the_version_of_their_time(shop: Shop):
    shop.scoring.models.add("churn", scoring.NEWER, features=scoring.FEATURES)
    shop.scoring.models.alias("churn", "best", 1)
    engine = shop.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(_BLOCK)


CALLER = "GRANT sqlscore_caller TO {}"


_ROW = "SELECT sqlscore.predict_row('churn', 1, 2)"
#: what a caller tries -> a word of the refusal
DENIED = {
    f"SELECT * FROM sqlscore.predict('churn', 'salaries'::regclass) {AS_SCORED}": "salaries",
    predict("TABLE salaries"): "permission denied for table salaries",
    predict("SELECT s.* FROM customers c, salaries s"): "permission denied for table salaries",
    predict("SELECT pg_read_file('/etc/passwd'), 1 AS age, 2 AS spend"): "pg_read_file",
    predict("TABLE sqlscore.models"): "permission denied for table models",
    predict("SELECT * FROM customers) AS q; DROP TABLE customers; --"): "syntax error",
    predict("SELECT * FROM customers) AS q; SELECT * FROM (TABLE customers"): "multi|several",
    "CALL sqlscore.score('churn', 'salaries', 'x', 'id')": "salaries",
    "CALL sqlscore.score('churn', 'customers', 'salaries', 'id')": "salaries",
    "SELECT * FROM sqlscore.model_parts": "permission denied for table model_parts",
    "SELECT sqlscore.grant_model('secret', 'sqlscore_caller')": "denied for function grant_model",
    "INSERT INTO sqlscore.python_folders VALUES (0, '/tmp')": "denied for table python_folders",
    "CREATE FUNCTION sqlscore.x() RETURNS int LANGUAGE sql AS 'SELECT 1'": "schema sqlscore",
}


def test_a_caller_reads_what_it_may_read_and_nothing_else(shop: Shop):
    shop.scoring.models.add("secret", scoring.NEWER, features=scoring.FEATURES)
    shop.run("CREATE TABLE salaries AS SELECT 1 AS id, 2::float8 AS age, 3::float8 AS spend")
    table, row = predict("TABLE customers"), _ROW
    may_read = "GRANT SELECT ON customers TO {}"
    may_use = "SELECT sqlscore.grant_model('churn', '{}')"
    with role(shop, may_read) as connection:
        refused(connection, table, "permission denied for schema sqlscore")
    with role(shop, CALLER, may_read) as connection:
        refused(connection, table, "no model 'churn' that you may use. There is none")
    with role(shop, CALLER, may_use, may_read) as connection:
        assert len(connection.exec_driver_sql(table).all()) == 300
        assert connection.exec_driver_sql(row).all() == [(0.5,)]
        for query, words in DENIED.items():
            refused(connection, query, words)
        for model in ("secret", "secret:1", "secret[score]"):
            refused(connection, predict("TABLE customers", model=model), "that you may use")
            refused(connection, f"SELECT sqlscore.predict_row('{model}', 1, 2)", "that you may use")
            array = f"SELECT sqlscore.predict_array('{model}', ARRAY[1, 2])"
            refused(connection, array, "that you may use")
        seen = connection.exec_driver_sql("SELECT DISTINCT name FROM sqlscore.usable_models").all()
        assert seen == [("churn",)]
        parts = connection.exec_driver_sql(
            "SELECT count(*) FROM sqlscore.usable_parts"
        ).scalar_one()
        assert parts == 1
        connection.commit()
        shop.run("DELETE FROM sqlscore.model_rights")
        refused(connection, row, "that you may use")  # it is loaded, and no right to it is left


def test_an_operator_of_somebody_else_in_the_search_path_does_not_run(shop: Shop):
    shop.scoring.models.alias("churn", "best", 1)
    shop.run(
        "CREATE FUNCTION trap(varchar, text) RETURNS bool LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'the trap runs as %%', current_user; END $$",
        "CREATE OPERATOR = (FUNCTION = trap, LEFTARG = varchar, RIGHTARG = text)",
    )
    with shop.database.engine.connect() as connection:
        refused(connection, "SELECT 'a'::varchar = 'a'::text", "the trap runs as")
    for model in ("churn", "churn:1", "churn@best"):
        assert len(ask(shop, predict("TABLE customers", model=model))) == 300


def test_a_session_that_becomes_another_role_has_that_roles_rights(shop: Shop):
    shop.run("CREATE ROLE somebody", "GRANT sqlscore_caller TO somebody")
    with shop.database.engine.connect() as connection:
        row = "SELECT sqlscore.predict_row('churn', 1, 2)"
        assert connection.exec_driver_sql(row).all() == [(0.5,)]
        connection.exec_driver_sql("SET ROLE somebody")
        connection.commit()
        refused(connection, row, "that you may use")
        connection.invalidate()
    shop.run("DROP ROLE somebody")


def test_a_statement_that_calls_is_not_run_by_several_processes(shop: Shop):
    """PL/Python begins a subtransaction for each question, which none of them may."""
    score = "sqlscore.predict_row('churn', age, spend)"
    joined = predict("TABLE customers").partition("FROM")[2]
    with shop.database.engine.connect() as connection:
        for setting in (
            "max_parallel_workers_per_gather = 2", "parallel_setup_cost = 0",
            "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0",
        ):  # fmt: skip
            connection.exec_driver_sql(f"SET {setting}")
        parallel = connection.exec_driver_sql("EXPLAIN SELECT count(*) FROM customers").all()
        assert "Gather" in str(parallel)
        scores = connection.exec_driver_sql(f"SELECT id, {score} FROM customers").all()
        assert dict(map(tuple, scores)) == expected(range(0, 900, 3))
        query = f"SELECT count(*) FROM customers c JOIN {joined} ON p.id = c.id"
        assert connection.exec_driver_sql(query).all() == [(300,)]
    safe = "SELECT proname FROM pg_proc WHERE pronamespace = 'sqlscore'::regnamespace AND "
    assert ask(shop, f"{safe} proparallel <> 'u' AND proname ~ '^(predict|score|fill)'") == []


def test_two_sessions_score_the_halves_of_one_moment(shop: Shop):
    """The recipe of docs/in_database.md for more cores than one statement keeps busy."""
    shop.create("many", customers(range(2_000)))
    half = "SELECT pg_relation_size('many') / current_setting('block_size')::int / 2"
    middle = ask(shop, half)[0][0]
    plain = shop.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with plain.connect() as one, plain.connect() as other:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ"
        one.exec_driver_sql(begin)
        snapshot = one.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        shop.run("DELETE FROM many WHERE id < 1000")
        other.exec_driver_sql(begin)
        other.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        found: dict[int, float] = {}
        for session, part in ((one, "<"), (other, ">=")):
            query = f"SELECT * FROM many WHERE ctid {part} '({middle},0)'::tid"
            rows = session.exec_driver_sql(predict(query, "id int, score float8")).all()
            assert 0 < len(rows) < 2_000
            found |= dict(map(tuple, rows))
            session.exec_driver_sql("COMMIT")
    assert found == expected(range(2_000))


def test_a_call_stops_when_it_is_told_to(shop: Shop):
    slow = predict("SELECT i AS id, i::float8 AS age, 1.5 AS spend FROM generate_series(1, 3e7) i")
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT sqlscore.predict_row('churn', 1, 2)")
        connection.exec_driver_sql("SET statement_timeout = '300ms'")
        connection.commit()
        began = time.monotonic()
        refused(connection, slow, "statement timeout")
        assert time.monotonic() - began < 3
        assert connection.exec_driver_sql("SELECT sqlscore.predict_row('churn', 1, 2)").all()
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.commit()
        with connection.begin():
            (pid,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
        ends = threading.Timer(0.3, lambda: shop.run(f"SELECT pg_terminate_backend({pid})"))
        ends.start()
        with pytest.raises(sa.exc.DBAPIError, match="terminat"):
            connection.exec_driver_sql(slow.replace("%", "%%"))
        ends.join()
        connection.invalidate()
    assert ask(shop, "SELECT 1") == [(1,)]
    assert_no_crash(shop)


def assert_no_crash(shop: Shop) -> None:
    assert shop.database.server is not None
    assert "was terminated by signal" not in (shop.database.server.folder / "log").read_text()


def test_a_session_that_ends_amid_a_failed_call_ends_in_order(shop: Shop):
    """Threads may still be scoring: ONNX Runtime is not taken down under them."""
    shop.create("many", customers(range(9_000)))
    for _ in range(6):
        with shop.database.engine.connect() as connection:
            refused(connection, predict("TABLE many", "scor real"), "Did you mean 'score'")
            connection.invalidate()
    assert ask(shop, "SELECT 1") == [(1,)]
    assert_no_crash(shop)


def test_install_again_upgrades_and_uninstall_leaves_the_models(shop: Shop):
    found = shop.scoring.install()
    assert found["sqlscore"] == sqlscore.__version__
    assert ask(shop, "SELECT sqlscore.installed_version()") == [(sqlscore.__version__,)]
    shop.run("SELECT sqlscore.grant_model('churn', 'sqlscore_caller')")
    shop.run(
        "CREATE VIEW scores AS " + predict("TABLE customers"),
        "CREATE TRIGGER scored AFTER INSERT ON customers REFERENCING NEW TABLE AS new_rows "
        "EXECUTE FUNCTION sqlscore.fill('churn', 'id', 'score')",
    )
    with pytest.raises(sqlscore.DatabaseError, match="so nothing was taken away") as error:
        shop.scoring.uninstall()
    for depends in ("view scores depends", "trigger scored on table customers depends"):
        assert depends in str(error.value)
    shop.run("DROP VIEW scores", "DROP TRIGGER scored ON customers")
    shop.scoring.uninstall()
    left = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'sqlscore'::regnamespace"
    assert ask(shop, left) == [(0,)]
    assert list(shop.scoring.models) == ["churn"]
    assert ask(shop, scoring.UNUSED_ROLES) == []
    shop.run("CREATE TABLE sqlscore.kept (x int)", "CREATE ROLE keeper")
    shop.run("ALTER TABLE sqlscore.kept OWNER TO keeper")
    with pytest.raises(sqlscore.DatabaseError, match=r"table sqlscore\.kept depends"):
        shop.scoring.uninstall(purge=True)
    assert list(shop.scoring.models) == ["churn"]
    shop.run("DROP TABLE sqlscore.kept", "DROP ROLE keeper")
    shop.scoring.uninstall(purge=True)
    assert ask(shop, "SELECT to_regnamespace('sqlscore')") == [(None,)]


@pytest.mark.parametrize("count", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_many_connections_call_at_once_while_the_model_changes(shop: Shop, count: int):
    shop.create("many", customers(range(20_000)))
    old = ask(shop, predict("TABLE many"))
    shop.scoring.models.add("next", scoring.NEWER, features=scoring.FEATURES)
    new = ask(shop, predict("TABLE many", model="next"))
    found: list[list[Any]] = []

    def call() -> None:
        with shop.database.engine.connect() as connection:
            for _ in range(4):
                found.append(list(connection.exec_driver_sql(predict("TABLE many"))))
                connection.commit()

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(call) for _ in range(count)]
        time.sleep(count / 12)
        shop.scoring.models.add("churn", scoring.NEWER, features=scoring.FEATURES)
        shop.scoring.models.remove("churn:1")
        for one in calls:
            one.result()
    # each statement has one version from its first row to its last
    assert [rows for rows in found if rows not in (old, new)] == []
    assert ask(shop, predict("TABLE many")) == new


@pytest.mark.parametrize("count", [6, pytest.param(200, marks=pytest.mark.soak)])
def test_so_many_new_connections_call_at_once(shop: Shop, count: int):
    """Each has a process of its own in the server, which loads Python and the model."""
    room = int(re.findall(r"MemAvailable: +(\d+)", Path("/proc/meminfo").read_text())[0]) // 60_000
    if room < count:
        pytest.skip(f"{count} processes take 60 MB each, and there is memory for {room}")
    shop.create("many", customers(range(6_000)))
    wanted = sorted(expected(range(6_000)).items())
    engine = sa.create_engine(shop.database.engine.url, poolclass=sa.NullPool)
    all_there = threading.Barrier(count)
    query = predict("SELECT id, age, spend FROM many ORDER BY id", "id int, score float8")

    def call(_: int) -> bool:
        with engine.connect() as connection:
            all_there.wait(300)
            return [tuple(row) for row in connection.exec_driver_sql(query)] == wanted

    with ThreadPoolExecutor(count) as pool:
        assert all(pool.map(call, range(count)))
    assert_no_crash(shop)


def test_what_another_databases_install_was_in_the_way_of_is_done_again(postgres: Database):
    """Roles are the whole server's, so two databases that install at once may deadlock."""
    seen: list[int] = []

    def work(connection: sa.Connection) -> int:
        seen.append(connection.exec_driver_sql("SELECT 1").scalar_one())
        if len(seen) < 3:
            deadlock = "DO $$ BEGIN RAISE 'in the way' USING ERRCODE = '40P01'; END $$"
            connection.exec_driver_sql(deadlock)
        return len(seen)

    assert as_a_whole(postgres.engine, work, "installing") == 3
    with pytest.raises(sqlscore.DatabaseError, match=r"installing failed \(22012\)"):
        as_a_whole(postgres.engine, lambda one: one.exec_driver_sql("SELECT 1 / 0"), "installing")


def test_a_backup_has_functions_models_and_rights(shop: Shop):
    server, url = shop.database.server, shop.database.engine.url
    assert server is not None
    shop.run("SELECT sqlscore.grant_model('churn', 'sqlscore_caller')")
    wanted = ask(shop, predict("TABLE customers"))
    copy = f"{url.database}_copy"
    server.run(f"CREATE DATABASE {copy}")
    try:
        _pipe(
            url,
            ["pg_dump", "-d", str(url.database)],
            ["psql", "-q1", "-v", "ON_ERROR_STOP=1", "-d", copy],
        )
        engine = engine_for(url.set(database=copy))
        with engine.connect() as connection:
            assert connection.exec_driver_sql(predict("TABLE customers")).all() == wanted
            connection.exec_driver_sql("SET ROLE sqlscore_caller")
            assert connection.exec_driver_sql(_ROW).all() == [(0.5,)]
        engine.dispose()
    finally:
        server.drop_database(copy)


def _pipe(url: sa.URL, *programs: list[str]) -> None:
    """Run PostgreSQL's own programs, each on what the one before said."""
    found = [shutil.which("pg_dump"), *glob.glob("/usr/lib/postgresql/*/bin/pg_dump")]
    folder = Path(max(filter(None, found))).parent
    account = {"PGHOST": str(url.host), "PGPORT": str(url.port), "PGUSER": str(url.username)}
    said = b""
    for name, *rest in programs:
        given = [str(folder / name), *rest]
        said = subprocess.run(
            given, input=said, check=True, stdout=subprocess.PIPE,
            env={**os.environ, **account, "PGPASSWORD": str(url.password)},
        ).stdout  # fmt: skip


def test_the_wrong_folder_is_explained(postgres: Database, shop: Shop):
    with pytest.raises(sqlscore.DatabaseError, match="--python-path") as error:
        shop.scoring.install(python_path=["/nowhere"])
    assert "cannot run sqlscore: " in str(error.value)
    assert "pip install sqlscore==" in str(error.value)


def test_other_products_take_no_functions(sqlite: Database):
    with pytest.raises(sqlscore.DatabaseError, match=r"inside SQLite.*sqlscore\.attach"):
        sqlscore.connect(sqlite.engine).install()
