"""The queue of PostgreSQL: sessions submit, wait and read, and a worker scores their rows."""

from __future__ import annotations

import json
import re
import secrets
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.cli import main
from tests.contract.test_in_postgres import CALLER, refused, role
from tests.fixtures import models, scoring
from tests.fixtures.scoring import Shop, customers, expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fixtures.databases import Database

pytestmark = pytest.mark.usefixtures("roles")

MAY_USE = "SELECT sqlscore.grant_model('churn', '{}')"
MAY_READ = "GRANT SELECT ON customers TO {}"


@pytest.fixture
def shop(postgres: Database) -> Iterator[Shop]:
    shop = Shop.on(postgres)
    shop.scoring.install(queue=True)
    yield shop
    shop.scoring.uninstall()


@contextmanager
def working(shop: Shop, threads: int = 1) -> Iterator[None]:
    """A worker in threads of this process."""
    worker = shop.scoring.worker(threads=threads)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(30)
    assert not thread.is_alive()


@contextmanager
def autocommitting(shop: Shop) -> Iterator[sa.Connection]:
    with shop.database.engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def call(shop: Shop, *statements: str) -> list[tuple[Any, ...]]:
    """The last statement's rows; each is a transaction of its own."""
    with autocommitting(shop) as connection:
        for statement in statements:
            rows = connection.exec_driver_sql(statement.replace("%", "%%"))
        return [tuple(row) for row in rows] if rows.returns_rows else []


def submitted(shop: Shop, query: str, model: str = "churn") -> int:
    ((job,),) = call(shop, f"SELECT sqlscore.submit('{model}', $q${query}$q$)")
    return int(job)


def rows_of(job: int, columns: str = "id bigint, score float8") -> str:
    return (
        f"SELECT p.* FROM sqlscore.result({job}) AS part, json_to_recordset(part) AS p({columns})"
    )


def scored(shop: Shop, query: str, columns: str, model: str = "churn") -> list[tuple[Any, ...]]:
    """The result of a query, by a worker that ends with it."""
    job = submitted(shop, query, model)
    shop.scoring.worker().drain()
    return call(shop, rows_of(job, columns))


def test_rows_of_several_parts_have_onnx_runtimes_predictions(shop: Shop):
    shop.create("many", customers(range(10_000)))
    with working(shop, threads=2):
        job = submitted(shop, "SELECT id, age, spend FROM many")
        assert call(shop, f"SELECT sqlscore.wait({job})") == [(True,)]
        assert dict(call(shop, rows_of(job))) == expected(range(10_000))
        assert call(shop, f"SELECT count(*) FROM sqlscore.result({job})") == [(3,)]
        assert call(shop, f"SELECT sqlscore.cancel({job})") == [(True,)]
        assert call(shop, "SELECT count(*) FROM sqlscore.queue_parts") == [(0,)]
        with pytest.raises(sa.exc.DBAPIError, match=f"there is no job {job} of yours"):
            call(shop, rows_of(job))


#: doubles at the edges, and such whose text must have every digit
DOUBLES = (
    0.0, -0.0, 0.1 + 0.2, 1e-310, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"),
    -float("inf"), 9007199254740993.0, 1e16, -1.0,
)  # fmt: skip
INTEGERS = (0, -1, 2**63 - 1, -(2**63), 2**53 + 1)


def test_every_bit_of_a_number_comes_through(shop: Shop):
    add = shop.scoring.models.add
    add("doubles", models.passing("double"), features=["a", "b"])
    add("integers", models.passing("int64"), features=["a", "b"])
    for name, values, type_ in (("d", DOUBLES, "float8"), ("i", INTEGERS, "bigint")):
        rows = {"id": range(len(values)), "a": values, "b": values[::-1]}
        shop.create(name, rows, {"id": "bigint", "a": type_, "b": type_})
    shop.run("INSERT INTO d VALUES (99, NULL, 1)", "INSERT INTO i VALUES (99, NULL, 1)")
    with working(shop):
        call(
            shop,
            "CALL sqlscore.score('doubles', 'd', 'd_out', 'id')",
            "CALL sqlscore.score('integers', 'i', 'i_out', 'id')",
        )
        found = call(shop, "SELECT y[1], y[2] FROM d_out ORDER BY id")
        assert found.pop() == (None, None)
        as_bits = np.array(found, np.float64).view(np.uint64).tolist()
        wanted = np.array(list(zip(DOUBLES, DOUBLES[::-1], strict=True))).view(np.uint64).tolist()
        assert as_bits == wanted
        found = call(shop, "SELECT y[1], y[2] FROM i_out ORDER BY id")
        assert found == [*zip(INTEGERS, INTEGERS[::-1], strict=True), (None, None)]


