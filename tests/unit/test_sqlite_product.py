"""What is special to SQLite: values of any kind in any column, locks, one library a process."""

from __future__ import annotations

import logging
import random
import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import engine_for
from sqlscore.products.product import Declared, Target, Write
from sqlscore.products.sqlite import SQLITE
from sqlscore.products.sqlite.columns import restored
from sqlscore.products.sqlite.literals import literal
from sqlscore.transports import dbapi, process
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

FLOAT = pa.float64()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a b%.db")


@pytest.fixture
def engine(path: str) -> Iterator[Engine]:
    made = engine_for(sa.URL.create("sqlite", database=path))
    yield made
    made.dispose()


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def read(
    engine: Engine,
    name: str,
    types: dict[str, pa.DataType | None],
    connection: Connection | None = None,
    batch_rows: int = 1000,
) -> list[dict[str, Any]]:
    """The rows by rowid, each column as the given type, or as carried."""
    table = sa.Table(name, sa.MetaData())
    with engine.connect() as own:
        columns = {c.name: c for c in SQLITE.describe(connection or own, table)}
    wanted = {n: t or SQLITE.carried(columns[n]) for n, t in types.items()}
    query = sa.select(
        *(SQLITE.project(sa.column(n), columns[n], t).label(n) for n, t in wanted.items())
    )
    batches = SQLITE.read(
        engine,
        query.select_from(table).order_by(sa.column("rowid")),
        pa.schema(list(wanted.items())),
        batch_rows=batch_rows,
        connection=connection,
    )
    return [row for batch in batches for row in batch.to_pylist()]


def target(engine: Engine, name: str, key: tuple[str, ...] = ("id",)) -> Target:
    with engine.connect() as connection:
        columns = SQLITE.describe(connection, sa.Table(name, sa.MetaData()))
    table = sa.Table(name, sa.MetaData(), *(sa.Column(c.name) for c in columns))
    return Target(table=table, columns=columns, key=key)


def other_process(path: str, statement: str) -> str:
    """What another process is told when it writes, with almost no wait for locks."""
    code = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.05)\n"
        "try:\n    c.execute(sys.argv[2]); print('done')\n"
        "except sqlite3.Error as error: print(error)\n"
        "c.close()"
    )
    command = [sys.executable, "-c", code, path, statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("batch_rows", [2, 1000])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    ("declared", "value", "type_"),
    [
        ("REAL", "'abc'", FLOAT),
        ("REAL", "x'00'", FLOAT),
        ("REAL", "'abc'", None),
        ("INTEGER", "'abc'", FLOAT),
        ("INTEGER", "'abc'", None),
        ("INTEGER", "1.5", None),
        ("INTEGER", "x'31'", None),
        ("DECIMAL(5, 2)", "'12,5'", FLOAT),
        ("BLOB", "'abc'", None),
        ("BLOB", "5", None),
    ],
)
def test_a_value_of_another_kind_is_an_error_that_names_the_column(
    engine: Engine, declared: str, value: str, type_: pa.DataType, given: bool, batch_rows: int
) -> None:
    plain = {"BLOB": "x'00'"}.get(declared, "1")
    values = ", ".join(f"({v})" for v in [plain] * 5 + [value, plain])
    run(engine, f"CREATE TABLE t (c {declared})", f"INSERT INTO t VALUES {values}")
    with engine.connect() as connection, pytest.raises(DatabaseError, match="column 'c'") as error:
        read(engine, "t", {"c": type_}, connection if given else None, batch_rows)
    assert "abc" not in str(error.value)


@pytest.mark.parametrize("given", [False, True])
def test_columns_that_begin_with_nulls_keep_their_types(engine: Engine, given: bool) -> None:
    run(
        engine,
        "CREATE TABLE t (r REAL, i INTEGER, s TEXT, b BLOB)",
        "INSERT INTO t VALUES (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL), "
        "(1, 2, 'x', x'00'), (1.5, NULL, '', x'')",
    )
    with engine.connect() as connection:
        rows = read(engine, "t", dict.fromkeys("risb"), connection if given else None, batch_rows=1)
    assert [tuple(row.values()) for row in rows] == [
        (None, None, None, None),
        (None, None, None, None),
        (1.0, 2, "x", b"\0"),
        (1.5, None, "", b""),
    ]


