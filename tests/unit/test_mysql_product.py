"""What is MariaDB's and MySQL's own: literals, warnings, DDL that commits, swaps, streams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import engine_for
from sqlscore.products.product import Target, Write
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database


def _run(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def _target(database: Database, name: str, *key: str) -> Target:
    table = sa.Table(name, sa.MetaData())
    with database.engine.connect() as connection:
        return Target(table=table, columns=database.product.describe(connection, table), key=key)


def _write(database: Database, target: Target, how: Write, **columns: Any) -> None:
    with database.product.unit(database.engine, None) as unit:
        unit.write(target, [pa.record_batch(columns)], how)
        unit.commit()


def _read(
    database: Database, name: str, connection: sa.Connection | None = None, *, where: str = "1"
) -> Iterator[pa.RecordBatch]:
    product = database.product
    with database.engine.connect() as described:
        columns = product.describe(connection or described, sa.Table(name, sa.MetaData()))
    table = sa.table(name, *(sa.column(c.name) for c in columns))
    fields = [(c.name, product.carried(c)) for c in columns]
    query = sa.select(
        *(
            product.project(table.c[c.name], c, type_).label(name)
            for c, (name, type_) in zip(columns, fields, strict=True)
        )
    ).where(sa.text(where))
    return product.read(
        database.engine, query, pa.schema(fields), batch_rows=1000, connection=connection
    )


def test_engines_are_strict_in_utc_and_speak_utf8mb4(mariadb: Database) -> None:
    ((mode, zone, charset),) = _rows(
        mariadb, "SELECT @@sql_mode, @@time_zone, @@character_set_connection"
    )
    assert (zone, charset) == ("+00:00", "utf8mb4")
    assert "STRICT_ALL_TABLES" in mode
    assert engine_for("mariadb://u@h/d").driver == "pymysql"


@pytest.mark.parametrize("over", [False, True])
def test_timestamps_are_utc_whatever_the_servers_zone(
    private_server: Any, over: bool, caplog: pytest.LogCaptureFixture
) -> None:
    database = private_server("mariadb")
    _run(database, "SET GLOBAL time_zone = '+05:00'", "SET GLOBAL sql_mode = 'ANSI_QUOTES'")
    database.engine.dispose()
    _run(database, "CREATE TABLE t (id int, at timestamp NULL, f float)")
    _run(database, "INSERT INTO t VALUES (1, '2024-01-01 10:00:00', 16777217)")
    with database.engine.connect() as connection:
        (batch,) = _read(database, "t", connection if over else None)
    assert batch["at"].to_pylist() == ["2024-01-01 10:00:00"]
    assert batch["f"].to_pylist() == [16777216.0]
    assert "without connectorx" not in caplog.text


@pytest.mark.parametrize("over", [False, True])
def test_bits_and_exact_floats(mariadb: Database, over: bool) -> None:
    _run(mariadb, "CREATE TABLE t (b bit(64), f float, d decimal(30,20))")
    _run(mariadb, "INSERT INTO t VALUES (18446744073709551615, 0.3333333333, 0.1), (b'101', -0, 7)")
    with mariadb.engine.connect() as connection:
        (batch,) = _read(mariadb, "t", connection if over else None)
    assert batch["b"].to_pylist() == [2**64 - 1, 5]
    assert batch["f"].to_pylist()[0] == pa.scalar(0.3333333333, pa.float32()).as_py()
    assert batch["d"].to_pylist() == ["0.10000000000000000000", "7.00000000000000000000"]


def test_a_given_connection_reads_its_temporary_tables(mariadb: Database) -> None:
    with mariadb.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE mine (id int)")
        connection.exec_driver_sql("INSERT INTO mine VALUES (1), (2)")
        batches = list(_read(mariadb, "mine", connection))
    assert pa.Table.from_batches(batches)["id"].to_pylist() == [1, 2]


@pytest.mark.parametrize("over", [False, True])
def test_closing_early_ends_the_servers_work(mariadb: Database, over: bool) -> None:
    _run(mariadb, "CREATE TABLE t AS SELECT seq AS id, repeat('x', 100) AS s FROM seq_1_to_3000")
    query = "SELECT a.id AS id, b.s AS s FROM t a JOIN t b JOIN t c"
    table = sa.text(query).columns(sa.column("id"), sa.column("s")).subquery("q")
    schema = pa.schema([("id", pa.int64()), ("s", pa.string())])
    with mariadb.engine.connect() as connection:
        rows = mariadb.product.read(
            mariadb.engine,
            sa.select(table.c.id, table.c.s),
            schema,
            batch_rows=1000,
            connection=connection if over else None,
        )
        assert next(rows).num_rows == 1000
        rows.close()  # type: ignore[attr-defined]  # it is a generator
        assert connection.scalar(sa.text("SELECT 1")) == 1
    busy = "SELECT info FROM information_schema.processlist WHERE info LIKE '%%JOIN t c%%'"
    assert [r for r in _rows(mariadb, busy) if "processlist" not in r[0]] == []


@pytest.mark.parametrize("over", [False, True])
def test_an_error_in_the_middle_of_a_stream_is_raised(mariadb: Database, over: bool) -> None:
    _run(mariadb, "CREATE TABLE t AS SELECT seq AS id FROM seq_1_to_20000")
    where = "id < 15000 OR id = (SELECT 1 UNION SELECT id)"
    with mariadb.engine.connect() as connection:
        rows = _read(mariadb, "t", connection if over else None, where=where)
        with pytest.raises(DatabaseError, match="more than 1 row") as failure:
            list(rows)
    assert failure.value.code == "1242"


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("decimal(10,2)", "1.239"),
        ("varchar(3)", "abc   "),
        ("date", "2024-02-28 12:00:00"),
        ("date", "2024-02-30"),
        ("datetime", "2024-02-28 12:00:00.5"),
        ("time(3)", "12:00:00.0005"),
        ("int unsigned", -1),
        ("float", 1e39),
        ("double", math.nan),
        ("double", math.inf),
        ("enum('a','b')", "c"),
        ("uuid", "no uuid"),
        ("varchar(9) character set latin1", "🐎"),
    ],
)
@pytest.mark.parametrize("how", list(Write))
@pytest.mark.parametrize("lax", [False, True])
def test_no_value_is_cut_or_replaced_in_any_mode(
    mariadb: Database, declared: str, value: object, how: Write, lax: bool
) -> None:
    _run(mariadb, f"CREATE TABLE t (id int PRIMARY KEY, v {declared})")
    if how is not Write.INSERT:
        _run(mariadb, "INSERT INTO t (id) VALUES (1)")
    target = _target(mariadb, "t", "id")
    with mariadb.engine.connect() as connection:
        if lax:
            connection.exec_driver_sql("SET SESSION sql_mode = ''")
        unit = mariadb.product.unit(mariadb.engine, connection)
        with pytest.raises(DatabaseError) as failure, unit:
            unit.write(target, [pa.record_batch({"id": [1], "v": [value]})], how)
    assert f"'{value}'" not in str(failure.value)
    assert _rows(mariadb, "SELECT count(v) FROM t") == [(0,)]


def test_what_fits_is_written_with_its_fraction(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY, a datetime, b time(3), c date)")
    values = {"a": ["2024-02-28 12:00:00.000"], "b": ["12:00:00.123000"], "c": ["0000-00-00"]}
    _write(mariadb, _target(mariadb, "t", "id"), Write.INSERT, id=[1], **values)
    found = _rows(mariadb, "SELECT cast(a AS char), cast(b AS char), cast(c AS char) FROM t")
    assert found == [("2024-02-28 12:00:00", "12:00:00.123", "0000-00-00")]


def test_an_upsert_goes_by_its_key_and_no_other(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY, email varchar(9) UNIQUE, score double)")
    _run(mariadb, "INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0)")
    target = _target(mariadb, "t", "id")
    with pytest.raises(DatabaseError, match="1062"):
        # the row of another id has this email: it is not the one to change
        _write(mariadb, target, Write.UPSERT, id=[3], email=["a"], score=[9.0])
    assert _rows(mariadb, "SELECT * FROM t ORDER BY id") == [(1, "a", 0.0), (2, "b", 0.0)]
    _write(mariadb, target, Write.UPSERT, id=[2, 3], email=["c", "d"], score=[1.0, 2.0])
    assert _rows(mariadb, "SELECT * FROM t ORDER BY id")[1:] == [(2, "c", 1.0), (3, "d", 2.0)]


def test_rows_longer_than_a_packet(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY, v longtext)")
    target = _target(mariadb, "t", "id")
    _write(mariadb, target, Write.INSERT, id=list(range(9)), v=["x" * 900_000] * 9)
    assert _rows(mariadb, "SELECT count(*), min(length(v)) FROM t") == [(9, 900_000)]
    with pytest.raises(DatabaseError, match="max_allowed_packet"):
        _write(mariadb, target, Write.UPSERT, id=[1], v=["x" * 17_000_000])


DDL = "CREATE TABLE u (a int)"


@pytest.mark.parametrize("statement", [DDL, "/* x */ truncate t", "\n rename table t to u"])
def test_ddl_never_commits_half_a_unit(mariadb: Database, statement: str) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY)")
    target = _target(mariadb, "t", "id")
    with mariadb.product.unit(mariadb.engine, None) as unit:
        unit.write(target, [pa.record_batch({"id": [1]})], Write.INSERT)
        with pytest.raises(DatabaseError, match="would commit the rows"):
            unit.execute(sa.text(statement))
    assert _rows(mariadb, "SELECT * FROM t") == []


def test_ddl_comes_first_in_a_unit(mariadb: Database) -> None:
    table = sa.Table("u", sa.MetaData(), sa.Column("a", sa.Integer))
    with mariadb.product.unit(mariadb.engine, None) as unit:
        unit.execute(sa.schema.CreateTable(table))
        unit.execute(sa.text("CREATE TEMPORARY TABLE tmp (a int)"))
        unit.execute(table.insert().values(a=1))
        unit.execute(sa.text("DROP TEMPORARY TABLE tmp"))
    assert _rows(mariadb, "SELECT * FROM u") == []


KEYS = {
    "varchar(20) collate utf8mb4_bin": ["'Ab'", "'aB'", "'ž🐎'", "'o''c\\\\'", "'100%'", "':x'"],
    "varchar(20) collate utf8mb4_general_ci": ["'Ab'", "'b'", "''"],
    "varchar(20) character set latin1": ["'café'", "'d'"],
    "varbinary(20)": ["x'00'", "x'ff27'"],
    "decimal(40,20)": ["-1.5", "12345678901234567890.00000000000000000001"],
    "double": ["0.1", "-1e300", "5e-324"],
    "bigint unsigned": ["18446744073709551615", "0"],
    "datetime(6)": ["'2024-02-29 12:34:56.000001'", "'2024-02-29 12:34:56'"],
    "date": ["'2024-02-29'", "'1999-01-01'"],
    "uuid": ["uuid()", "'00112233-4455-6677-8899-aabbccddeeff'"],
    "enum('z','it''s','a')": ["'z'", "'it''s'", "'a'"],
}


@pytest.mark.parametrize("declared", KEYS)
def test_bounds_divide_the_keys_in_the_databases_own_order(
    mariadb: Database, declared: str
) -> None:
    values = ", ".join(f"({v})" for v in KEYS[declared])
    _run(mariadb, f"CREATE TABLE k (k {declared} PRIMARY KEY)", f"INSERT INTO k VALUES {values}")
    (column,) = _target(mariadb, "k").columns
    table = sa.table("k", sa.column("k"))
    with mariadb.engine.connect() as connection:
        ordered = list(connection.scalars(sa.select(table.c.k).order_by(table.c.k)))
        for i, bound in enumerate(ordered):
            literal = mariadb.product.literal(bound, column)
            query = sa.select(table.c.k).order_by(table.c.k)
            assert list(connection.scalars(query.where(table.c.k >= literal))) == ordered[i:]
            assert list(connection.scalars(query.where(table.c.k < literal))) == ordered[:i]


@pytest.mark.parametrize(
    ("declared", "bound"),
    [
        ("varchar(20) collate utf8mb4_bin", "500"),
        ("varchar(20) character set latin1", "500"),
        ("varbinary(20)", b"500"),
        ("datetime(6)", "2024-01-01 00:08:20"),
        ("decimal(20,5)", "500.5"),
        ("bigint", 500),
    ],
)
def test_an_index_serves_a_bound(mariadb: Database, declared: str, bound: object) -> None:
    value = "'2024-01-01' + INTERVAL seq SECOND" if "date" in declared else "seq"
    _run(mariadb, f"CREATE TABLE k (k {declared} PRIMARY KEY, x char(200))")
    _run(mariadb, f"INSERT INTO k SELECT {value}, '' FROM seq_1_to_5000", "ANALYZE TABLE k")
    column = _target(mariadb, "k").columns[0]
    literal = str(mariadb.product.literal(bound, column))
    (plan,) = _rows(mariadb, f"EXPLAIN SELECT * FROM k WHERE k >= {literal} AND k < {literal}")
    plan_of_some = _rows(mariadb, f"EXPLAIN SELECT * FROM k WHERE k = {literal} OR k < {literal}")
    assert "PRIMARY" in str(plan) or "Impossible" in str(plan)
    assert plan_of_some[0][3] == "range"


def test_a_bound_that_is_no_number_is_no_text_of_sql() -> None:
    from sqlscore.products.mysql.literals import literal

    column = Column(name="k", type=pa.decimal128(9, 2), declared="decimal(9,2)")
    with pytest.raises(DatabaseError, match="not a number"):
        literal("1 OR 1=1", column)


def test_a_subquery_is_described_with_its_collations(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (k varchar(9) collate utf8mb4_bin PRIMARY KEY, n int unsigned)")
    query = sa.text("SELECT k, n, n / 3 AS d, '%' AS p FROM t WHERE k LIKE 'a%'")
    names: list[sa.ColumnClause[Any]] = [sa.column(n) for n in ("k", "n", "d", "p")]
    with mariadb.engine.connect() as connection:
        found = mariadb.product.describe(connection, query.columns(*names).subquery("q"))
    assert [c.name for c in found] == ["k", "n", "d", "p"]
    assert found[0].declared == "varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    assert found[1].type == pa.uint32()
    assert pa.types.is_decimal(found[2].type)


@pytest.mark.parametrize("name", ["100%", "a`b", "a:b", "select", "žluť", "with space", "a.b"])
def test_hostile_names(mariadb: Database, name: str) -> None:
    quoted = mariadb.engine.dialect.identifier_preparer.quote(name).replace("%%", "%")
    _run(mariadb, f"CREATE TABLE {quoted} ({quoted} int PRIMARY KEY, `{'x%'}` double)")
    target = _target(mariadb, name, name)
    for how in Write:
        rows = {name: [1 if how is not Write.INSERT else 2], "x%": [0.5]}
        with mariadb.product.unit(mariadb.engine, None) as unit:
            unit.write(target, [pa.record_batch(rows)], how)
            unit.commit()
    (batch,) = _read(mariadb, name)
    assert batch.column(0).to_pylist() == [1, 2]


def test_keys_are_found_whatever_a_table_is_called(mariadb: Database) -> None:
    _run(
        mariadb,
        "CREATE TABLE `a``b` (`i``d` INT, b INT NOT NULL, c VARCHAR(9), PRIMARY KEY (b, `i``d`),"
        " UNIQUE KEY (c), KEY (b))",
        "CREATE VIEW seen AS SELECT * FROM `a``b`",
    )
    with mariadb.engine.connect() as connection:
        found = mariadb.product.keys(connection, sa.Table("a`b", sa.MetaData()))
        assert (found.primary, found.unique) == (("b", "i`d"), (("c",),))
        for none in ("seen", "nothing"):
            keys = mariadb.product.keys(connection, sa.Table(none, sa.MetaData()))
            assert (keys.primary, keys.unique) == ((), ())


def test_a_table_that_cannot_roll_back_is_unfit(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE good (a int)", "CREATE VIEW seen AS SELECT * FROM good")
    _run(mariadb, *(f"CREATE TABLE {e} (a int) ENGINE = {e}" for e in ("MyISAM", "Aria", "MEMORY")))
    with mariadb.engine.connect() as connection:

        def unfit(name: str) -> str | None:
            return mariadb.product.unfit(connection, sa.Table(name, sa.MetaData()))

        assert unfit("good") is None
        assert "view" in str(unfit("seen"))
        for engine in ("MyISAM", "Aria", "MEMORY"):
            assert f"{engine} has no transactions" in str(unfit(engine))


def test_a_swap_keeps_indexes_and_drops_the_old_rows(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY, s varchar(99), KEY by_s (s(10) DESC))")
    _run(
        mariadb,
        "INSERT INTO t VALUES (1, 'old')",
        "CREATE TABLE staged (id int PRIMARY KEY, s text)",
    )
    _run(mariadb, "INSERT INTO staged VALUES (2, 'new')")
    staged, table = (sa.Table(n, sa.MetaData()) for n in ("staged", "t"))
    with mariadb.product.unit(mariadb.engine, None) as unit:
        mariadb.product.swap(unit, staged, table)
        unit.commit()
    assert _rows(mariadb, "SELECT * FROM t") == [(2, "new")]
    assert [r[0] for r in _rows(mariadb, "SHOW TABLES")] == ["t"]
    assert "KEY `by_s` (`s`(10) DESC)" in _rows(mariadb, "SHOW CREATE TABLE t")[0][1]


def test_a_swap_never_commits_rows_of_its_unit(mariadb: Database) -> None:
    _run(mariadb, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE staged (id int PRIMARY KEY)")
    with mariadb.product.unit(mariadb.engine, None) as unit:
        batch = pa.record_batch({"id": [1]})
        unit.write(_target(mariadb, "staged", "id"), [batch], Write.INSERT)
        with pytest.raises(DatabaseError, match="would commit"):
            mariadb.product.swap(
                unit, sa.Table("staged", sa.MetaData()), sa.Table("t", sa.MetaData())
            )
    assert _rows(mariadb, "SELECT * FROM staged") == []


def test_what_hangs_on_a_table_is_named(mariadb: Database) -> None:
    _run(
        mariadb,
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE other (id int PRIMARY KEY)",
        "CREATE TABLE child (t int, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id))",
        "CREATE VIEW seen AS SELECT * FROM t",
        "CREATE TRIGGER watch AFTER INSERT ON t FOR EACH ROW SET @x = 1",
    )
    database = mariadb.engine.url.database
    with mariadb.engine.connect() as connection:
        assert mariadb.product.dependents(connection, sa.Table("t", sa.MetaData())) == (
            f"foreign key to_t of {database}.child",
            f"trigger {database}.watch",
            f"view {database}.seen",
        )
        assert mariadb.product.dependents(connection, sa.Table("other", sa.MetaData())) == ()


def test_a_wrong_password_is_not_printed(mariadb: Database) -> None:
    url = sa.make_url(mariadb.url).set(password="hunter2-is-wrong")
    engine = engine_for(url)
    with (
        pytest.raises(DatabaseError, match="1045") as failure,
        mariadb.product.unit(engine, None),
    ):
        pass
    assert "hunter2" not in str(failure.value)