def test_text_null_every_prediction_and_columns_of_any_type_as_a_run_has_them(shop: Shop):
    rows = models.people(200).to_pydict()
    rows["age"][3] = rows["city"][5] = None
    types: dict[str, Any] = {"id": "bigint", "age": "float8", "spend": "numeric"}
    shop.create("people", None, {**types, "city": "text", "plan": "text"})
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO people VALUES (:id, :age, :spend, :city, :plan)"),
            [{"id": i, **{k: rows[k][i] for k in rows}} for i in range(200)],
        )
    shop.scoring.models.add("hot", models.one_hot())
    shop.score("hot", source="people", target="run")
    query = """SELECT *, '2020-02-29 12:00+00'::timestamptz AS at, ARRAY[1.5, NULL] AS pair,
        '\\x00ff'::bytea AS raw, 'a "b" \\ {c}' AS "said it" FROM people -- and a comment"""
    columns = "id int, output_label bigint, output_probability_0 real"
    found = scored(shop, query, columns, "hot")
    names = "id, output_label, output_probability_0"
    assert sorted(found) == call(shop, f"SELECT {names} FROM run ORDER BY id")
    (job,) = call(shop, "SELECT max(id) FROM sqlscore.queue_jobs")[0]
    carried = 'at timestamptz, pair float8[], raw bytea, "said it" text'
    (first, *_) = call(shop, rows_of(job, carried))
    assert str(first[0]).startswith("2020-02-29 12:00")
    assert first[1:] == ([1.5, None], b"\x00\xff", 'a "b" \\ {c}')


def test_tables_params_no_rows_and_reals(shop: Shop):
    shop.scoring.models.add("doubles", models.passing("double"), features=["a", "b"])
    assert len(scored(shop, "customers", "id int, score real")) == 300
    assert scored(shop, "SELECT * FROM customers WHERE false;", "id int, score real") == []
    real = "SELECT 1 AS id, 0.1::real AS a, 7::numeric AS b"
    assert scored(shop, real, "y float8[]", "doubles") == [([float(np.float32(0.1)), 7.0],)]
    given = """SELECT sqlscore.submit('churn', '/* a day */ SELECT * FROM customers
        WHERE id < ($1 ->> ''most'')::int', '{"most": 7}')"""
    ((job,),) = call(shop, given)
    shop.scoring.worker().drain()
    assert sorted(call(shop, rows_of(job, "id int"))) == [(0,), (3,), (6,)]


def test_a_columns_name_that_is_a_predictions_means_the_prediction(shop: Shop):
    query = "SELECT *, 7 AS score, 8 AS was FROM customers"
    found = scored(shop, query, "id bigint, score float8, was int")
    assert {key: score for key, score, _ in found} == expected(range(0, 900, 3))
    assert {was for _, _, was in found} == {8}


def test_a_procedure_scores_a_table_into_a_table(shop: Shop):
    with working(shop):
        call(shop, "CALL sqlscore.score('churn', 'customers', 'scored', 'id')")
        wanted = expected(range(0, 900, 3))
        assert shop.found("scored") == wanted
        shop.run("UPDATE customers SET age = 0 WHERE id = 3", "DELETE FROM customers WHERE id > 6")
        call(shop, "CALL sqlscore.score('churn', 'SELECT * FROM customers', 'scored', 'id')")
        changed = shop.found("scored")
        assert len(changed) == 300
        assert changed[3] != wanted[3]
        again = "SELECT id, age, spend FROM customers JOIN scored USING (id)"
        call(shop, f"CALL sqlscore.score('churn', '{again}', 'scored', 'id', 'replace')")
        assert shop.found("scored") == {k: changed[k] for k in (0, 3, 6)}
        with pytest.raises(sa.exc.IntegrityError):
            call(shop, "CALL sqlscore.score('churn', 'customers', 'scored', 'id', 'append')")
        shop.run("ALTER TABLE customers ADD score real")
        call(shop, "CALL sqlscore.score('churn', 'customers', 'customers', 'id', 'update')")
        assert shop.found("customers") == {k: changed[k] for k in (0, 3, 6)}
    left = call(shop, "SELECT count(*) FROM sqlscore.queue_jobs")
    assert left == [(1,)]  # of the append, whose result nobody took


