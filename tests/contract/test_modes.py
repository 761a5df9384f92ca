"""The four modes: what becomes of the rows that a target has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs import finish
from sqlscore.jobs.status import Status
from sqlscore.relations import sink
from tests.fixtures.scoring import FEATURES, NEWER, Shop, customers, expected, small_ranges

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 300, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch)
    return Shop.on(database, rows=100)


def own_target(shop: Shop, **columns: pa.DataType | str) -> None:
    """A target of the user's own, with a note beside the score, and rows 0, 6 and 1."""
    chosen = {"id": pa.int64(), "note": pa.string(), "score": pa.float32(), **columns}
    rows = {"id": [0, 6, 1], "note": ["a", "b", "c"], "score": pa.array([9, 9, 9], pa.float32())}
    shop.create("predictions", rows, chosen)


def add(shop: Shop, table: str, column: str, type_: pa.DataType) -> None:
    shop.run(f"ALTER TABLE {table} ADD {column} {shop.database.product.declare(type_)}")


def notes(shop: Shop) -> dict[int, str]:
    return dict(shop.ask("SELECT id, note FROM predictions WHERE note IS NOT NULL"))


def test_upsert_keeps_the_other_columns_and_rows(shop: Shop):
    own_target(shop)
    shop.score()
    assert shop.found() == {1: 9.0, **expected(IDS)}
    assert notes(shop) == {0: "a", 6: "b", 1: "c"}


def test_append_adds_rows(shop: Shop):
    shop.create("later", customers([1, 4]))
    shop.score(mode="append")
    shop.score(mode="append", source="later")
    assert shop.found() == expected([*IDS, 1, 4])


def test_append_to_a_key_that_is_there_is_an_error_that_writes_nothing_of_its_range(shop: Shop):
    own_target(shop)
    shop.run("DELETE FROM predictions WHERE id < 6")
    with pytest.raises(DatabaseError, match="upsert") as error:
        shop.score(mode="append")
    assert "'b'" not in str(error.value)
    assert shop.found() == {6: 9.0}
    assert error.value.run.status is Status.FAILED  # type: ignore[attr-defined]
    shop.run("DELETE FROM predictions WHERE id = 6")
    assert shop.score(mode="append").resumed
    assert shop.found() == expected(IDS)


def test_update_fills_columns_of_the_source_itself(shop: Shop):
    shop.run(f"ALTER TABLE customers ADD score {shop.database.product.declare(pa.float32())}")
    run = shop.score(target="customers", mode="update")
    assert (run.rows, shop.found("customers")) == (100, expected(IDS))
    want = customers(IDS)
    assert [r[0] for r in shop.ask("SELECT age FROM customers ORDER BY id")] == want["age"].tolist()


def test_update_wants_the_source_as_its_target(shop: Shop):
    with pytest.raises(DatabaseError, match="the source is 'customers' and the target 'predict"):
        shop.score(mode="update")
    with pytest.raises(DatabaseError, match=r"lacks 'score'.*ALTER TABLE customers ADD score"):
        shop.score(mode="update", target="customers")
    shop.run(f"ALTER TABLE customers ADD score {shop.database.product.declare(pa.float32())}")
    with pytest.raises(SqlscoreError, match="neither columns="):
        shop.score(mode="update", target="customers", columns=["city"])
    with pytest.raises(SqlscoreError, match="incremental= needs mode upsert"):
        shop.score(mode="update", target="customers", incremental="age")


