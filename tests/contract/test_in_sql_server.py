"""The doors of SQL Server: procedures parsed by Microsoft's grammar and run by the tests' endpoint.

The endpoint's T-SQL is DuckDB's with control flow around it; the Python of external scripts, the
HTTP calls and the ODBC driver are the real ones.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import SqlscoreError
from sqlscore.products.mssql.routines import batches
from sqlscore.products.scripts import script
from tests.fixtures import models
from tests.fixtures.scoring import FEATURES, NEWER, Shop, customers, expected
from tests.fixtures.serving import certificate, serving, working
from tests.fixtures.tds import grammar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

IDS = range(0, 90, 3)
KEY = "a key of the tests"
ROWS = "SELECT id, age, spend FROM customers"
SCRIPTS = ("install", "external_script", "rest_endpoint", "queue", "uninstall", "purge")


def kinds() -> Iterator[tuple[str, bytes, dict[str, Any], pa.RecordBatch]]:
    """Models of every kind of input and output, with rows, NULLs among them."""
    rows = models.people(70)
    yield "text", models.one_hot(), {"drop": []}, rows
    numbers = models.batch_of(models.columns(50, 4), list("abcd"))
    missing = numbers.set_column(1, "b", pa.array([None, *numbers["b"].to_pylist()[1:]]))
    yield "missing", models.xgboost(missing=True), {"features": list("abcd")}, missing
    yield "labels", models.logistic(labels=("no", "yes")), {"features": list("abcd")}, missing
    alone = models.written("g (float[1,1] a) => (float[1,1] y) { y = Sin(a) }")
    yield "fixed", alone, {}, missing.select(["a"])
    lists = models.written("g (float[N,1] b) => (float[N,2] y) { y = Concat<axis=1>(b, b) }")
    yield "lists", lists, {"outputs": {"both": "y"}}, missing.select(["b"])
    whole = models.written("g (int64[N,1] n) => (int64[N,1] m) { m = Neg(n) }")
    large = pa.record_batch({"n": pa.array([2**53 + 1, None, -(2**62)], pa.int64())})
    yield "integers", whole, {}, large


KINDS = ("text", "missing", "labels", "fixed", "lists", "integers")


@pytest.fixture(scope="module")
def shop(shared_mssql: Database) -> Shop:
    """The doors are in, with all models prepared."""
    shop = Shop.on(shared_mssql, rows=30)
    for name, model, options, _ in kinds():
        shop.scoring.models.add(name, model, **options)
    image = models.written("g (float[N,2,2] x) => (float[N,2,2] y) { y = Neg(x) }")
    shop.scoring.models.add("image", image)
    found = shop.scoring.install()
    if not shared_mssql.locks:  # the endpoint has all
        assert (found["external_script"], found["rest_endpoint"]) == ("installed", "installed")
    shop.scoring.install(queue=True)
    assert sorted(found["models"]) == sorted(f"{name}:1" for name in ("churn", *KINDS))
    assert "tensor a row" in found["left out"]["image:1"]
    return shop


@pytest.fixture
def own(mssql: Database) -> Shop:
    """The doors are in, for one test alone."""
    shop = Shop.on(mssql, rows=3)
    shop.scoring.install()
    return shop


@pytest.fixture(scope="module")
def endpoint(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `sqlscore serve` over HTTPS, which the server knows."""
    if not has(shop, "predict_rest"):
        yield ""
        return
    folder = tmp_path_factory.mktemp("endpoint")
    with serving(shop.database.url, key=KEY, certificate=certificate(folder)) as address:
        secret = json.dumps({"X-Sqlscore-Key": KEY})
        shop.run(
            f"CREATE DATABASE SCOPED CREDENTIAL [{address}] "
            f"WITH IDENTITY = 'HTTPEndpointHeaders', SECRET = '{secret}'",
            f"EXEC sqlscore.use_endpoint N'{address}/predict', N'{address}'",
        )
        yield address