def test_a_call_that_is_cancelled_writes_nothing(shop: Shop):
    with shop.database.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET statement_timeout = '200ms'")
        with pytest.raises(sa.exc.DBAPIError, match="statement timeout"):
            connection.exec_driver_sql("CALL sqlscore.score('churn', 'customers', 'never', 'id')")
        connection.invalidate()
    assert shop.scoring.worker().drain() == 1  # its rows are scored, and nobody asks for them
    assert shop.ask("SELECT to_regclass('never')") == [(None,)]


def test_an_open_transaction_is_never_committed_unasked(shop: Shop):
    shop.run("CREATE TABLE note (x int)")
    with working(shop), shop.database.engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")
        with pytest.raises(sa.exc.DBAPIError, match="must not stand inside an open transaction"):
            connection.exec_driver_sql("CALL sqlscore.score('churn', 'customers', 'x', 'id')")
        connection.rollback()
        assert shop.ask("SELECT * FROM note") == []
        waits = "SELECT sqlscore.wait(sqlscore.submit('churn', 'customers'))"
        refused(connection, waits, "submitted in this transaction, which is not committed")
        job = submitted(shop, "TABLE customers")
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        refused(connection, f"SELECT sqlscore.wait({job})", "REPEATABLE READ never sees")
        # in a transaction, and across one
        job = connection.scalar(sa.text("SELECT sqlscore.submit('churn', 'customers')"))
        connection.exec_driver_sql("INSERT INTO note VALUES (2)")
        connection.commit()
        assert connection.scalar(sa.text(f"SELECT sqlscore.wait({job})"))


#: what makes a whole statement of what stands behind a caller's query
_REST = "SELECT * FROM (SELECT FROM (SELECT) AS a LEFT JOIN (SELECT 1"
#: what is submitted -> the error's words, of the session or of the worker
WRONG = {
    ("churm", "customers"): "no model 'churm' that you may use.*'churn'",
    ("churn:9", "customers"): "no model 'churn:9'",
    ("churn@best", "customers"): "no model 'churn@best'",
    ("churn", "SELECT id, age FROM customers"): "'spend': no such column",
    ("churn", "SELECT id, city AS age, spend FROM customers"): "wants float, and column 'age' is",
    ("churn", "SELECT id, now() AS age, spend FROM customers"): "column 'age' is timestamp",
    ("churn", "SELECT age, spend, id, id FROM customers"): "several columns named 'id'",
    ("churn", "SELECT * FROM customers) AS q; DROP TABLE customers; --"): "syntax error",
    ("churn", f"SELECT 1) AS q ON false) AS r; DROP TABLE customers; {_REST}"): "multi-query",
    ("churn", "no_such_table"): 'relation "no_such_table" does not exist',
    ("churn", "SELECT 1/0 AS age, 1 AS spend"): "division by zero",
}


def submitted_and_awaited(connection: sa.Connection, model: str, query: str) -> None:
    submit = sa.text("SELECT sqlscore.submit(:model, :query)")
    job = connection.scalar(submit, {"model": model, "query": query})
    connection.exec_driver_sql(f"SELECT sqlscore.wait({job})")


def test_what_is_wrong_is_said_to_the_caller(shop: Shop):
    with working(shop), autocommitting(shop) as connection:
        for (model, query), words in WRONG.items():
            with pytest.raises(sa.exc.DBAPIError) as error:
                submitted_and_awaited(connection, model, query)
            said = " ".join(str(error.value).split())
            assert re.search(words, said), said
        for arguments, words in (
            ("'customers', 'x', 'id', 'upsrt'", "the mode 'upsrt' is none of upsert"),
            ("'customers', 'x', 'idd'", "no column 'idd' for the key. It has: 'id'"),
            ("'customers', NULL, 'id'", "the argument target is NULL"),
            ("NULL, 'x', 'id'", "the argument source is NULL"),
            ("'customers', 'x', 'id', 'update'", "needs a table, and there is no 'x'"),
            ("'SELECT id FROM customers', 'x', 'id'", "'spend': no such column"),
        ):
            with pytest.raises(sa.exc.DBAPIError, match=re.escape(words)):
                connection.exec_driver_sql(f"CALL sqlscore.score('churn', {arguments})")
        with pytest.raises(sa.exc.DBAPIError, match="the argument model is NULL"):
            connection.exec_driver_sql("SELECT sqlscore.submit(NULL, 'customers')")
        connection.exec_driver_sql("SET extra_float_digits = 0")
        with pytest.raises(sa.exc.DBAPIError, match="would lose digits"):
            connection.exec_driver_sql("SELECT sqlscore.submit('churn', 'customers')")
        connection.exec_driver_sql("RESET extra_float_digits")
    assert len(shop.ask("SELECT * FROM customers")) == 300