def doubles() -> list[float]:
    numbers = random.Random(1)
    bits = (numbers.getrandbits(64) for _ in range(3000))
    drawn = [struct.unpack("<d", b.to_bytes(8, "little"))[0] for b in bits]
    people = [round(numbers.uniform(-1e6, 1e6), n % 7) for n in range(500)]
    edges = [5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 0.1, 1e15]
    edges += [float("inf"), float("-inf"), 1e-15, 2.0**53, 2.0**63, 1e22, 1e23]
    return [x for x in drawn if x == x] + people + edges


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("declared", ["", "NUMERIC"])
def test_every_double_in_an_untyped_column_is_carried_to_its_last_bit(
    engine: Engine, declared: str, given: bool
) -> None:
    run(engine, f"CREATE TABLE a (id INTEGER PRIMARY KEY, x {declared})")
    run(engine, f"CREATE TABLE b (id INTEGER PRIMARY KEY, x {declared})")
    values = [(i, x) for i, x in enumerate(doubles()) if x]  # the sign of a zero is not told
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO a VALUES (?, ?)", values)
    with engine.connect() as connection:
        types = {"id": pa.int64(), "x": pa.string()}
        rows = read(engine, "a", types, connection if given else None)
    with SQLITE.unit(engine, None) as unit:
        unit.write(target(engine, "b"), [pa.RecordBatch.from_pylist(rows)], Write.INSERT)
        unit.commit()
    with engine.connect() as connection:
        pairs = connection.exec_driver_sql(
            "SELECT a.x, b.x, typeof(a.x), typeof(b.x) FROM a JOIN b USING (id)"
        ).all()
    assert len(pairs) == len(values)
    assert [p for p in pairs if p[2] != p[3] or repr(p[0]) != repr(p[1])] == []


def test_restored_is_the_other_way_of_carried() -> None:
    texts = (None, "", "abc", "\x01b00ff", "\x01i-5", "\x01r1.5e+00", "\x01t0162", "\x01rInf")
    assert [restored(t) for t in texts] == [
        *(None, "", "abc", b"\x00\xff", -5, 1.5, "\x01b", float("inf"))
    ]


def test_literals_are_exact(engine: Engine) -> None:
    values: list[Any] = [*doubles()[::10], *doubles()[-14:]]
    values += [-(2**63), 2**63 - 1, 0, -1, b"\x00'", "it's", "a\0b", ":x %s", ""]
    column = Column(name="c", type=pa.null())
    with engine.connect() as connection:
        for value in values:
            query = sa.select(literal(value, column), sa.func.typeof(literal(value, column)))
            text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
            found, kind = connection.exec_driver_sql(text).one()
            assert repr(found) == repr(value), text
            assert kind == {float: "real", int: "integer", str: "text", bytes: "blob"}[type(value)]


def test_a_reader_leaves_this_process_its_lock(engine: Engine, path: str) -> None:
    """Reading must not open the file with a second SQLite library: closing it drops the locks."""
    for mode in ("delete", "wal"):
        run(engine, f"PRAGMA journal_mode = {mode}", "DROP TABLE IF EXISTS t", "CREATE TABLE t (c)")
        with SQLITE.unit(engine, None) as unit:
            unit.execute(sa.text("INSERT INTO t VALUES (1)"))
            assert read(engine, "t", {"c": pa.string()}) == []
            assert "locked" in other_process(path, "INSERT INTO t VALUES (2)")
            unit.commit()
        assert other_process(path, "INSERT INTO t VALUES (3)") == "done"
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT c FROM t").all() == [(1,), (3,)]
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == mode


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_readers_block_a_commit_as_the_product_says(engine: Engine, path: str, mode: str) -> None:
    run(engine, f"PRAGMA journal_mode = {mode}", "CREATE TABLE t (c INTEGER)")
    with SQLITE.unit(engine, None) as unit:
        rows = pa.record_batch({"c": range(200_000)})
        unit.write(target(engine, "t", ("c",)), [rows], Write.INSERT)
        unit.commit()
    schema = pa.schema([("c", pa.int64())])
    impatient = sa.create_engine(
        sa.URL.create("sqlite", database=path), connect_args={"timeout": 0.05}
    )
    stream = SQLITE.read(engine, sa.select(sa.text("c FROM t")), schema, batch_rows=1000)
    assert next(stream).num_rows == 0  # it has begun, and read nothing yet
    assert SQLITE.readers_block_commit(engine) == (mode == "delete")
    with SQLITE.unit(impatient, None) as unit:
        unit.execute(sa.text("INSERT INTO t VALUES (-1)"))
        if mode == "wal":
            unit.commit()
        else:
            with pytest.raises(DatabaseError, match=r"locked.*Another connection") as failure:
                unit.commit()
            assert failure.value.code == "SQLITE_BUSY"
    stream.close()  # type: ignore[attr-defined]
    with SQLITE.unit(impatient, None) as unit:  # nothing holds the file any more
        unit.execute(sa.text("INSERT INTO t VALUES (-2)"))
        unit.commit()
    impatient.dispose()