def seen_at_the_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a reader sees when all ranges are written and the target is not yet whole."""
    seen: list[Any] = []

    def look(*given: Any, **chosen: Any) -> Any:
        seen.append(shop.found())
        return take_place(*given, **chosen)

    take_place = finish._take_place
    monkeypatch.setattr(finish, "_take_place", look)
    return seen


def test_replace_shows_the_old_rows_until_the_new_ones_are_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    seen = seen_at_the_end(shop, monkeypatch)
    shop.create("fewer", customers(range(0, 90, 3)))
    shop.score(mode="replace")
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    run = shop.score(mode="replace", source="fewer")
    assert seen == [{}, expected(IDS)]
    assert shop.found() == expected(range(0, 90, 3), NEWER)
    assert (run.rows, run.mode) == (30, "replace")
    assert not [n for n in sa.inspect(shop.database.engine).get_table_names() if "staged" in n]


def test_replace_empties_a_target_whose_source_is_empty(shop: Shop):
    shop.create("nobody")
    shop.score(mode="replace")
    shop.score(mode="replace", source="nobody")
    assert shop.found() == {}


def test_replace_refills_a_table_that_sqlscore_did_not_make(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    own_target(shop)
    seen = seen_at_the_end(shop, monkeypatch)
    shop.score(mode="replace")
    assert seen == [{0: 9.0, 6: 9.0, 1: 9.0}]
    assert shop.found() == expected(IDS)
    assert shop.names() == ["id", "note", "score"]
    assert notes(shop) == {}


def test_replace_keeps_views_that_hang_on_the_target(shop: Shop):
    shop.score(mode="replace")
    shop.run("CREATE VIEW seen AS SELECT id, score FROM predictions")
    shop.run("DELETE FROM customers WHERE id >= 90")
    shop.score(mode="replace")
    assert shop.found() == expected(range(0, 90, 3))
    assert len(shop.ask("SELECT * FROM seen")) == 30
    shop.run("DROP VIEW seen")


def test_replace_of_a_table_that_a_foreign_key_points_to(shop: Shop):
    """Rows that something points to cannot go: an error, and the old rows stay, all of them."""
    shop.score(mode="replace")
    if shop.database.name == "sqlite":
        sa.event.listen(
            shop.database.engine, "connect",
            lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"),
        )  # fmt: skip
        shop.database.engine.dispose()
    number = shop.database.product.declare(pa.int64())
    shop.run(
        f"CREATE TABLE orders (id {number} PRIMARY KEY, customer {number} NOT NULL, "
        "FOREIGN KEY (customer) REFERENCES predictions (id))",
        "INSERT INTO orders VALUES (1, 150)",
        "DELETE FROM customers WHERE id = 150",
    )
    with pytest.raises(DatabaseError, match=r"(?i)foreign key"):
        shop.score(mode="replace")
    assert shop.found() == expected(IDS)
    shop.run("DELETE FROM orders")
    run = shop.score(mode="replace")
    assert run.resumed
    assert shop.found() == expected(i for i in IDS if i != 150)


def indexes(shop: Shop) -> list[str]:
    if shop.database.name == "duckdb":  # whose inspector cannot tell
        return [name for (name,) in shop.ask("SELECT index_name FROM duckdb_indexes()")]
    found = sa.inspect(shop.database.engine).get_indexes("predictions")
    return [index["name"] or "" for index in found]


def test_replace_keeps_indexes(shop: Shop):
    shop.score(mode="replace", columns=["city", "age"])
    shop.run("CREATE INDEX by_age ON predictions (age)")
    before = indexes(shop)
    shop.score(mode="replace", columns=["city", "age"])
    assert indexes(shop) == before == ["by_age"]
    with shop.database.engine.connect() as connection:
        keys = shop.database.product.keys(connection, shop.target().table)
    assert keys.primary == ("id",)


def test_replace_keeps_grants(postgres: Database, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    shop = Shop.on(postgres, rows=100)
    role = f"reader_{postgres.engine.url.database}"
    shop.score(mode="replace")
    shop.run(f"CREATE ROLE {role}", f"GRANT SELECT ON predictions TO {role}")
    try:
        shop.score(mode="replace")
        granted = "SELECT has_table_privilege('{}', 'predictions', '{}')"
        assert shop.ask(granted.format(role, "SELECT")) == [(True,)]
        assert shop.ask(granted.format(role, "INSERT")) == [(False,)]
    finally:
        shop.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_replace_gives_a_table_that_sqlscore_made_other_columns(shop: Shop):
    shop.score(mode="replace", columns=["city"])
    shop.scoring.models.add("churn", NEWER, features=FEATURES, outputs={"rank": "score"})
    shop.score(mode="replace", columns=["age"])
    assert shop.names() == ["id", "age", "rank"]
    assert shop.found("predictions", "rank") == expected(IDS, NEWER)


def test_replace_never_changes_the_columns_of_a_table_that_somebody_else_made(shop: Shop):
    shop.score(mode="replace")
    shop.run("DROP TABLE predictions")
    own_target(shop)
    shop.score(mode="replace")
    assert shop.names() == ["id", "note", "score"]
    assert shop.found() == expected(IDS)


def test_replace_never_drops_a_column_that_somebody_added(shop: Shop):
    shop.score(mode="replace")
    shop.run(f"ALTER TABLE predictions ADD note {shop.database.product.declare(pa.string())}")
    shop.score(mode="replace")
    assert shop.names() == ["id", "score", "note"]
    assert shop.found() == expected(IDS)


def test_replace_after_a_planning_that_failed_takes_no_table_for_its_own(shop: Shop):
    shop.run("INSERT INTO customers SELECT id + 1, age, spend, city FROM customers WHERE id = 0")
    with pytest.raises(DatabaseError, match="more than once"):
        shop.score(mode="replace", key="city")
    own_target(shop)
    shop.score(mode="replace")
    assert shop.names() == ["id", "note", "score"]


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("source", ["customers", "SELECT * FROM customers WHERE id >= 0"])
def test_a_source_is_not_emptied_or_doubled_by_its_own_run(shop: Shop, source: str, mode: str):
    shop.run(f"ALTER TABLE customers ADD score {shop.database.product.declare(pa.float32())}")
    with pytest.raises(DatabaseError, match="mode update"):
        shop.score(source=source, target="customers", mode=mode, key="id")
    assert len(shop.ask("SELECT * FROM customers WHERE age IS NOT NULL")) == 100


def test_a_target_of_other_columns_is_refused_before_anything_is_written(shop: Shop):
    own_target(shop)
    shop.run("ALTER TABLE predictions DROP COLUMN score")
    for mode in ("upsert", "append", "replace"):
        with pytest.raises(DatabaseError) as error:
            shop.score(mode=mode, columns=["city"])
        message = str(error.value)
        assert "the target 'predictions' is there and lacks 'city', 'score'. It has: id, note." in (
            message
        )
        assert "ALTER TABLE predictions ADD" in message
    assert shop.scoring.runs() == []


def test_a_column_of_another_type_is_refused(shop: Shop):
    own_target(shop, score=pa.int64())
    with pytest.raises(DatabaseError, match="column 'score' of the target 'predictions' is"):
        shop.score()
    own = notes(shop)
    assert own == {0: "a", 6: "b", 1: "c"}


def test_a_target_without_a_key_is_refused(shop: Shop):
    types = [shop.database.product.declare(t) for t in (pa.int64(), pa.float32())]
    shop.run(f"CREATE TABLE predictions (id {types[0]}, score {types[1]})")
    for mode in ("upsert", "append"):
        with pytest.raises(DatabaseError, match=r"does not hold \(id\) unique"):
            shop.score(mode=mode)
    shop.score(mode="replace")
    assert shop.found() == expected(IDS)


def test_a_column_of_the_target_may_differ_in_case(shop: Shop):
    product = shop.database.product
    shop.run(
        f"CREATE TABLE predictions ({shop.quoted('ID')} {product.declare(pa.int64())} PRIMARY KEY, "
        f"{shop.quoted('Score')} {product.declare(pa.float32())})"
    )
    for mode in ("upsert", "replace"):
        shop.score(mode=mode)
        assert shop.names() == ["ID", "Score"]
        assert shop.found("predictions", "Score", key=("ID",)) == expected(IDS)


def test_a_table_of_an_engine_without_transactions_is_refused(mariadb: Database):
    shop = Shop.on(mariadb, rows=10)
    shop.run("CREATE TABLE predictions (id BIGINT PRIMARY KEY, score FLOAT) ENGINE = MyISAM")
    with pytest.raises(DatabaseError, match=r"'predictions' cannot be a target: .*MyISAM"):
        shop.score()


def test_a_view_is_no_target(shop: Shop):
    shop.run("CREATE VIEW predictions AS SELECT id, age AS score FROM customers")
    with pytest.raises(DatabaseError, match="'predictions' cannot be a target: it is a view"):
        shop.score()


def test_a_swap_does_not_wait_for_ever_for_readers(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    """A reader of the old rows holds the swap up; what it reads is whole, and nobody queues."""
    if database.name not in ("postgres", "mariadb", "mssql") or not database.locks:
        pytest.skip("readers do not lock a table there")
    monkeypatch.setattr(finish, "_TRIES", 1)
    shop = Shop.on(database, rows=50)
    shop.score(mode="replace")
    held = "predictions WITH (HOLDLOCK)" if database.product.t_sql else "predictions"
    with database.engine.connect() as reader, reader.begin():
        assert reader.exec_driver_sql(f"SELECT count(*) FROM {held}").scalar() == 50
        with pytest.raises(DatabaseError, match="the target still has the old ones"):
            shop.score(mode="replace")
        assert reader.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 50
    run = shop.score(mode="replace")
    assert (run.resumed, run.rows) == (True, 50)
    assert shop.found() == expected(range(0, 150, 3))


def test_place_names_a_table_in_a_schema_whatever_its_name(postgres: Database):
    shop = Shop.on(postgres, rows=10)
    shop.run('CREATE SCHEMA "we.ird"')
    for typed in ('"we.ird"."a.b"', '"we.ird".plain', 'public."c.d"', "public.e"):
        shop.score(target=typed, mode="replace")
        shop.score(target=typed, mode="replace")
        assert shop.ask(f"SELECT count(*) FROM {typed}") == [(10,)]
        place = sink.place(postgres.engine, postgres.product, typed)
        assert sink.existing(postgres.engine, postgres.product, place).table.name in typed