def predict(columns: str, query: str = "TABLE customers", model: str = "churn") -> str:
    return f"SELECT * FROM sqlscore.predict('{model}', $q${query}$q$) AS p({columns})"


def test_predict_is_answered_by_the_functions_that_a_model_became(shop: Shop):
    add = shop.scoring.models.add
    add("classes", models.lightgbm(2), features=scoring.FEATURES)
    with shop.database.engine.connect() as connection:
        refused(connection, predict("id int, score real"), "no model runs inside.*churn:1")
        no_query = predict("id int", "DELETE FROM customers")
        refused(connection, no_query, "'DELETE FROM customers' is neither a query")
    for name in ("churn", "classes"):
        shop.scoring.install_model(name, form="function")
    shop.run("CREATE DOMAIN francs AS numeric", "ALTER TABLE customers ALTER spend TYPE francs")
    shop.run("UPDATE customers SET age = NULL WHERE id = 3")
    shop.run("UPDATE customers SET age = 1e300 WHERE id = 6")
    scores = {key: score for score, key in call(shop, predict("score float8, id bigint"))}
    assert (scores.pop(3), scores.pop(6)) == (None, 1.0)
    wanted = {k: v for k, v in expected(range(0, 900, 3)).items() if k not in (3, 6)}
    assert scores == pytest.approx(wanted, rel=1e-6)
    # a 4-byte float of what is too small for one
    tiny = predict("score real", "SELECT -1e4 AS age, 1 AS spend")
    assert call(shop, tiny) == [(0.0,)]
    capital = 'SELECT *, id AS "Key", id AS "Twin", -id AS "TWIN" FROM customers WHERE id = 9'
    assert call(shop, predict('Key int, SCORE real, "TWIN" int', capital))[0][::2] == (9, -9)
    with pytest.raises(sa.exc.DBAPIError, match="names 'twin', which is neither"):
        call(shop, predict("twin int", capital))
    shop.score("classes", target="run", columns=["city"])
    columns = 'city text, label int, id numeric(6, 0), "probabilities_0" real, probabilities_1 real'
    query = 'SELECT *, age AS "Age" FROM customers -- and a comment'
    names = "city, label, id, probabilities_0, probabilities_1"
    found = call(shop, predict(columns, query, "classes"))
    assert sorted(found, key=lambda row: row[2]) == call(
        shop, f"SELECT {names} FROM run ORDER BY id"
    )
    joined = """SELECT count(*), max(abs(a.score - b.s)) FROM
        sqlscore.predict('churn', 'SELECT * FROM customers') AS a (id int, score float8)
        JOIN sqlscore.predict('classes', 'customers') AS b(s float8, id int) USING (id)"""
    with pytest.raises(sa.exc.DBAPIError, match="names 's', which is neither"):
        call(shop, joined)
    assert call(shop, joined.replace("s float8", "probabilities_1 float8").replace("b.s", "0.5"))
    given = """SELECT id FROM sqlscore.predict('churn', 'SELECT * FROM customers
        WHERE id < ($1 ->> ''most'')::int', '{"most": 7}') AS (id int)"""
    assert sorted(call(shop, given)) == [(0,), (3,), (6,)]
    every = given.replace("id <", "true OR id <")
    assert len(call(shop, every.replace("""'{"most": 7}'""", "NULL"))) == 300