def test_a_locked_database_says_what_to_do(engine: Engine, path: str) -> None:
    run(engine, "CREATE TABLE t (c)")
    impatient = sa.create_engine(
        sa.URL.create("sqlite", database=path), connect_args={"timeout": 0.05}
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match=r"locked.*Let it finish"):
            SQLITE.unit(impatient, None).__enter__()
    impatient.dispose()


def test_a_unit_begins_before_ddl(engine: Engine) -> None:
    with SQLITE.unit(engine, None) as unit:
        unit.execute(sa.text("CREATE TABLE t (c)"))
        unit.execute(sa.text("DROP TABLE t"))
        unit.execute(sa.text("CREATE TABLE u (c)"))
    assert sa.inspect(engine).get_table_names() == []


def test_a_unit_in_a_callers_transaction_never_commits_it(engine: Engine, path: str) -> None:
    run(engine, "CREATE TABLE t (c)")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))  # a transaction to SQLAlchemy, none to SQLite
        with SQLITE.unit(engine, connection) as unit:
            unit.execute(sa.text("INSERT INTO t VALUES (1)"))
            unit.commit()
        assert "locked" in other_process(path, "INSERT INTO t VALUES (2)")
        connection.rollback()
        assert connection.execute(sa.text("SELECT * FROM t")).all() == []


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    engine = engine_for("sqlite://")
    run(engine, "CREATE TABLE t (c INTEGER)", "INSERT INTO t VALUES (7)")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(read(engine, "t", {"c": None})))
    thread.start()
    thread.join()
    assert found == [{"c": 7}]
    assert SQLITE.readers_block_commit(engine)
    engine.dispose()


def test_an_engine_with_a_creator_is_read_over_its_own_connections(path: str) -> None:
    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(path)
        made.create_function("twice", 1, lambda x: 2 * x)
        return made

    for url in ("sqlite://", sa.URL.create("sqlite", database=path)):
        engine = sa.create_engine(url, creator=connect)
        run(engine, "CREATE TABLE IF NOT EXISTS t (c INTEGER)", "INSERT INTO t VALUES (4)")
        query = sa.select(sa.text("twice(c) AS c FROM t LIMIT 1"))
        schema = pa.schema([("c", pa.int64())])
        batches = list(SQLITE.read(engine, query, schema, batch_rows=10))
        assert [b.to_pylist() for b in batches] == [[{"c": 8}]]
        engine.dispose()