def has(shop: Shop, door: str) -> bool:
    """Whether a server has a door: a real one may lack Python, and trusts no test's certificate."""
    if not shop.database.locks:
        return True
    return door == "predict" and shop.ask("SELECT OBJECT_ID(N'sqlscore.predict')") != [(None,)]


def predicted(
    shop: Shop, query: str = ROWS, model: str = "churn", more: str = "", door: str = "predict"
) -> list[Any]:
    if not has(shop, door):
        pytest.skip(f"this server has no sqlscore.{door}")
    quoted = query.replace("'", "''")
    return shop.ask(f"EXEC sqlscore.{door} N'{model}', N'{quoted}'{more}")


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("version", ["2017", "2022"])
def test_scripts_are_t_sql(name: str, version: str):
    for batch in batches(script("mssql", name)):
        grammar.parsed(batch, version)


def test_a_query_is_scored_inside_the_server(shop: Shop):
    assert dict(predicted(shop)) == expected(IDS)
    assert dict(predicted(shop, f"{ROWS} WHERE id < 9 -- few")) == expected([0, 3, 6])
    assert predicted(shop, f"{ROWS} WHERE id < 0") == []


def test_rows_come_in_pieces(shop: Shop):
    assert dict(predicted(shop, more=", @rows_per_read = 7, @parallel = 1")) == expected(IDS)


def test_columns_keep_their_types_and_the_caller_may_say_others(shop: Shop):
    found = predicted(shop, "SELECT city, spend, id, age FROM customers WHERE id = 3")
    assert found == [(customers([3])["city"][0], 3, expected([3])[3])]
    (row,) = predicted(
        shop, f"{ROWS} WHERE id = 3",
        more=" WITH RESULT SETS ((customer nvarchar(9), risk decimal(9, 4)))",
    )  # fmt: skip
    assert (row[0], float(row[1])) == ("3", round(expected([3])[3], 4))


def test_versions_and_aliases(own: Shop):
    own.scoring.models.add("churn", NEWER, features=FEATURES)
    own.scoring.models.alias("churn", "production", 1)
    with pytest.raises(sa.exc.DBAPIError, match="Version 2 of churn is not prepared"):
        predicted(own)
    found = own.scoring.install()
    assert (found["models"], found["left out"]) == (["churn:1", "churn:2"], {})
    assert dict(predicted(own)) == expected([0, 3, 6], NEWER)
    for name in ("churn:1", "churn@production"):
        assert dict(predicted(own, model=name)) == expected([0, 3, 6])


@pytest.mark.parametrize(
    ("query", "model", "words"),
    [
        (ROWS, "chrun", "no model chrun that you may use"),
        ("SELECT id, age FROM customers", "churn", r"no column for .* \[spend\]"),
        (
            "SELECT id, age, city AS spend FROM customers",
            "churn",
            r"\(number, not text\)",
        ),
        ("SELECT id, age, spend FROM custmers", "churn", "custmers"),
    ],
)
def test_calls_that_do_not_fit(shop: Shop, query: str, model: str, words: str):
    with pytest.raises(sa.exc.DBAPIError, match=words):
        predicted(shop, query, model)


def submitted(shop: Shop, query: str = ROWS, model: str = "churn") -> int:
    """A new job's number."""
    quoted = query.replace("'", "''")
    with committing(shop) as connection:
        found = connection.exec_driver_sql(
            f"DECLARE @job bigint; EXEC sqlscore.submit @model = N'{model}', @query = N'{quoted}', "
            "@job = @job OUTPUT; SELECT @job AS job"
        )
        return int(found.scalar_one())


def called(shop: Shop, call: str) -> list[Any]:
    """The rows of EXEC, each statement committed by itself."""
    with committing(shop) as connection:
        found = connection.exec_driver_sql(f"EXEC sqlscore.{call}")
        return [tuple(row) for row in found] if found.returns_rows else []