def test_predict_reads_its_columns_from_the_statement_that_calls(shop: Shop):
    shop.scoring.install_model("churn", form="function")
    total = expected(range(0, 900, 3))
    shop.run("""CREATE FUNCTION inside(name text) RETURNS float8 LANGUAGE plpgsql AS $$
        BEGIN RETURN (SELECT sum(p.score) FROM sqlscore.predict(name, 'customers')
        AS p(id int, score float8)); END $$""")
    shop.run("""CREATE FUNCTION hidden() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
        SELECT count(*) FROM sqlscore.predict('churn', 'customers') AS p(id int, score real) $$""")
    # the outer statement has a list, too, and it does not count
    outer = "SELECT inside('churn') /* sqlscore.predict('churn', 'customers') AS p(x text) */"
    ((found,),) = call(shop, outer)
    assert found == pytest.approx(sum(total.values()))
    bound = sa.text("SELECT * FROM sqlscore.predict(:m, :q) AS p(score float8, id int)")
    with shop.database.engine.connect() as connection:
        remark = "/* predict('churn', 'customers') AS p(score real FROM secrets) */"
        refused(connection, f"SELECT hidden() {remark}", "does not find them there")
        typed = f"SELECT sqlscore.pushed('', 'churn', 'customers', NULL) {remark}"
        refused(connection, typed, "syntax error at or near|invalid type name")
        rows = connection.execute(bound, {"m": "churn", "q": "SELECT * FROM customers"}).all()
        assert {key: score for score, key in rows} == pytest.approx(total)
        call_ = predict("id int, score real")
        for statement in (
            f"DECLARE c CURSOR FOR {call_}; FETCH c", f"CREATE VIEW seen AS {call_}; TABLE seen",
            f"PREPARE p AS {call_}; EXECUTE p",
        ):  # fmt: skip
            first, then = statement.split("; ")
            connection.exec_driver_sql(first)
            with pytest.raises(sa.exc.DBAPIError, match="does not find them there") as error:
                connection.exec_driver_sql(then)
            assert "public.churn(age, spend)" in str(error.value)
            connection.rollback()


def test_predict_takes_no_columns_for_those_of_a_view_or_function(shop: Shop):
    shop.scoring.install_model("churn", form="function")
    query = "SELECT id, -id AS other, age, spend FROM customers"
    call_ = f"SELECT * FROM sqlscore.predict('churn', '{query}') AS {{}}(id int, other int)"
    other = f"sqlscore.predict('churn', '{query}') AS b(other int, id int)"
    shop.run(
        f"CREATE VIEW seen AS {call_.format('p')}",
        "CREATE VIEW seen_again AS SELECT id, other FROM seen",
        f"CREATE FUNCTION given() RETURNS TABLE (id int, other int) LANGUAGE sql STABLE"
        f" AS $${call_.format('p')}$$",
    )
    assert len(call(shop, f"{call_.format('a')} LIMIT 3")) == 3
    with shop.database.engine.connect() as connection:
        for relation in ("seen", "seen_again", "given()"):
            statement = f"SELECT a.id, a.other FROM {relation} AS a JOIN {other} ON b.id = a.id"
            refused(connection, statement, "does not find them there")
    shop.run("DROP VIEW seen CASCADE", "DROP FUNCTION given()")


#: what AS p(…) says, and the query -> the error's words
WRONG_COLUMNS = {
    ("id int, scor real", "TABLE customers"): "names 'scor', which is neither",
    ("id int, age real", "TABLE customers"): "'age' feeds the model, and its own value is not kept",
    ("id int, score reel", "TABLE customers"): 'type "reel" does not exist',
    ("id int, score text", "SELECT id, age FROM customers"): "feature 'spend' has no column",
    ("score real", "SELECT city AS age, spend FROM customers"): "'age' wants double.*is text",
    ("score real", "SELECT 1 AS age, 2 AS spend; DROP TABLE customers"): "syntax error",
    ("score real", "no_such_table"): 'relation "no_such_table" does not exist',
}


def test_what_is_wrong_with_predict_is_said(shop: Shop):
    shop.scoring.install_model("churn", form="function")
    with shop.database.engine.connect() as connection:
        for (columns, query), words in WRONG_COLUMNS.items():
            with pytest.raises(sa.exc.DBAPIError) as error:
                connection.exec_driver_sql(predict(columns, query))
            connection.rollback()
            said = " ".join(str(error.value).split())
            assert re.search(words, said), said


#: a function of somebody else's that says that it is the model's
FORGED = """CREATE FUNCTION public.forged(age float8, spend float8) RETURNS float8 LANGUAGE sql
AS $$ /* churn:1, sha256 {sha256}, compiled by sqlscore 1.0 for postgres */ /* gives score */
SELECT 7.0 $$"""


