"""What is special to DuckDB: one process, cursors of one instance, streams, conflicts."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import uuid
import weakref
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import engine_for
from sqlscore.products.duckdb import DUCKDB, literal
from sqlscore.products.product import Target, Write
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

pytest.importorskip("duckdb")
pytest.importorskip("duckdb_engine")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database.duckdb"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    made = engine_for(f"duckdb:///{path}")
    yield made
    made.dispose()


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def stream(
    engine: Engine, query: str, batch_rows: int = 2048, connection: Connection | None = None
) -> Any:
    """A stream of one column `i`, of integers."""
    select: sa.Select[Any] = sa.select(sa.column("i")).select_from(sa.text(f"({query})"))
    schema = pa.schema([("i", pa.int64())])
    return DUCKDB.read(engine, select, schema, batch_rows=batch_rows, connection=connection)


def scores(engine: Engine) -> Target:
    table = sa.Table("scores", sa.MetaData(), sa.Column("i", sa.BigInteger, primary_key=True))
    with engine.connect() as connection:
        return Target(table=table, columns=DUCKDB.describe(connection, table), key=("i",))


def batch(*numbers: int, s: float = 0.5) -> pa.RecordBatch:
    return pa.record_batch({"i": list(numbers), "s": [s] * len(numbers)})


SCORES = "CREATE TABLE scores (i BIGINT PRIMARY KEY, s DOUBLE)"


def test_reading_and_writing_go_on_at_the_same_time(engine: Engine) -> None:
    run(engine, "CREATE TABLE many AS SELECT i FROM range(300000) t(i)", SCORES)
    target = scores(engine)
    started, counts = threading.Barrier(2, timeout=20), []

    def read() -> None:
        batches = stream(engine, "SELECT i FROM many ORDER BY i", batch_rows=1000)
        count = next(batches).num_rows
        started.wait()
        counts.append(count + sum(b.num_rows for b in batches))

    thread = threading.Thread(target=read)
    thread.start()
    started.wait()
    for number in range(20):
        with DUCKDB.unit(engine, None) as unit:
            unit.write(target, [batch(number, number + 1)], Write.UPSERT)
            unit.execute(sa.text(f"DELETE FROM many WHERE i = {number}"))
            unit.commit()
    thread.join()
    assert counts == [300_000]  # the reader's own snapshot
    assert rows(engine, "SELECT count(*) FROM scores") == [(21,)]


def test_a_second_process_is_told_who_holds_the_file(engine: Engine, path: Path) -> None:
    run(engine, SCORES)
    code = (
        "import sys; from sqlscore.products import engine_for; "
        "from sqlscore.errors import DatabaseError\n"
        "try: engine_for(sys.argv[1]).connect()\n"
        "except DatabaseError as error: print(error)"
    )
    command = [sys.executable, "-c", code, f"duckdb:///{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{path} is held by another process (PID " in said
    assert "close the file there" in said


def test_a_file_that_is_no_database_is_an_error(path: Path) -> None:
    path.write_text("no database" * 1000)
    with pytest.raises(DatabaseError, match=r"cannot open .*database\.duckdb"):
        engine_for(f"duckdb:///{path}").connect()


def test_a_database_in_memory_is_one_for_all_connections_and_threads() -> None:
    engine, other = engine_for("duckdb:///:memory:"), engine_for("duckdb://")
    run(engine, "CREATE TABLE t AS SELECT 7 AS i")
    found: list[int] = []
    thread = threading.Thread(
        target=lambda: found.extend(v for b in stream(engine, "FROM t") for v in b["i"].to_pylist())
    )
    thread.start()
    thread.join()
    assert found == [7]
    assert sa.inspect(other).get_table_names() == []
    engine.dispose()
    other.dispose()


def test_times_are_utc_on_every_connection(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    query = sa.select(sa.text("CAST(TIMESTAMPTZ '2024-01-01 00:00:00+09' AS VARCHAR) AS t"))
    schema = pa.schema([("t", pa.string())])
    try:
        with engine.connect() as connection:
            for over in (connection, None):
                (found,) = DUCKDB.read(engine, query, schema, batch_rows=1, connection=over)
                assert found["t"].to_pylist() == ["2023-12-31 15:00:00+00"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_stream_holds_few_rows_and_ends_when_it_is_closed(engine: Engine) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    query = "SELECT i, repeat(i::VARCHAR, 9) AS s FROM range(100000000) t(i)"
    before, began = resident(), time.monotonic()
    batches = stream(engine, query)
    for _ in range(100):
        assert next(batches).num_rows == 2048
    batches.close()
    assert time.monotonic() - began < 5
    assert resident() - before < 100_000_000


def test_an_error_in_the_middle_is_raised(engine: Engine) -> None:
    query = "SELECT CASE WHEN i = 90000 THEN error('stop') ELSE i END AS i FROM range(99999) t(i)"
    with pytest.raises(DatabaseError, match=r"reading from .* failed: .*stop"):
        list(stream(engine, query))


def test_a_variable_is_no_table(engine: Engine) -> None:
    not_there = pa.table({"i": [1]})
    with pytest.raises(DatabaseError, match="not_there"):
        list(stream(engine, "FROM not_there"))
    with engine.connect() as connection, pytest.raises(DatabaseError, match="not_there"):
        list(stream(engine, "FROM not_there", connection=connection))
    assert not_there.num_rows == 1


def test_a_conflict_of_two_units_is_an_error(engine: Engine) -> None:
    run(engine, SCORES, "INSERT INTO scores VALUES (1, 0)")
    target = scores(engine)
    with DUCKDB.unit(engine, None) as first, DUCKDB.unit(engine, None) as second:
        first.write(target, [batch(1, s=1.0)], Write.UPDATE)
        with pytest.raises(DatabaseError, match="onflict"):
            second.write(target, [batch(1, s=2.0)], Write.UPDATE)
        first.commit()
    assert rows(engine, "FROM scores") == [(1, 1.0)]


def test_a_written_batch_is_let_go_before_the_commit(engine: Engine) -> None:
    run(engine, SCORES)
    ids = np.arange(1000)
    left = weakref.ref(ids)
    given = pa.RecordBatch.from_arrays([pa.array(ids), pa.array(ids * 0.5)], names=["i", "s"])
    with DUCKDB.unit(engine, None) as unit:
        unit.write(scores(engine), [given], Write.UPSERT)
        del ids, given
        gc.collect()
        assert left() is None
        unit.commit()
    assert rows(engine, "SELECT count(*), sum(s) FROM scores") == [(1000, 249750.0)]


def test_an_upsert_asks_for_each_schema_of_its_batches_whether_keys_are_there(
    engine: Engine,
) -> None:
    """Where none is, rows are added plainly, without a look at each."""
    run(engine, SCORES, "INSERT INTO scores VALUES (5, 0)")
    without = pa.record_batch({"i": [4, 6]})
    with DUCKDB.unit(engine, None) as unit:
        unit.write(scores(engine), [batch(1, 3, s=1.0), without, batch(2, 4)], Write.UPSERT)
        unit.commit()
    found = rows(engine, "FROM scores ORDER BY i")
    assert found == [(1, 1.0), (2, 0.5), (3, 1.0), (4, 0.5), (5, 0.0), (6, None)]


def test_a_unit_in_a_callers_transaction_is_a_part_of_it(engine: Engine) -> None:
    run(engine, SCORES)
    target = scores(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO scores VALUES (1, 0)")
        with DUCKDB.unit(engine, connection) as unit:
            unit.write(target, [batch(2)], Write.INSERT)
            unit.commit()
        assert rows(engine, "FROM scores") == []
        connection.commit()
        assert rows(engine, "SELECT i FROM scores ORDER BY i") == [(1,), (2,)]
        connection.exec_driver_sql("INSERT INTO scores VALUES (3, 0)")
        with DUCKDB.unit(engine, connection) as unit:
            unit.write(target, [batch(4)], Write.INSERT)
        assert rows(engine, "SELECT i FROM scores ORDER BY i") == [(1,), (2,)]  # no savepoints
    assert rows(engine, "SELECT i FROM scores ORDER BY i") == [(1,), (2,)]


def test_a_key_can_be_deleted_and_written_again_in_one_unit(engine: Engine) -> None:
    run(engine, SCORES, "CREATE INDEX by_s ON scores (s)", "INSERT INTO scores VALUES (1, 0)")
    target = scores(engine)
    with DUCKDB.unit(engine, None) as unit:
        unit.execute(sa.delete(target.table))
        unit.write(target, [batch(1, 2, s=7.0)], Write.INSERT)
        unit.write(target, [batch(2, 3, s=8.0)], Write.UPSERT)
        unit.commit()
    assert rows(engine, "FROM scores ORDER BY i") == [(1, 7.0), (2, 8.0), (3, 8.0)]


def test_a_swapped_table_keeps_key_and_indexes_when_it_is_opened_again(
    engine: Engine, path: Path
) -> None:
    run(engine, SCORES, "CREATE INDEX by_s ON scores (s)", "INSERT INTO scores VALUES (1, 0)")
    staged = sa.Table("sta:ged", sa.MetaData())
    with DUCKDB.unit(engine, None) as unit:
        unit.execute(sa.text(SCORES.replace("scores", '"sta\\:ged"')))
        unit.execute(sa.text('INSERT INTO "sta\\:ged" VALUES (5, 5), (6, 6)'))
        DUCKDB.swap(unit, staged, sa.Table("scores", sa.MetaData()))
        unit.commit()
    engine.dispose()
    again = engine_for(f"duckdb:///{path}")
    assert rows(again, "FROM scores ORDER BY i") == [(5, 5.0), (6, 6.0)]
    assert rows(again, "SELECT index_name FROM duckdb_indexes()") == [("by_s",)]
    with pytest.raises(DatabaseError, match=r"scores.*key"), DUCKDB.unit(again, None) as unit:
        unit.write(scores(again), [batch(5)], Write.INSERT)
    again.dispose()


def test_literals_are_exact(engine: Engine) -> None:
    cases: list[tuple[str, Any]] = [
        ("BIGINT", -(2**63)),
        ("HUGEINT", 2**127 - 1),
        ("DOUBLE", 0.1),
        ("DOUBLE", 5e-324),
        ("DOUBLE", 1.7976931348623157e308),
        ("DOUBLE", float("inf")),
        ("VARCHAR", "it's :x %s \\ 🐎"),
        ("VARCHAR", "a\0b"),
        ("VARCHAR", ""),
        ("BLOB", b"\x00'\xff"),
        ("DATE", date(2024, 2, 29)),
        ("TIMESTAMP", datetime(2024, 2, 29, 12, 34, 56, 789012)),
        ("UUID", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
        ("DECIMAL(20,10)", Decimal("1234567890.0123456789")),
    ]
    with engine.connect() as connection:
        for declared, value in cases:
            column = Column(name="c", type=pa.null(), declared=declared)
            query = sa.select(literal(value, column))
            text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
            assert connection.exec_driver_sql(text).scalar() == value, declared


def test_what_describe_says(engine: Engine) -> None:
    run(
        engine,
        "CREATE TABLE t (i INTEGER PRIMARY KEY, e ENUM('a'), h HUGEINT, l FLOAT[], a FLOAT[3], "
        "s STRUCT(x INTEGER), d DECIMAL(9,3), z TIMESTAMPTZ, n VARCHAR NOT NULL)",
        "CREATE VIEW v AS SELECT i, i / 2 AS half FROM t",
    )
    with engine.connect() as connection:
        table, view = (
            DUCKDB.describe(connection, sa.Table(name, sa.MetaData())) for name in ("t", "v")
        )
        assert DUCKDB.unfit(connection, sa.Table("v", sa.MetaData())) == "it is a view"
    assert {c.name: c.type for c in table} == {
        "i": pa.int32(), "e": pa.string(), "h": pa.decimal128(38, 0), "l": pa.list_(pa.float32()),
        "a": pa.list_(pa.float32()), "s": pa.null(), "d": pa.decimal128(9, 3),
        "z": pa.timestamp("us", tz="UTC"), "n": pa.string(),
    }  # fmt: skip
    assert [c.name for c in table if not c.nullable] == ["i", "n"]
    assert [(c.name, c.type) for c in view] == [("i", pa.int32()), ("half", pa.float64())]