def committing(shop: Shop) -> sa.Connection:
    return shop.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def test_a_query_is_scored_by_a_worker(shop: Shop):
    first, empty = submitted(shop), submitted(shop, f"{ROWS} WHERE id < 0")
    with pytest.raises(sa.exc.DBAPIError, match=r"not done yet\. Does a worker run"):
        called(shop, f"result @job = {first}")
    assert shop.scoring.worker().drain() == 2
    called(shop, f"wait @job = {first}, @seconds = 5")
    assert dict(called(shop, f"result @job = {first}")) == expected(IDS)
    assert called(shop, f"result @job = {empty}") == []
    for job in (first, empty):
        called(shop, f"cancel @job = {job}")
    with pytest.raises(sa.exc.DBAPIError, match="no such job of yours"):
        called(shop, f"wait @job = {first}")


@pytest.mark.parametrize("mode", ["upsert", "update", "replace", "append"])
def test_a_table_is_filled_by_a_worker(shop: Shop, mode: str):
    target = f"scores_{mode}"
    columns = {"id": pa.int64(), "score": pa.float64(), "note": pa.string()}
    before: dict[str, list[Any]] = {"id": [1, 3], "score": [8.0, 9.0], "note": ["other", "kept"]}
    there = {name: values if mode != "append" else values[:1] for name, values in before.items()}
    shop.create(target, there, columns)
    call = f"score N'churn', N'{ROWS}', N'{target}', N'id', N'{mode}', 60"
    with pytest.raises(sa.exc.DBAPIError, match="must not stand inside an open transaction"):
        shop.run(f"EXEC sqlscore.{call}")
    with working(shop.database.url):
        called(shop, call)
    wanted = {1: 8.0, 3: 9.0, **{key: expected(IDS)[key] for key in IDS}}
    if mode == "update":
        wanted = {1: 8.0, 3: wanted[3]}
    if mode == "replace":
        wanted.pop(1)
    found = shop.ask(f"SELECT id, score, note FROM {target}")
    assert {key: score for key, score, _ in found} == wanted
    kept = {"upsert": {1: "other", 3: "kept"}, "update": {1: "other", 3: "kept"},
            "append": {1: "other"}, "replace": {}}  # fmt: skip
    assert {key: note for key, _, note in found if note} == kept[mode]
    assert shop.ask("SELECT id FROM sqlscore.queue_jobs") == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("N'nowhere', N'id'", "There is no such target table"),
        ("N'customers', N'id', N'merge'", "The mode is none of upsert, append, update, replace"),
    ],
)
def test_a_table_that_cannot_be_filled(shop: Shop, more: str, words: str):
    with pytest.raises(sa.exc.DBAPIError, match=words):
        called(shop, f"score N'churn', N'{ROWS}', {more}")


def test_a_worker_that_is_killed_is_followed_by_another(shop: Shop):
    many = "SELECT a.id, a.age, b.spend FROM customers AS a CROSS JOIN customers AS b"
    job = submitted(shop, f"{many} CROSS JOIN customers AS c")
    parts = "SELECT status, attempts FROM sqlscore.queue_parts"
    with working(shop.database.url) as worker:
        wait_for(lambda: any(status == "taken" for status, _ in shop.ask(parts)))
        worker.kill()
    assert shop.scoring.worker().drain() > 0
    assert sorted({status for status, _ in shop.ask(parts)}) == ["done"]
    assert len(called(shop, f"result @job = {job}")) == 27_000
    called(shop, f"cancel @job = {job}")


def test_what_a_worker_cannot_score_is_told_to_the_caller(shop: Shop):
    job = submitted(shop, "SELECT id, age FROM customers")
    assert shop.scoring.worker().drain() == 1
    with pytest.raises(sa.exc.DBAPIError, match="'spend': no such column"):
        called(shop, f"wait @job = {job}")
    for query, model, words in (
        ("SELECT nothing", "churn", "nothing"),
        (ROWS, "chrun", "no model"),
    ):
        with pytest.raises(sa.exc.DBAPIError, match=words):
            submitted(shop, query, model)