def test_predict_has_the_callers_rights_and_no_others_function(shop: Shop):
    sha256 = shop.scoring.models["churn"].sha256
    shop.run("CREATE TABLE salaries AS SELECT 1 AS id, 2::float8 AS age, 3::float8 AS spend")
    rights = (CALLER, MAY_USE, MAY_READ, "GRANT CREATE ON SCHEMA public TO {}")
    query = predict("id int, score float8")
    with role(shop, *rights) as connection:
        connection.exec_driver_sql(FORGED.format(sha256=sha256))
        connection.commit()
        with shop.database.engine.connect() as another:
            refused(another, query, "no model runs inside")
        assert connection.exec_driver_sql(query).all()[0].score == 7  # it is the caller's own
        connection.exec_driver_sql("DROP FUNCTION forged")
        connection.commit()
        shop.scoring.install_model("churn", form="function")
        found = dict(tuple(row) for row in connection.exec_driver_sql(query))
        assert found == pytest.approx(expected(range(0, 900, 3)))
        connection.commit()
        refused(connection, predict("score real", "TABLE salaries"), "denied for table salaries")
        refused(connection, predict("score real", model="secret"), "no model 'secret'")
        shop.run("REVOKE EXECUTE ON FUNCTION churn FROM PUBLIC")
        refused(connection, query, "is no function that you may call")


def test_a_job_keeps_the_version_that_it_began_with(shop: Shop):
    shop.scoring.models.alias("churn", "best", 1)
    old = submitted(shop, "customers", "churn@best")
    shop.scoring.models.add("churn", scoring.NEWER, features=scoring.FEATURES, alias="best")
    new = submitted(shop, "customers", "churn@best")
    gone = submitted(shop, "customers", "churn:1")
    shop.scoring.worker().drain()
    ids = range(0, 900, 3)
    assert dict(call(shop, rows_of(old))) == expected(ids)
    assert dict(call(shop, rows_of(new))) == expected(ids, scoring.NEWER)
    assert dict(call(shop, rows_of(gone))) == expected(ids)
    gone = submitted(shop, "customers", "churn:1")
    shop.scoring.models.remove("churn:1")
    shop.scoring.worker().drain()
    with pytest.raises(sa.exc.DBAPIError, match="version 1"):
        call(shop, f"SELECT sqlscore.wait({gone})")


#: what a caller tries -> a word of the refusal
DENIED = {
    "SELECT sqlscore.submit('churn', 'salaries')": "permission denied for table salaries",
    "SELECT sqlscore.submit('churn', 'SELECT s.* FROM customers c, salaries s')": "salaries",
    "SELECT sqlscore.submit('churn', 'SELECT pg_read_file(''/etc/passwd'')')": "pg_read_file",
    "SELECT sqlscore.submit('churn', 'TABLE sqlscore.models')": "denied for table models",
    "SELECT sqlscore.submit('secret', 'customers')": "no model 'secret' that you may use",
    "SELECT sqlscore.submit('secret:1', 'customers')": "no model 'secret:1' that you may use",
    "SELECT sqlscore.queue_begin('secret', '{a}', '{23}')": "that you may use",
    "SELECT * FROM sqlscore.model_parts": "permission denied for table model_parts",
    "SELECT sqlscore.grant_model('secret', 'sqlscore_caller')": "denied for function grant_model",
    "SELECT * FROM sqlscore.queue_take('me', now()::timestamp)": "denied for function queue_take",
    "SELECT sqlscore.queue_give({job}, 0, 'me', 1, '[]', '[]', '[]', now()::timestamp)":
        "denied for function queue_give",
    "CALL sqlscore.hand_over('{}')": "denied for procedure hand_over",
    "UPDATE sqlscore.queue_jobs SET status = 'done'": "denied for table queue_jobs",
    "UPDATE sqlscore.queue_parts SET given = ''": "denied for table queue_parts",
    "INSERT INTO sqlscore.queue_jobs (model, version, sha256, columns, status) "
    "VALUES ('churn', 1, '', '', 'done')": "denied for table queue_jobs",
    "INSERT INTO sqlscore.queue_jobs (model, version, sha256, columns) "
    "SELECT 'secret', 1, '{sha256}', '[]'": "violates row-level security",
    "INSERT INTO sqlscore.queue_parts (job, part, given) VALUES ({job}, 9, '')":
        "violates row-level security",
    "SELECT * FROM sqlscore.result({job})": "there is no job",
    "SELECT sqlscore.wait({job})": "there is no job",
}  # fmt: skip


