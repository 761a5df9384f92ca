"""Bad input that concerns databases: each is refused with a message that says what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore import tables
from sqlscore.errors import DatabaseError, RegistryError, SignatureError, SqlscoreError
from tests.fixtures import models
from tests.fixtures.scoring import (
    COLUMNS,
    WEIGHED,
    Shop,
    asked,
    customers,
    expected,
    features,
    small_ranges,
)

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 60, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=3, batch=2)
    return Shop.on(database, rows=20)


def refused(shop: Shop, kind: type[SqlscoreError], *words: str, **chosen: Any) -> str:
    """The message of a score that is refused before anything is written."""
    before = set(sa.inspect(shop.database.engine).get_table_names())
    with pytest.raises(kind) as error:
        shop.score(**chosen)
    message = str(error.value)
    for word in words:
        assert word in message, message
    after = set(sa.inspect(shop.database.engine).get_table_names())
    made = {n for n in after - before if "sqlscore" not in n}
    assert not made
    return message


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_database_file_that_is_not_there_is_not_made(scheme, tmp_path):
    path = tmp_path / "mistyped.db"
    with sqlscore.connect(f"{scheme}:///{path}") as database:
        assert list(database.models) == []
        assert database.runs() == []
        with pytest.raises(DatabaseError, match=r"no database file .*mistyped\.db"):
            database.score("churn", source="customers", target="predictions")
    assert not path.exists()


def test_no_such_source(shop: Shop):
    refused(
        shop, DatabaseError,
        "there is no table or view 'custmers'. Did you mean 'customers'? Tables here: ",
        source="custmers",
    )  # fmt: skip


def test_a_select_that_is_wrong(shop: Shop):
    message = refused(shop, DatabaseError, "idd", source="SELECT idd FROM customers")
    assert re.match(r"describing .* failed", message)
    refused(shop, DatabaseError, "describing", source="SELECT id FROM customers WHERE", key="id")


def test_a_select_that_names_a_column_twice(shop: Shop):
    source = "SELECT id, age, spend, spend AS id FROM customers"
    message = refused(shop, DatabaseError, "id", source=source, key="id")
    assert "names a column twice: id. Use AS" in message or "Duplicate column name" in message


def test_no_key(shop: Shop):
    refused(
        shop, DatabaseError, "has no primary key that the catalogue knows", "--key id",
        source="SELECT id + 1 AS id, age, spend FROM customers",
    )  # fmt: skip


def test_a_select_that_passes_the_primary_key_on_has_it_too(shop: Shop):
    run = shop.score(source="SELECT spend, age, id AS number FROM customers")
    assert run.rows == len(shop.ask("SELECT DISTINCT number FROM predictions")) > 0


def test_a_key_that_is_not_there(shop: Shop):
    refused(
        shop, DatabaseError,
        "the source 'customers' has no column 'idd'. Did you mean 'id'? It has: id, age",
        key="idd",
    )  # fmt: skip


def test_a_key_with_duplicates_or_nulls(shop: Shop):
    refused(
        shop, DatabaseError,
        "the key (city) of 'customers' does not identify a row: 4 keys are there more than once",
        key="city",
    )  # fmt: skip
    shop.run("UPDATE customers SET city = NULL WHERE id IN (3, 6)")
    message = refused(
        shop, DatabaseError, "the key (city) of 'customers' is NULL in 2 rows", key="city"
    )
    assert "Bern" not in message


def test_a_unique_index_with_nulls_proves_no_key(shop: Shop):
    shop.create("codes", columns={**COLUMNS, "code": pa.int32()})
    shop.run("CREATE UNIQUE INDEX by_code ON codes (code)")
    rows = customers(range(3))
    shop.write(shop.target("codes"), {**rows, "code": pa.array([1, None, None], pa.int32())})
    refused(shop, DatabaseError, "is NULL in 2 rows", source="codes", key="code")


def test_a_missing_feature_column(shop: Shop):
    shop.rename("customers", "spend", "spent")
    refused(
        shop, SignatureError,
        "1 of the model's 2 features have no column", "'spend': no such column.",
        "Did you mean 'spent'?", "The source has: 'id', 'age', 'spent', 'city'",
        "map={feature: column}",
    )  # fmt: skip
    shop.score(map={"spend": "spent"})
    assert shop.found() == expected(IDS)


def test_a_map_that_names_no_feature(shop: Shop):
    refused(
        shop, SignatureError, "map= names 'spnd', which is no feature", "Did you mean 'spend'?",
        map={"spnd": "age"},
    )  # fmt: skip


def test_a_null_policy_that_names_no_feature(shop: Shop):
    refused(shop, SqlscoreError, "'agee'", "Did you mean 'age'?", nulls={"agee": "nan"})


def test_ambiguous_names(postgres: Database):
    shop = Shop.on(postgres, rows=5)
    shop.run('ALTER TABLE customers RENAME age TO "Age"', 'ALTER TABLE customers ADD "AGE" float8')
    refused(
        shop, SignatureError,
        "'age' could be any of the columns 'Age', 'AGE', which differ in case only",
        "map={'age': 'Age'}",
    )  # fmt: skip
    shop.run('CREATE TABLE "Customers" (id bigint PRIMARY KEY)')
    refused(shop, DatabaseError, "'CUSTOMERS' could be any of the tables", source="CUSTOMERS")


def test_a_block_without_names_on_a_table(shop: Shop):
    shop.scoring.models.add("bare", WEIGHED)
    for source in ("customers", "SELECT * FROM customers"):
        refused(
            shop, SignatureError, "takes a block of 2 features and does not name them",
            "features=[…] at load or add", models="bare", source=source, key="id",
        )  # fmt: skip
    refused(
        shop, SignatureError, "exactly 2 columns beside the key, and there are 3",
        models="bare", source="SELECT id, age, spend, city FROM customers", key="id",
    )  # fmt: skip
    shop.score("bare", source="SELECT id, spend, age FROM customers", key="id")
    swapped = asked(WEIGHED, features(list(IDS))[:, ::-1])[:, 0]
    assert list(shop.found().values()) == swapped.tolist()


def test_text_where_a_number_must_be(shop: Shop):
    refused(
        shop, SignatureError, "feature 'age' wants float, and column 'city' is",
        "convert it in a SELECT", map={"age": "city"},
    )  # fmt: skip


def test_a_number_where_text_must_be(shop: Shop):
    shop.scoring.models.add("people", models.one_hot(), drop=["output_label"])
    shop.create("folk", columns={
        "id": pa.int64(), "age": pa.float64(), "spend": pa.float64(), "city": pa.int64(),
        "plan": pa.string(),
    })  # fmt: skip
    refused(
        shop, SignatureError, "feature 'city' wants string, and column 'city' is",
        models="people", source="folk",
    )  # fmt: skip


def test_null_where_it_cannot_go(shop: Shop):
    shop.run("UPDATE customers SET age = NULL WHERE id = 30")
    with pytest.raises(SqlscoreError, match=r"the feature 'age' has 1 NULLs.*\(at id "):
        shop.score(nulls={"age": "error"})
    assert shop.found() == expected(range(0, 27, 3))  # nothing of the range of 30
    shop.score(nulls={"age": "error"}, abandon=True)
    run = shop.score()
    assert run.counts.features["age"].nulls == 1
    assert shop.found() == {**expected(IDS), 30: None}


def test_a_result_without_rows(shop: Shop):
    run = shop.score(source="SELECT id, age, spend FROM customers WHERE id < 0", key="id")
    assert (run.rows, shop.found(), shop.names()) == (0, {}, ["id", "score"])


def test_no_such_model_version_or_alias(shop: Shop):
    refused(shop, RegistryError, "'chrun'", "'churn'", models="chrun")
    refused(shop, RegistryError, "churn", "7", "1", models="churn:7")
    shop.scoring.models.alias("churn", "production", 1)
    refused(shop, RegistryError, "'prod'", "production", models="churn@prod")


def test_a_database_without_models(database: Database):
    database_ = sqlscore.connect(database.engine)
    with pytest.raises(SqlscoreError):
        database_.score("churn", source="customers", target="predictions")
    assert database_.runs() == []
    with pytest.raises(SqlscoreError, match="there is no run 'x'"):
        database_.run("x")


def test_bytes_that_were_tampered_with(shop: Shop):
    parts = tables.owned(schemas=shop.database.product.schemas).model_parts
    with shop.database.engine.begin() as connection:
        whole = connection.scalar(sa.select(parts.c.bytes))
        assert whole is not None
        other = whole.replace(b"score", b"scare")
        connection.execute(sa.update(parts).values(bytes=other))
    refused(shop, RegistryError, "'churn', version 1", "another sha256", "not run")


def test_a_mode_or_provider_that_is_none(shop: Shop):
    with pytest.raises((SqlscoreError, ValueError), match="merge"):
        shop.score(mode="merge")
    refused(shop, SqlscoreError, "cuda", "pip install", provider="cuda")


def test_a_password_is_never_told(database: Database):
    if database.server is None:
        pytest.skip("no password")
    url = sa.make_url(database.url)
    secret = "s3cret/p@ss%word"
    wrong = url.set(password=secret).render_as_string(hide_password=False)
    with sqlscore.connect(wrong) as found:
        assert secret not in found.url
        assert secret not in repr(found)
        with pytest.raises(DatabaseError) as error:
            found.score("churn", source="customers", target="predictions")
    told: BaseException | None = error.value
    while told is not None:
        assert secret not in str(told)
        assert "s3cret" not in str(told)
        told = told.__cause__
    assert re.search(r"password|denied|login failed", str(error.value), re.IGNORECASE)


def test_a_server_that_is_not_there():
    with (
        sqlscore.connect("postgresql://someone:s3cret@127.0.0.1:1/nothing") as found,
        pytest.raises(DatabaseError) as error,
    ):
        found.score("churn", source="customers", target="predictions")
    assert "s3cret" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_lag_and_only_new_where_they_make_no_sense(shop: Shop):
    refused(shop, SqlscoreError, "lag= belongs to incremental=", lag=5)
    refused(
        shop, SqlscoreError, "incremental= needs mode upsert, not replace",
        incremental="age", mode="replace",
    )  # fmt: skip
    refused(
        shop, SqlscoreError, "only_new= needs mode upsert or append, not replace",
        only_new=True, mode="replace",
    )  # fmt: skip
    refused(shop, DatabaseError, "no column 'changed'", incremental="changed")


def test_a_value_that_a_feature_cannot_hold(shop: Shop):
    whole = models.written("g (int32[N,1] age) => (int32[N,1] y) { y = Identity(age) }")
    shop.scoring.models.add("whole", whole)
    message = refused_in_the_middle(shop, SignatureError, models="whole")
    assert "the feature 'age' takes int32, and its column (double) has a value that is none" in (
        message
    )
    assert "(at id " in message
    assert not re.search(r"\d\.\d", message)


def refused_in_the_middle(shop: Shop, kind: type[SqlscoreError], **chosen: Any) -> str:
    with pytest.raises(kind) as error:
        shop.score(**chosen)
    assert error.value.run is not None
    return str(error.value)


def test_infinities_are_counted_and_kept_where_they_can_be(shop: Shop):
    """1e300 overflows to infinity in float32; NaN comes of it, and is NULL where there is none."""
    shop.run("UPDATE customers SET age = 1e300, spend = 1e300 WHERE id = 6")
    run = shop.score()
    assert {n: t.overflows for n, t in run.counts.features.items()} == {"age": 1, "spend": 1}
    assert run.counts.predictions["score"].nans == 1
    score = shop.found()[6]
    assert np.isnan(score) if shop.database.product.nan else score is None