@pytest.mark.parametrize("more", ["", ", @batch_rows = 7", ", @most_bytes = 500"])
def test_a_query_is_scored_over_https(shop: Shop, endpoint: str, more: str):
    assert dict(predicted(shop, more=more, door="predict_rest")) == expected(IDS)
    assert predicted(shop, f"{ROWS} WHERE id < 0", door="predict_rest") == []


def test_an_endpoint_that_refuses(shop: Shop, endpoint: str):
    if not endpoint:
        pytest.skip("this server knows no endpoint")
    wrong = json.dumps({"X-Sqlscore-Key": "another key"})
    shop.run(
        f"CREATE DATABASE SCOPED CREDENTIAL [{endpoint}/] "
        f"WITH IDENTITY = 'HTTPEndpointHeaders', SECRET = '{wrong}'",
        f"EXEC sqlscore.use_endpoint N'{endpoint}/predict', N'{endpoint}/'",
    )
    with pytest.raises(sa.exc.DBAPIError, match="The endpoint answered 401: the header"):
        predicted(shop, door="predict_rest")
    shop.run(f"EXEC sqlscore.use_endpoint N'{endpoint}/predict', N'{endpoint}'")


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_models(shop: Shop, endpoint: str, name: str):
    model, options, rows = {one: given for one, *given in kinds()}[name]
    numbers = pa.array(range(len(rows)), pa.int64())
    given = {"key": numbers, **dict(zip(rows.schema.names, rows.columns, strict=True))}
    shop.create(
        f"given_{name}", given, {name: array.type for name, array in given.items()}, ("key",)
    )
    wanted = sqlscore.load(model, **options).predict(rows)
    query = f"SELECT * FROM given_{name}"
    job = submitted(shop, query, name)
    shop.scoring.worker().drain()
    doors = {
        door: predicted(shop, query, name, door=door)
        for door in ("predict", "predict_rest")
        if has(shop, door)
    }
    doors["queue"] = called(shop, f"result @job = {job}")
    for door, rows_ in doors.items():
        found = sorted(rows_)
        assert [row[0] for row in found] == numbers.to_pylist()
        for place, column in enumerate(wanted.columns, 1):
            for value, right in zip((row[place] for row in found), column.to_pylist(), strict=True):
                assert _same(value, right), (door, value, right)


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _same(value: Any, right: Any) -> bool:
    """Equal bits; NaN is NULL, lists are JSON."""
    if isinstance(right, list):
        return bool(json.loads(value) == right)
    if isinstance(right, float) and not np.isfinite(right):
        return value is None
    return bool(value == right)


def test_a_model_with_a_sql_form_is_a_table_function(shop: Shop):
    name = "sqlscore.predict_churn"
    assert shop.scoring.install_model("churn:1", form="function", name=name) == (name,)
    query = "SELECT c.id, p.score FROM customers AS c CROSS APPLY {}(c.age, c.spend) AS p"
    assert dict(shop.ask(query.format(name))) == pytest.approx(expected(IDS), abs=1e-6)


def test_uninstall_takes_it_away_and_leaves_the_models(own: Shop):
    own.run("EXEC sqlscore.grant_model N'churn', N'dbo'")
    own.scoring.install()
    assert own.ask("SELECT model, grantee FROM sqlscore.model_rights") == [("churn", "dbo")]
    own.run("EXEC sqlscore.revoke_model N'churn', N'dbo'")
    own.scoring.uninstall()
    with pytest.raises(sa.exc.DBAPIError, match=r"sqlscore\.predict"):
        predicted(own)
    assert list(own.scoring.models) == ["churn"]
    own.scoring.install()
    own.scoring.uninstall(purge=True)
    assert "models" not in sa.inspect(own.database.engine).get_table_names("sqlscore")


def test_tables_in_another_schema_are_refused(mssql: Database):
    with (
        sqlscore.connect(mssql.engine, schema="ml") as database,
        pytest.raises(SqlscoreError, match="in the schema 'ml' here"),
    ):
        database.install()