def test_a_caller_reads_what_it_may_read_and_nothing_else(shop: Shop):
    secret = shop.scoring.models.add("secret", scoring.NEWER, features=scoring.FEATURES)
    shop.run(
        "CREATE TABLE salaries AS SELECT 1 AS id, 2::float8 AS age, 3::float8 AS spend, 4 AS score"
    )
    job = submitted(shop, "customers")
    with role(shop, MAY_READ) as connection:
        refused(connection, "SELECT sqlscore.submit('churn', 'customers')", "denied for schema")
    with role(shop, CALLER, MAY_READ) as connection:
        refused(connection, "SELECT sqlscore.submit('churn', 'customers')", "may use. There is no")
    with working(shop), role(shop, CALLER, MAY_USE, MAY_READ) as connection:
        mine = connection.scalar(sa.text("SELECT sqlscore.submit('churn', 'customers')"))
        connection.commit()
        assert connection.scalar(sa.text(f"SELECT sqlscore.wait({mine})"))
        assert len(connection.exec_driver_sql(rows_of(mine)).all()) == 300
        connection.commit()
        for query, words in DENIED.items():
            filled = query.replace("{sha256}", secret.sha256).replace("{job}", str(job))
            refused(connection, filled, words)
        seen = connection.exec_driver_sql("SELECT id FROM sqlscore.queue_jobs").all()
        assert seen == [(mine,)]
        assert connection.scalar(sa.text(f"SELECT sqlscore.cancel({job})")) is False
        connection.commit()
        into = "CALL sqlscore.score('churn', 'customers', 'salaries', 'id', 'append')"
        free = connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(sa.exc.DBAPIError, match=r"denied for table public\.salaries"):
            free.exec_driver_sql(into)
        with pytest.raises(sa.exc.DBAPIError, match="denied for schema public"):
            free.exec_driver_sql(into.replace("salaries", "new_one"))


#: mode -> the rights that it needs on a table that is there
NEEDED = {
    "append": ["INSERT"], "update": ["SELECT", "UPDATE"], "replace": ["INSERT", "DELETE"],
    "upsert": ["SELECT", "INSERT", "UPDATE"],
}  # fmt: skip


@pytest.mark.parametrize("mode", NEEDED)
def test_a_right_to_the_target_is_missed_before_anything_is_scored(shop: Shop, mode: str):
    shop.run("CREATE TABLE scored (id int PRIMARY KEY, score float8)")
    into = f"CALL sqlscore.score('churn', 'customers', 'scored', 'id', '{mode}')"
    with working(shop), role(shop, CALLER, MAY_USE, MAY_READ) as connection:
        name = connection.scalar(sa.text("SELECT current_user"))
        connection.commit()
        free = connection.execution_options(isolation_level="AUTOCOMMIT")
        for right in NEEDED[mode]:
            with pytest.raises(sa.exc.DBAPIError, match=f"mode {mode} needs .*{right}") as error:
                free.exec_driver_sql(into)
            assert "queue_target" in str(error.value)
            shop.run(f"GRANT {right} ON scored TO {name}")
        assert shop.ask("SELECT * FROM sqlscore.queue_jobs") == []
        free.exec_driver_sql(into)
    assert len(shop.found("scored")) == (0 if mode == "update" else 300)


#: gives the role back that a SET ROLE took, and reads then
HOSTILE = (
    "SELECT 1 AS id, 2 AS age, 3 AS spend, set_config('role', 'none', false) AS became, "
    "query_to_xml('TABLE salaries', true, false, '')::text AS stolen"
)


def test_set_role_is_no_boundary_and_the_worker_needs_none(shop: Shop):
    shop.run("CREATE TABLE salaries AS SELECT 123456 AS salary")
    with role(shop, CALLER, MAY_USE, MAY_READ) as connection:
        name = connection.scalar(sa.text("SELECT current_user"))
        with shop.database.engine.connect() as naive:  # runs callers' text under their role
            naive.exec_driver_sql(f"SET ROLE {name}")
            refused(naive, "TABLE salaries", "permission denied for table salaries")
            naive.exec_driver_sql(f"SET ROLE {name}")
            assert "123456" in naive.exec_driver_sql(HOSTILE).one().stolen
        hostile = sa.text("SELECT sqlscore.submit('churn', :text)"), {"text": HOSTILE}
        with pytest.raises(sa.exc.DBAPIError, match="permission denied for table salaries"):
            connection.execute(*hostile)
        connection.rollback()
        # where its own rows are hostile, they are data
        harmless = f"SELECT id, age, spend, $x${HOSTILE}$x$ AS said FROM customers WHERE id = 0"
        submit = sa.text("SELECT sqlscore.submit('churn', :text)")
        job = connection.scalar(submit, {"text": harmless})
        connection.commit()
        ran: list[str] = []
        sa.event.listen(
            shop.database.engine, "before_cursor_execute", lambda *said: ran.append(said[2])
        )
        shop.scoring.worker().drain()
        assert ran
        assert [text for text in ran if "salaries" in text or "set_config" in text] == []
        said = connection.exec_driver_sql(rows_of(job, "said text, score float8")).all()
        assert said == [(HOSTILE, expected([0])[0])]