def test_reading_goes_on_without_the_reading_process(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(engine, "CREATE TABLE t (c INTEGER)", "INSERT INTO t VALUES (1)")
    monkeypatch.setattr(sys, "executable", "")
    dbapi.fall_back.cache_clear()
    with caplog.at_level(logging.WARNING, "sqlscore"):
        for _ in range(2):
            assert read(engine, "t", {"c": None}) == [{"c": 1}]
    assert [record.getMessage() for record in caplog.records] == [
        "SQLite is read row by row: there is no Python interpreter to start"
    ]


def test_a_reading_process_that_dies_is_an_error(engine: Engine) -> None:
    run(engine, "CREATE TABLE t (c INTEGER)")
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000)"
    run(engine, f"INSERT INTO t {count} SELECT i FROM n")
    schema = pa.schema([("c", pa.int64())])
    worker = process._take()
    process._give_back(worker)  # the next reader gets this one
    stream = SQLITE.read(engine, sa.select(sa.text("c FROM t")), schema, batch_rows=100)
    next(batch for batch in stream if batch.num_rows)
    worker._process.kill()
    with pytest.raises(DatabaseError, match="ended in the middle"):
        list(stream)
    assert len(read(engine, "t", {"c": None})) == 300_000


def test_what_describe_says(engine: Engine) -> None:
    run(
        engine,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL NOT NULL, n NUMERIC(5, 1), b BOOLEAN, "
        "d DATE, s VARCHAR(3), x, o POINTLESS)",  # "POINT" holds "INT": SQLite's own rule
        "CREATE VIEW v AS SELECT id, r, r * 2 AS twice, x, s || 'a' AS more, NULL AS n FROM t",
        "INSERT INTO t (id, r, x, s) VALUES (1, 1.5, x'00', 'b'), (2, 2, NULL, NULL)",
    )
    with engine.connect() as connection:
        found = {name: SQLITE.describe(connection, sa.Table(name, sa.MetaData())) for name in "tv"}
        query = sa.text("SELECT id, r + 1 AS more, x FROM t").columns().subquery("q")
        described = SQLITE.describe(connection, query)
    assert {c.name: c.type for c in found["t"]} == {
        "id": pa.int64(), "r": FLOAT, "n": pa.decimal128(38, 10), "b": pa.int64(),
        "d": pa.string(), "s": pa.string(), "x": pa.binary(), "o": pa.int64(),
    }  # fmt: skip
    assert [c.name for c in found["t"] if not c.nullable] == ["id", "r"]
    assert {c.name: c.type for c in found["v"]} == {
        "id": pa.int64(), "r": FLOAT, "twice": FLOAT, "x": pa.binary(), "more": pa.string(),
        "n": pa.null(),
    }  # fmt: skip
    assert [c.type for c in described] == [pa.int64(), FLOAT, pa.binary()]


def test_what_cannot_be_a_target_and_what_hangs_on_one(engine: Engine) -> None:
    run(
        engine,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
        "CREATE TABLE other (id INTEGER PRIMARY KEY)",
        "CREATE VIEW v AS SELECT * FROM T",
        "CREATE VIRTUAL TABLE words USING fts5(s)",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE child (t_id REFERENCES t (id))",
    )
    with engine.connect() as connection:

        def unfit(name: str) -> str | None:
            return SQLITE.unfit(connection, sa.Table(name, sa.MetaData()))

        def dependents(name: str) -> tuple[str, ...]:
            return SQLITE.dependents(connection, sa.Table(name, sa.MetaData()))

        assert unfit("t") is None
        assert unfit("v") == "it is a view"
        assert "virtual table" in str(unfit("words"))
        assert dependents("t") == ("foreign key of child", "trigger g", "view v")
        assert dependents("other") == ()


def test_nan_is_null_and_null_is_null(engine: Engine) -> None:
    run(engine, "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, n INTEGER)")
    batch = pa.record_batch({"id": [1, 2, 3], "x": [float("nan"), None, 1.0], "n": [1, None, 3]})
    with SQLITE.unit(engine, None) as unit:
        unit.write(target(engine, "t"), [batch], Write.UPSERT)
        unit.commit()
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM t").all()
    assert rows == [(1, None, 1), (2, None, None), (3, 1.0, 3)]


def test_declared_types_read_back_as_themselves(engine: Engine) -> None:
    for type_ in (pa.int64(), FLOAT, pa.string(), pa.binary()):
        run(engine, f"CREATE TABLE t (c {Declared(SQLITE.declare(type_)).get_col_spec()})")
        with engine.connect() as connection:
            (column,) = SQLITE.describe(connection, sa.Table("t", sa.MetaData()))
        assert SQLITE.carried(column) == type_
        run(engine, "DROP TABLE t")
