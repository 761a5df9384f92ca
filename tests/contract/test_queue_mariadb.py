"""The queue of MariaDB: procedures by which a caller's session and a worker score rows."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.products import engine_for
from tests.contract.test_queue import autocommitting, working
from tests.fixtures import models, scoring
from tests.fixtures.scoring import Shop, customers, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

pytestmark = pytest.mark.usefixtures("roles")


@pytest.fixture
def shop(mariadb: Database) -> Iterator[Shop]:
    shop = Shop.on(mariadb)
    try:
        assert shop.scoring.install()["queue"]
    except sqlscore.DatabaseError as reason:
        if "MariaDB 10.6" in str(reason):
            pytest.skip(str(reason))
        raise
    yield shop
    shop.scoring.uninstall()


def call(shop: Shop, *statements: str) -> list[tuple[Any, ...]]:
    with autocommitting(shop) as connection:
        for statement in statements:
            rows = connection.exec_driver_sql(statement.replace("%", "%%"))
        return [tuple(row) for row in rows] if rows.returns_rows else []


def predict(query: str, model: str = "churn") -> str:
    return f"CALL sqlscore_predict('{model}', '{query}')"


def test_rows_of_several_parts_have_onnx_runtimes_predictions(shop: Shop):
    shop.create("many", customers(range(10_000)))
    with working(shop, threads=2):
        found = call(shop, predict("SELECT age, id, spend FROM many; "))
        assert len(found[0]) == 4
        wanted = {k: np.float32(v) for k, v in expected(range(10_000)).items()}
        assert {row[1]: np.float32(row[3]) for row in found} == pytest.approx(wanted, rel=1e-5)
        call(shop, "CALL sqlscore_score('churn', 'many', 'scored', 'id')")
        assert shop.found("scored") == wanted  # to the last bit: text shows six digits of a float
        assert call(shop, predict("SELECT * FROM many WHERE false")) == []
    assert shop.ask("SELECT * FROM sqlscore_queue_jobs") == []
    assert shop.ask("SELECT * FROM sqlscore_queue_parts") == []


DOUBLES = (0.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 9007199254740993.0, 1e16, -1.0)
INTEGERS = (0, -1, 2**63 - 1, -(2**63), 2**53 + 1)


def test_every_digit_of_a_number_comes_through(shop: Shop):
    shop.scoring.models.add("doubles", scored_twice("double"), features=["a", "b"])
    shop.scoring.models.add("integers", scored_twice("int64"), features=["a", "b"])
    for name, values, type_ in (("d", DOUBLES, "double"), ("i", INTEGERS, "bigint")):
        rows = {"id": range(len(values)), "a": values, "b": values[::-1]}
        shop.create(name, rows, {"id": "bigint", "a": type_, "b": type_})
    shop.run("INSERT INTO d VALUES (99, NULL, 1)", "INSERT INTO i VALUES (99, NULL, 1)")
    shop.run("CREATE TABLE f AS SELECT 1 AS id, CAST(0.1 AS float) AS a, 1234567.5 AS b")
    with working(shop):
        for model, source in (("doubles", "d"), ("integers", "i"), ("doubles", "f")):
            call(shop, f"CALL sqlscore_score('{model}', '{source}', '{source}_out', 'id')")
        assert call(shop, "SELECT p, q FROM i_out ORDER BY id") == [
            *zip(INTEGERS, INTEGERS[::-1], strict=True), (None, None)
        ]  # fmt: skip
        assert call(shop, "SELECT p, q FROM d_out ORDER BY id") == [
            *zip(DOUBLES, DOUBLES[::-1], strict=True), (None, None)
        ]  # fmt: skip
        assert call(shop, "SELECT p, q FROM f_out") == [(float(np.float32(0.1)), 1234567.5)]


def scored_twice(element: str) -> bytes:
    """A model that gives two columns back as they came."""
    return models.written(
        f"g ({element}[N,2] x) => ({element}[N,1] p, {element}[N,1] q) "
        "<int64[1] first = {0}, int64[1] second = {1}> "
        "{ p = Gather <axis = 1> (x, first) q = Gather <axis = 1> (x, second) }"
    )


def test_text_null_lists_and_every_prediction_as_a_run_has_them(shop: Shop):
    rows = models.people(200).to_pydict()
    rows["age"][3] = rows["city"][5] = None
    types: dict[str, Any] = {"id": "bigint", "age": "double", "spend": "decimal(30,12)"}
    shop.create("people", None, {**types, "city": "varchar(40)", "plan": "text"})
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO people VALUES (:id, :age, :spend, :city, :plan)"),
            [{"id": i, **{k: rows[k][i] for k in rows}} for i in range(200)],
        )
    shop.scoring.models.add("hot", models.one_hot())
    shop.scoring.models.add("pair", models.passing("double"), features=["age", "spend"])
    shop.score("hot", source="people", target="run")
    shop.score("pair", source="people", target="pairs")
    with working(shop):
        call(shop, "CALL sqlscore_score('hot', 'people', 'hot', 'id')")
        call(shop, "CALL sqlscore_score('pair', 'people', 'lists', 'id')")
    names = "id, output_label, output_probability_0, output_probability_1"
    assert call(shop, f"SELECT {names} FROM hot ORDER BY id") == call(
        shop, f"SELECT {names} FROM run ORDER BY id"
    )
    theirs = call(shop, "SELECT id, JSON_COMPACT(y) FROM pairs ORDER BY id")
    assert call(shop, "SELECT id, y FROM lists ORDER BY id") == theirs


def test_a_table_gets_new_rows_and_new_predictions(shop: Shop):
    name = sa.make_url(shop.database.url).database
    with working(shop):
        call(shop, f"CALL sqlscore_score('churn', 'customers', '{name}.scored', ' id ')")
        wanted = expected(range(0, 900, 3))
        shop.run("UPDATE customers SET age = 0 WHERE id = 3", "DELETE FROM scored WHERE id = 6")
        call(shop, "CALL sqlscore_score('churn', 'SELECT * FROM customers', 'scored', 'id')")
        found = shop.found("scored")
        assert found[3] != wanted[3]
        assert {**found, 3: wanted[3]} == {k: np.float32(v) for k, v in wanted.items()}
        call(shop, "CALL sqlscore_score('churn', 'customers', 'in_two', 'id, age')")
        assert shop.ask("SELECT COUNT(DISTINCT id, age) FROM in_two") == [(300,)]


def score(mode: str, source: str = "customers", target: str = "scored", key: str = "id") -> str:
    return f"CALL sqlscore_score_mode('churn', '{source}', '{target}', '{key}', '{mode}')"


def test_every_mode_writes_what_it_says(shop: Shop):
    with working(shop):
        for _ in range(2):
            call(shop, score("replace"))
        wanted = {k: np.float32(v) for k, v in expected(range(0, 900, 3)).items()}
        assert shop.found("scored") == wanted
        with pytest.raises(sa.exc.IntegrityError):
            call(shop, score("append", "SELECT * FROM customers WHERE id >= 0"))
        call(shop, score("append", "SELECT id + 1 AS id, age, spend FROM customers"))
        assert shop.found("scored") == wanted | {k + 1: v for k, v in wanted.items()}
        shop.run("DELETE FROM scored WHERE id > 6", "UPDATE scored SET score = 0")
        call(shop, score("update"))
        few = {k: wanted[k] for k in (0, 3, 6)}
        assert {k: v for k, v in shop.found("scored").items() if k in few} == few
        assert sorted(shop.found("scored")) == [0, 1, 3, 4, 6]
        again = "SELECT c.* FROM customers c JOIN scored USING (id)"
        call(shop, score("replace", again))  # the source reads the target's own rows
        assert shop.found("scored") == few
        shop.run("ALTER TABLE customers ADD score float")
        call(shop, score("update", target="customers"))
        assert shop.found("customers") == wanted


def test_readers_see_the_old_rows_until_the_new_ones_are_whole(shop: Shop):
    """The insert of a replace fails: a key is there twice."""
    with working(shop):
        call(shop, score("upsert"))
        before = shop.found("scored")
        twice = "SELECT * FROM customers UNION ALL SELECT * FROM customers"
        with pytest.raises(sa.exc.IntegrityError):
            call(shop, score("replace", twice))
    assert shop.found("scored") == before
    assert shop.ask("SELECT * FROM sqlscore_queue_jobs") == []


def test_a_job_is_submitted_awaited_and_read(shop: Shop):
    shop.create("many", customers(range(10_000)))
    with shop.database.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")

        def submitted(query: str) -> int:
            connection.exec_driver_sql(f"CALL sqlscore_submit('churn', '{query}', @job)")
            return int(connection.scalar(sa.text("SELECT @job")) or 0)

        many, few = submitted("many"), submitted("SELECT id, age, spend FROM customers")
        with pytest.raises(sa.exc.DBAPIError, match=f"job {few} is not done"):
            connection.exec_driver_sql(f"CALL sqlscore_wait({few}, 0.01)")
        with pytest.raises(sa.exc.DBAPIError, match=f"job {few} is not done"):
            connection.exec_driver_sql(f"CALL sqlscore_result({few})")
        with working(shop):
            for job in (few, many):
                connection.exec_driver_sql(f"CALL sqlscore_wait({job}, NULL)")
        for _ in range(2):
            rows = connection.exec_driver_sql(f"CALL sqlscore_result({few})").all()
            found = {row[0]: np.float32(row[3]) for row in rows}
            assert found == pytest.approx(expected(range(0, 900, 3)), rel=1e-5)
        rows = connection.exec_driver_sql(f"CALL sqlscore_result({many})").all()
        assert [row.id for row in rows] == list(range(10_000))
        with pytest.raises(sa.exc.DBAPIError, match=f"the rows of job {few} are in the session"):
            call(shop, f"CALL sqlscore_result({few})")
        for job in (few, many):
            connection.exec_driver_sql(f"CALL sqlscore_cancel({job})")
        with pytest.raises(sa.exc.DBAPIError, match=f"there is no job {few} of yours"):
            connection.exec_driver_sql(f"CALL sqlscore_result({few})")
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM sqlscore_queue_parts")) == 0


def test_a_job_belongs_to_the_callers_transaction(shop: Shop):
    shop.run("CREATE TABLE note (x int) ENGINE = InnoDB")
    submit = "CALL sqlscore_submit('churn', 'customers', @job)"
    with working(shop), shop.database.engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")
        connection.exec_driver_sql(submit)
        with pytest.raises(sa.exc.DBAPIError, match="must not stand inside an open transaction"):
            connection.exec_driver_sql("CALL sqlscore_wait(@job, 1)")
        with pytest.raises(sa.exc.DBAPIError, match="no model 'churm'"):  # undoes its own alone
            connection.exec_driver_sql(submit.replace("churn", "churm"))
        with pytest.raises(sa.exc.DBAPIError, match="no_such_table"):
            connection.exec_driver_sql(submit.replace("customers", "no_such_table"))
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM note")) == 1
        connection.rollback()
        assert shop.ask("SELECT COUNT(*) FROM note") == [(0,)]
        assert shop.ask("SELECT COUNT(*) FROM sqlscore_queue_jobs") == [(0,)]
        connection.exec_driver_sql("INSERT INTO note VALUES (2)")
        connection.exec_driver_sql(submit)
        assert shop.ask("SELECT COUNT(*) FROM note") == [(0,)]
        connection.commit()
        connection.exec_driver_sql("CALL sqlscore_wait(@job, 60)")
        assert len(connection.exec_driver_sql("CALL sqlscore_result(@job)").all()) == 300
        assert shop.ask("SELECT x FROM note") == [(2,)]


def test_an_open_transaction_is_never_committed_unasked(shop: Shop):
    shop.run("CREATE TABLE note (x int) ENGINE = InnoDB")
    with working(shop), shop.database.engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")
        for statement in (
            predict("customers"), "CALL sqlscore_score('churn', 'customers', 'x', 'id')"
        ):  # fmt: skip
            with pytest.raises(sa.exc.DBAPIError, match="not stand inside an open transaction"):
                connection.exec_driver_sql(statement)
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM note")) == 1
        connection.rollback()
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM note")) == 0
        connection.rollback()
        # autocommit is off here, and nothing is open
        assert len(connection.exec_driver_sql(predict("customers")).all()) == 300


#: what is asked -> the error's words, of the session or of the worker
WRONG = {
    predict("customers", "churm"): "no model 'churm' that you may use. There are: 'churn'",
    predict("customers", "churn:9"): "no model 'churn:9'",
    predict("customers", "churn@best"): "no model 'churn@best'",
    predict("SELECT id, age FROM customers"): "Unknown column 'spend'",
    predict("SELECT id, city AS age, spend FROM customers"): "wants float, and column 'age' is",
    predict("SELECT id, NOW() AS age, spend FROM customers"): "wants float, and column 'age' is",
    predict("SELECT 1) AS q; DROP TABLE customers; --"): "error in your SQL syntax",
    predict("no_such_table"): "no_such_table",
    "CALL sqlscore_score('churn', 'customers', 'x', 'idd')": "idd",
    score("upsrt"): "the mode 'upsrt' is none of upsert, append, update, replace",
    score("update", target="x"): "needs a table, and there is no `x`",
    score("upsert", target="keyless"): "`keyless` has no primary or unique key of exactly `id`",
    score("upsert", target="old"): "`old` is a table of MyISAM, which has no transactions",
    "CALL sqlscore_wait(7777, 1)": "there is no job 7777 of yours",
    "CALL sqlscore_predict('churn', NULL)": "the query is NULL",
    "CALL sqlscore_score('churn', 'customers', NULL, 'id')": "the argument target is NULL",
    "CALL sqlscore_score('churn', 'customers', 'x', NULL)": "the argument key is NULL",
}


def test_what_is_wrong_is_said_and_leaves_nothing(shop: Shop):
    shop.run("CREATE TABLE keyless (id int, score float) ENGINE = InnoDB")
    shop.run("CREATE TABLE old (id int PRIMARY KEY, score float) ENGINE = MyISAM")
    with working(shop), autocommitting(shop) as connection:
        before = connection.scalar(sa.text("SELECT @@group_concat_max_len"))
        for statement, words in WRONG.items():
            with pytest.raises(sa.exc.DBAPIError) as error:
                connection.exec_driver_sql(statement)
            assert re.search(words, str(error.value)), str(error.value)
        assert connection.scalar(sa.text("SELECT @@group_concat_max_len")) == before
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM sqlscore_queue_jobs")) == 0
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM customers")) == 300


@contextmanager
def account(shop: Shop, *grants: str) -> Iterator[sa.Engine]:
    """An engine of a new account that has these rights, and the role that comes first."""
    name, word = f"guest_{secrets.token_hex(4)}", secrets.token_hex(8)
    url = sa.make_url(shop.database.url)
    filled = [g.format(user=f"{name}@localhost", name=name, db=url.database) for g in grants]
    shop.run(f"CREATE USER {name}@localhost IDENTIFIED BY '{word}'", *filled)
    engine = engine_for(url.set(username=name, password=word))
    yield engine
    engine.dispose()
    shop.run(f"DROP USER {name}@localhost")


CALLER = (
    "GRANT sqlscore_caller TO {user}", "SET DEFAULT ROLE sqlscore_caller FOR {user}",
    "GRANT CREATE TEMPORARY TABLES ON {db}.* TO {user}",
)  # fmt: skip
MAY_READ = "GRANT SELECT ON {db}.customers TO {user}"
MAY_USE = "CALL sqlscore_grant_model('churn', '{name}')"

#: what a caller tries -> a word of the refusal
DENIED = {
    predict("salaries"): "denied.*salaries",
    predict("SELECT s.* FROM customers c, salaries s"): "denied.*salaries",
    predict("SELECT 1 AS age, LENGTH(model) AS spend FROM sqlscore_model_rights"): "denied",
    predict("sqlscore_models"): "denied.*sqlscore_models",
    predict("customers", "secret"): "no model 'secret' that you may use",
    "SELECT * FROM sqlscore_model_parts": "denied",
    "SELECT * FROM sqlscore_queue_jobs": "denied",
    "SELECT * FROM sqlscore_queue_parts": "denied",
    "CALL sqlscore_grant_model('secret', 'me')": "denied",
    "CALL sqlscore_score('churn', 'customers', 'salaries', 'id')": "denied.*salaries",
    "CALL sqlscore_score('churn', 'customers', 'new_one', 'id')": "denied.*new_one",
    "INSERT INTO sqlscore_my_parts (job, part, given) VALUES ({job}, 9, '')": "CHECK OPTION",
}  # fmt: skip


def test_a_caller_reads_what_it_may_read_and_nothing_else(shop: Shop):
    shop.scoring.models.add("secret", scoring.NEWER, features=scoring.FEATURES)
    shop.run("CREATE TABLE salaries AS SELECT 1 AS id, 2 AS age, 3 AS spend, 4 AS score")
    shop.run("CALL sqlscore_queue_begin('churn', @job, @features)")
    ((job,),) = shop.ask("SELECT MAX(id) FROM sqlscore_queue_jobs")
    with (
        account(shop, *CALLER, MAY_READ) as engine,
        engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match=r"may use\. There are: none"),
    ):
        connection.exec_driver_sql(predict("customers"))
    with (
        working(shop),
        account(shop, *CALLER, MAY_READ, MAY_USE) as engine,
        engine.connect() as connection,
    ):
        assert len(connection.exec_driver_sql(predict("customers")).all()) == 300
        connection.commit()
        for statement, words in DENIED.items():
            with pytest.raises(sa.exc.DBAPIError) as error:
                connection.exec_driver_sql(statement.replace("{job}", str(job)))
            connection.rollback()
            assert re.search(words, str(error.value)), str(error.value)
        connection.exec_driver_sql(f"CALL sqlscore_cancel({job})")
        connection.exec_driver_sql(
            f"CALL sqlscore_queue_look({job}, @status, @predictions, @error, @attempts)"
        )
        assert connection.scalar(sa.text("SELECT @status")) is None
    assert shop.ask("SELECT id FROM sqlscore_queue_jobs") == [(job,)]  # it is not theirs to end


#: mode -> the rights that it needs on a table that is there
NEEDED = {
    "append": "INSERT", "update": "SELECT, UPDATE", "replace": "INSERT, DELETE",
    "upsert": "SELECT, INSERT, UPDATE",
}  # fmt: skip


def test_each_mode_needs_the_rights_that_the_docs_name(shop: Shop):
    shop.run("CREATE TABLE scored (id int PRIMARY KEY, score float)")
    score = "CALL sqlscore_score_mode('churn', 'customers', 'scored', 'id', '{}')"
    for mode, rights in NEEDED.items():
        needed = f"GRANT {rights} ON {{db}}.scored TO {{user}}"
        with (
            working(shop),
            account(shop, *CALLER, MAY_READ, MAY_USE, needed) as engine,
            engine.connect() as connection,
        ):
            connection.exec_driver_sql(score.format(mode))
        assert shop.found("scored") == expected(range(0, 900, 3))
        shop.run("DELETE FROM scored" if mode == "replace" else "UPDATE scored SET score = 9")


def test_a_workers_account_reads_models_and_jobs_and_nothing_else(shop: Shop):
    with autocommitting(shop) as connection:
        connection.exec_driver_sql("CALL sqlscore_submit('churn', 'customers', @job)")
    grants = ("GRANT sqlscore_worker TO {user}", "SET DEFAULT ROLE sqlscore_worker FOR {user}")
    with account(shop, *grants) as engine, sqlscore.connect(engine) as theirs:
        assert theirs.worker().drain() == 1
        for statement in ("SELECT * FROM customers", "DELETE FROM sqlscore_models"):
            with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="denied"):
                connection.exec_driver_sql(statement)
    assert shop.ask("SELECT status FROM sqlscore_queue_jobs") == [("done",)]


def test_install_again_upgrades_and_uninstall_takes_it_away(shop: Shop):
    shop.scoring.install()
    ours = "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = DATABASE()"
    assert shop.ask(ours)[0][0] > 10
    shop.scoring.uninstall()
    assert shop.ask(ours) == [(0,)]
    assert list(shop.scoring.models) == ["churn"]
    shop.scoring.uninstall(purge=True)
    assert shop.ask("SHOW TABLES") == [("customers",)]
