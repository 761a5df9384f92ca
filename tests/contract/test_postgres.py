"""What is PostgreSQL's own: how it is connected to, which index serves, what messages leave out."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import engine_for
from sqlscore.products.postgres.unit import CopyUnit
from sqlscore.products.product import Write
from sqlscore.transports.dbapi import fall_back
from tests.contract.tables import column_named, create, read, rows_in, select, write
from tests.fixtures.scoring import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

ODD_PASSWORD = "p@ss:w/o%rd? #&=+' \"ü"


@pytest.fixture(autouse=True)
def _said_anew() -> Iterator[None]:
    fall_back.cache_clear()
    yield
    fall_back.cache_clear()


def _run(connection: sa.Connection, statement: str) -> None:
    """As psycopg itself runs it: percent signs are single."""
    driver: Any = connection.connection.driver_connection
    driver.execute(statement)


def _logged_in_as(postgres: Database, name: str) -> sa.URL:
    """A new login with a password of every kind of character, for this server."""
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE IF EXISTS {name}")
        word = ODD_PASSWORD.replace("'", "''")
        _run(connection, f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{word}'")
    return sa.make_url(postgres.url).set(username=name, password=ODD_PASSWORD)


def _dropped(postgres: Database, name: str) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_password_of_every_kind_of_character(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    target = create(postgres, "rows", {"id": pa.int64()})
    write(postgres, target, {"id": [1]})
    url = _logged_in_as(postgres, "odd")
    engine = engine_for(url)
    try:
        query, schema = select(postgres, target)
        with caplog.at_level(logging.WARNING, "sqlscore"):
            batches = list(postgres.product.read(engine, query, schema, batch_rows=10))
        assert [b.num_rows for b in batches] == [1]
        assert not caplog.records  # connectorx read it
    finally:
        engine.dispose()
        _dropped(postgres, "odd")


def test_a_wrong_password_is_told_at_once_and_never_printed(postgres: Database) -> None:
    url = sa.make_url(postgres.url).set(username="nobody_here", password="open sesame")
    engine = engine_for(url)
    began = time.monotonic()
    with pytest.raises(DatabaseError) as failure:
        list(
            postgres.product.read(
                engine, sa.select(sa.literal(1)), pa.schema([("x", pa.int64())]), batch_rows=1
            )
        )
    assert time.monotonic() - began < 10
    assert "sesame" not in str(failure.value)
    with (
        pytest.raises(DatabaseError) as failure,
        postgres.product.unit(engine, None),
    ):
        pass
    assert "sesame" not in str(failure.value)


def test_every_session_is_in_utc_and_named(postgres: Database) -> None:
    names = ("timezone", "application_name", "datestyle", "intervalstyle")
    with postgres.engine.connect() as connection:
        found = connection.execute(sa.select(*(sa.func.current_setting(n) for n in names))).one()
    assert tuple(found) == ("UTC", "sqlscore", "ISO, MDY", "postgres")


def test_a_message_leaves_out_the_contents_of_rows(postgres: Database) -> None:
    target = create(postgres, "secrets", {"name": "varchar(40)"}, key=("name",))
    write(postgres, target, {"name": ["Rumpelstilzchen"]})
    with pytest.raises(DatabaseError) as failure:
        write(postgres, target, {"name": ["Rumpelstilzchen"]})
    assert failure.value.code == "23505"
    assert "secrets_pkey" in str(failure.value)
    assert "Rumpel" not in str(failure.value)
    numbers = create(postgres, "numbers", {"id": pa.int64(), "n": "numeric(4,2)", "u": "uuid"})
    for column, value in (("u", "Rumpelstilzchen"), ("n", "Rumpelstilzchen"), ("n", "1234567")):
        with pytest.raises(DatabaseError) as failure:
            write(postgres, numbers, {"id": [1], column: [value]})
        assert value not in str(failure.value)
        assert str(failure.value.code).startswith("22")


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("text", "n'500"),
        ('text COLLATE "C"', "n'500"),
        ('text COLLATE "und-x-icu"', "n'500"),
        ("varchar(30)", "n'500"),
        ("char(30)", "n500"),
        ("bigint", 500),
        ("smallint", 500),
        ("numeric(12,2)", "500.00"),
        ("uuid", "00000000-0000-0000-0000-000000000500"),
        ("timestamptz", "2024-01-01 00:05:00+00"),
        ("date", "2024-01-05"),
        ("bytea", b"\x01\x02"),
    ],
)
def test_the_keys_own_index_serves_a_bound(postgres: Database, declared: str, value: Any) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE keyed (k {declared} PRIMARY KEY)")
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        columns = postgres.product.describe(connection, sa.Table("keyed", sa.MetaData()))
        bound = postgres.product.literal(value, columns[0])
        source = sa.table("keyed", sa.column("k"))
        query = sa.select(source.c.k).where(source.c.k >= bound, source.c.k < bound)
        text = str(query.compile(postgres.engine, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}").scalars())
    assert re.search(r"Index Cond: \(+k\)?(::text)? >=", plan), plan


def test_text_carried_values_are_refused_not_rounded(postgres: Database) -> None:
    types: dict[str, pa.DataType | str] = {"id": pa.int64(), "b": "bit(3)", "c": "char(3)"}
    target = create(postgres, "narrow", types)
    for column in ("b", "c"):
        for how in Write:
            if how is Write.UPDATE:
                continue
            with pytest.raises(DatabaseError):
                write(postgres, target, {"id": [1], column: ["1010"]}, how)
    assert rows_in(postgres, target) == []


def test_a_pool_that_sets_its_own_search_path_is_followed(postgres: Database) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "other one"')
        connection.exec_driver_sql('CREATE TABLE "other one".t AS SELECT 7::bigint AS id')
        connection.exec_driver_sql("CREATE TABLE public.t AS SELECT 1::bigint AS id")
    engine = engine_for(postgres.url)

    @sa.event.listens_for(engine, "connect")
    def _set(driver: Any, _record: Any) -> None:
        driver.autocommit = True
        driver.execute('SET search_path = "other one", public')
        driver.autocommit = False

    query: sa.Select[Any] = sa.select(sa.column("id")).select_from(sa.table("t"))
    schema = pa.schema([("id", pa.int64())])
    batches = list(postgres.product.read(engine, query, schema, batch_rows=5))
    engine.dispose()
    assert batches[0].to_pydict() == {"id": [7]}


def test_a_role_of_the_engines_own_is_kept_by_reading_over_it(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    target = create(postgres, "rows", {"id": pa.int64(), "s": pa.string()})
    write(postgres, target, {"id": [1, 2], "s": ["", None]})
    engine = engine_for(postgres.url)

    @sa.event.listens_for(engine, "connect")
    def _set(driver: Any, _record: Any) -> None:
        driver.autocommit = True
        driver.execute("SET ROLE pg_read_all_data")
        driver.autocommit = False

    query, schema = select(postgres, target)
    with caplog.at_level(logging.WARNING, "sqlscore"):
        for _ in range(2):
            batches = list(postgres.product.read(engine, query, schema, batch_rows=5))
            assert batches[0].to_pydict() == {"id": [1, 2], "s": ["", None]}
    engine.dispose()
    assert [r.message for r in caplog.records] == [
        "PostgreSQL: reading without connectorx: the engine sets a role of its own"
    ]


def test_a_callers_settings_are_as_before(postgres: Database) -> None:
    target = create(postgres, "times", {"id": pa.int64(), "t": "timestamptz", "i": "interval"})
    write(postgres, target, {"id": [1], "t": ["2024-01-02 03:04:05+00"], "i": ["1 mon -2 days"]})
    with postgres.engine.connect() as connection:
        connection.exec_driver_sql("SET timezone = 'Asia/Tokyo'")
        connection.exec_driver_sql("SET datestyle = 'SQL, DMY'")
        rows = read(postgres, target, connection=connection).to_pylist()
        assert rows == [{"id": 1, "t": "2024-01-02 03:04:05+00", "i": "1 mon -2 days"}]
        assert connection.scalar(sa.func.current_setting("timezone")) == "Asia/Tokyo"
        assert connection.scalar(sa.func.current_setting("datestyle")) == "SQL, DMY"


def test_an_autocommit_connection_can_be_read_over(postgres: Database) -> None:
    target = create(postgres, "rows", {"id": pa.int64()})
    write(postgres, target, {"id": [1]})
    with postgres.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        assert read(postgres, target, connection=connection).num_rows == 1


def test_a_unit_is_a_transaction_on_an_autocommit_engine_too(postgres: Database) -> None:
    target = create(postgres, "rows", {"id": pa.int64()})
    engine = postgres.engine.execution_options(isolation_level="AUTOCOMMIT")
    with postgres.product.unit(engine, None) as unit:
        unit.write(target, [pa.record_batch({"id": [1]})], Write.INSERT)
    assert rows_in(postgres, target) == []


def test_what_a_run_says_of_itself_goes_straight_into_a_new_target(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop.on(postgres)
    monkeypatch.delattr(CopyUnit, "_by_staging")
    assert shop.score(lineage=True).rows == 300


def test_a_stream_that_is_left_is_ended_on_the_server(postgres: Database) -> None:
    query: sa.Select[Any] = sa.select(sa.literal_column("i").label("i")).select_from(
        sa.text("generate_series(1, 100000) i, generate_series(1, 100000) j")
    )
    schema = pa.schema([("i", pa.int64())])
    stream = iter(postgres.product.read(postgres.engine, query, schema, batch_rows=1000))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    busy = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
        "AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 5
    with postgres.engine.connect() as connection:
        while connection.scalar(busy):
            connection.rollback()  # a transaction sees the same activity throughout
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_swap_keeps_grants_comments_and_names(postgres: Database) -> None:
    columns = {"id": pa.int64(), "score": pa.float64()}
    target, staged = (create(postgres, name, columns) for name in ("50% :scores", "staged"))
    write(postgres, staged, {"id": [5], "score": [0.5]})
    with postgres.engine.begin() as connection:
        for statement in (
            'GRANT SELECT ON "50% :scores" TO PUBLIC',
            'GRANT UPDATE (score) ON "50% :scores" TO pg_monitor WITH GRANT OPTION',
            "COMMENT ON TABLE \"50% :scores\" IS 'it''s 100% :fine'",
            "COMMENT ON COLUMN \"50% :scores\".score IS 'a score'",
            'CREATE UNIQUE INDEX "by % :score" ON "50% :scores" (score DESC) WHERE score > 0',
            'ALTER TABLE "50% :scores" ADD CONSTRAINT "pos %" CHECK (id > 0)',
        ):
            _run(connection, statement)
    look = sa.text("""
        SELECT relacl::text, obj_description(c.oid), col_description(c.oid, 2),
               (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid AND attnum = 2),
               (SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY 1) FROM pg_index
                 WHERE indrelid = c.oid),
               (SELECT array_agg(conname || pg_get_constraintdef(oid) ORDER BY 1)
                  FROM pg_constraint WHERE conrelid = c.oid)
          FROM pg_class c WHERE relname = '50% \\:scores'""")
    with postgres.engine.connect() as connection:
        before = connection.execute(look).one()
    with postgres.product.unit(postgres.engine, None) as unit:
        postgres.product.swap(unit, staged.table, target.table)
        unit.commit()
    with postgres.engine.connect() as connection:
        assert connection.execute(look).one() == before
    assert rows_in(postgres, target) == [(5, 0.5)]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE MATERIALIZED VIEW mv AS SELECT * FROM scores", "materialized view mv"),
        ("CREATE PUBLICATION pub FOR TABLE scores", "publication pub"),
        ("CREATE RULE r AS ON DELETE TO scores DO INSTEAD NOTHING", "rule"),
        ("CREATE POLICY p ON scores USING (true)", "policy p"),
        ("CREATE TABLE child () INHERITS (scores)", "inheritance with child"),
        ("CREATE TABLE holder (s scores)", "type used by holder"),
        ("ALTER TABLE scores ADD n int GENERATED ALWAYS AS IDENTITY", "sequence"),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON scores FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger t",
        ),
    ],
)
def test_what_hangs_on_a_table(postgres: Database, statement: str, named: str) -> None:
    target = create(postgres, "scores", {"id": pa.int64(), "score": pa.float64()})
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(statement)
        found = postgres.product.dependents(connection, target.table)
    assert any(named in name for name in found), found


@pytest.mark.parametrize(("kind", "reason"), [("UNLOGGED TABLE", "UNLOGGED"), ("VIEW", "view")])
def test_what_cannot_hold_a_promise(postgres: Database, kind: str, reason: str) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE {kind} odd AS SELECT 1 AS id")
        found = postgres.product.unfit(connection, sa.Table("odd", sa.MetaData()))
    assert reason in str(found)


def test_the_domain_of_a_column_is_described_by_its_base(postgres: Database) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql("CREATE DOMAIN age AS smallint CHECK (value > 0)")
    target = create(postgres, "people", {"id": pa.int64(), "age": "age"})
    column = column_named(target, "age")
    assert (column.type, column.declared) == (pa.int16(), "smallint")
    write(postgres, target, {"id": [1], "age": pa.array([7], pa.int64())})
    with pytest.raises(DatabaseError, match="age"):
        write(postgres, target, {"id": [2], "age": [-1]}, Write.UPSERT)
    assert rows_in(postgres, target) == [(1, 7)]