@contextmanager
def login(shop: Shop, *grants: str) -> Iterator[str]:
    """The URL of a new role that may log in, and has these rights."""
    name, word = f"guest_{secrets.token_hex(4)}", secrets.token_hex(8)
    shop.run(f"CREATE ROLE {name} LOGIN PASSWORD '{word}'", *(g.format(name) for g in grants))
    url = sa.make_url(shop.database.url).set(username=name, password=word)
    yield url.render_as_string(hide_password=False)
    shop.run(f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_workers_role_reads_models_and_jobs_and_nothing_else(shop: Shop):
    job = submitted(shop, "customers")
    with login(shop, "GRANT sqlscore_worker TO {}") as url, sqlscore.connect(url) as theirs:
        assert theirs.worker().drain() == 1
        with theirs.engine.connect() as connection:
            refused(connection, "TABLE customers", "permission denied for table customers")
            refused(connection, "DELETE FROM sqlscore.models", "denied for table models")
            refused(connection, "SELECT sqlscore.submit('churn', 'x')", "denied for function")
    assert len(call(shop, rows_of(job))) == 300


def test_who_owns_the_tables_installs_it_without_being_a_superuser(postgres: Database):
    plain = Shop.on(postgres)
    plain.scoring.uninstall(purge=True)
    create = f"GRANT CREATE ON DATABASE {sa.make_url(postgres.url).database} TO {{}}"
    rights = ("ALTER ROLE {} CREATEROLE", create, MAY_READ)
    with login(plain, *rights) as url, sqlscore.connect(url) as theirs:
        theirs.models.add("churn", scoring.WEIGHED, features=scoring.FEATURES)
        for _ in range(2):  # the second time is an upgrade
            found = theirs.install(queue=True)
        assert found["queue"]
        with theirs.engine.connect() as connection:
            job = connection.scalar(sa.text("SELECT sqlscore.submit('churn', 'customers')"))
            connection.commit()
            assert theirs.worker().drain() == 1
            assert len(connection.exec_driver_sql(rows_of(job)).all()) == 300
            connection.commit()
        theirs.uninstall(purge=True)
        assert plain.ask("SELECT to_regnamespace('sqlscore')") == [(None,)]
        assert plain.ask(scoring.UNUSED_ROLES) == []


def test_one_door_at_a_time_and_uninstall_takes_it_away(shop: Shop):
    shop.run("CREATE VIEW waits AS SELECT sqlscore.wait(1)")
    with pytest.raises(sqlscore.DatabaseError, match=r"taken away.*view waits depends"):
        shop.scoring.uninstall()
    shop.run("DROP VIEW waits")
    shop.scoring.uninstall()
    left = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'sqlscore'::regnamespace"
    assert shop.ask(left) == [(0,)]
    assert shop.ask("SELECT to_regclass('sqlscore.queue_jobs')") == [(None,)]
    assert list(shop.scoring.models) == ["churn"]
    shop.run("CREATE TABLE sqlscore.python_folders (number int, folder text)")
    with pytest.raises(sqlscore.DatabaseError, match="functions by PL/Python are installed here"):
        shop.scoring.install(queue=True)
    shop.run("DROP TABLE sqlscore.python_folders")


def test_the_shells_worker_serves_what_the_shell_installed(shop: Shop, capsys: Any):
    assert main(["install", "--queue", "--db", shop.database.url]) == 0
    assert "GRANT sqlscore_worker" in capsys.readouterr().out
    submitted(shop, "customers")
    assert main(["worker", "--drain", "--json", "--db", shop.database.url]) == 0
    assert json.loads(capsys.readouterr().out) == {"parts": 1}
    assert main(["worker", "--drain", "--db", "sqlite:///"]) == 4
    assert "no queue for SQLite" in capsys.readouterr().err


def test_jobs_that_nobody_asks_for_go_after_a_while(shop: Shop):
    kept: Sequence[int] = [submitted(shop, "customers") for _ in range(2)]
    shop.scoring.worker().drain()
    old = "UPDATE sqlscore.queue_jobs SET finished_at = finished_at - interval '25 hours'"
    shop.run(f"{old} WHERE id = {kept[0]}")
    with working(shop):
        job = submitted(shop, "customers")
        call(shop, f"SELECT sqlscore.wait({job})")
    assert shop.ask("SELECT id FROM sqlscore.queue_jobs ORDER BY id") == [(kept[1],), (job,)]
