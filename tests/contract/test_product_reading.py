"""What `Product.read` promises, on every database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Write
from tests.contract.tables import create, read, select, target_of, write

if TYPE_CHECKING:
    from sqlscore.products.product import Target
    from tests.fixtures.databases import Database

ROWS = 160_000
FEWER = {"mssql": 32_000}  # where each row is a call of its own

#: how a table is made that its own connection alone sees, and its name
TEMPORARY = {"mssql": ("CREATE TABLE", "#mine")}
#: an expression that fails on the row with this id, and on no other, as a format
FAILING = {
    "postgres": "1 / (id - {})",
    "duckdb": "CASE WHEN id = {} THEN error('stop') ELSE 1 END",
    "mariadb": "CASE WHEN id = {} THEN (SELECT 1 UNION SELECT 2) ELSE 1 END",
    "mssql": "CAST(CASE WHEN id = {} THEN 'stop' ELSE '1' END AS int)",
    "sqlite": "CASE WHEN id = {} THEN abs(-9223372036854775807 - 1) ELSE 1 END",
}


def rows_of(database: Database) -> int:
    return FEWER.get(database.name, ROWS)


@pytest.fixture
def many(database: Database) -> Target:
    target = create(database, "many", {"id": pa.int64(), "x": pa.float64(), "s": "varchar(20)"})
    ids = np.arange(rows_of(database))
    rows = {"id": ids, "x": ids / 8, "s": pa.array(ids % 7).cast(pa.string())}
    write(database, target, rows)
    return target


def test_batches_are_bounded_ordered_and_typed(database: Database, many: Target) -> None:
    query, schema = select(database, many)
    stream = database.product.read(database.engine, query, schema, batch_rows=50_000)
    batches = list(stream)
    assert all(b.schema == schema and b.num_rows <= 50_000 for b in batches)
    assert all(b.num_rows for b in batches[1:])  # the first may say that the reader has begun
    rows, count = pa.Table.from_batches(batches), rows_of(database)
    np.testing.assert_array_equal(rows["id"].to_numpy(), np.arange(rows_of(database)))
    np.testing.assert_array_equal(rows["x"].to_numpy(), np.arange(rows_of(database)) / 8)
    assert rows["s"].slice(count - 3).to_pylist() == [str(i % 7) for i in range(count - 3, count)]


def test_a_given_connection_reads_the_same(database: Database, many: Target) -> None:
    with database.engine.connect() as connection:
        over = read(database, many, connection=connection, batch_rows=50_000)
        assert over == read(database, many, batch_rows=50_000)
        assert connection.scalar(sa.select(sa.literal(1))) == 1  # it can go on


def test_no_rows_give_no_rows(database: Database) -> None:
    empty = create(database, "nothing", {"id": pa.int64(), "s": pa.string()})
    assert read(database, empty).num_rows == 0
    with database.engine.connect() as connection:
        assert read(database, empty, connection=connection).num_rows == 0


def test_a_given_connection_sees_its_own_rows(database: Database) -> None:
    target = create(database, "rows", {"id": pa.int64(), "s": pa.string()})
    with database.engine.connect() as connection:
        connection.execute(target.table.insert().values(id=1, s=""))
        connection.execute(target.table.insert().values(id=2, s=None))
        rows = read(database, target, connection=connection).to_pylist()
        assert rows == [{"id": 1, "s": ""}, {"id": 2, "s": None}]
        connection.rollback()
    assert read(database, target).num_rows == 0


def test_a_given_connection_sees_its_temporary_table(database: Database) -> None:
    with database.engine.connect() as connection:
        begin, name = TEMPORARY.get(database.name, ("CREATE TEMPORARY TABLE", "mine"))
        connection.exec_driver_sql(f"{begin} {name} (id bigint, s varchar(20))")
        connection.exec_driver_sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, NULL)")
        product = database.product
        table = sa.table(name, sa.column("id"), sa.column("s"))
        assert [c.name for c in product.describe(connection, table)] == ["id", "s"]
        schema = pa.schema([("id", pa.int64()), ("s", pa.string())])
        query = sa.select(table).order_by(table.c.id)
        batches = product.read(database.engine, query, schema, batch_rows=1, connection=connection)
        assert [b.to_pylist() for b in batches] == [
            [{"id": 1, "s": "a"}],
            [{"id": 2, "s": None}],
        ]


@pytest.mark.parametrize("given", [False, True])
def test_an_error_in_the_middle_is_no_end(database: Database, many: Target, given: bool) -> None:
    fails = FAILING[database.name].format(rows_of(database) - 10_000)
    query: Any = sa.select(sa.column("id"), sa.literal_column(fails).label("y"))
    query = query.select_from(many.table)
    schema = pa.schema([("id", pa.int64()), ("y", pa.float64())])
    read_rows = 0
    with database.engine.connect() as connection:
        stream = database.product.read(
            database.engine,
            query,
            schema,
            batch_rows=20_000,
            connection=connection if given else None,
        )
        with pytest.raises(DatabaseError) as failure:  # noqa: PT012 - it is raised on the way
            for batch in stream:
                read_rows += batch.num_rows
    assert read_rows < rows_of(database)
    assert failure.value.__cause__ is not None
    assert read(database, many).num_rows == rows_of(database)  # the engine can be used again


@pytest.mark.parametrize("given", [False, True])
def test_an_early_close_ends_the_work(database: Database, many: Target, given: bool) -> None:
    query: sa.Select[Any] = sa.select(sa.literal_column("twice.id").label("id")).select_from(
        sa.text("many twice JOIN many other ON other.id < 500")
    )
    schema = pa.schema([("id", pa.int64())])
    with database.engine.connect() as connection:
        stream = database.product.read(
            database.engine,
            query,
            schema,
            batch_rows=1000,
            connection=connection if given else None,
        )
        assert next(b.num_rows for b in stream if b.num_rows) == 1000
        began = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert connection.scalar(sa.select(sa.literal(1))) == 1
    # Nothing holds the table any more.
    many.table.drop(database.engine)
    assert time.monotonic() - began < 5


def test_a_column_called_like_a_placeholder(database: Database) -> None:
    names = ("50% off", "%s", "%(id)s", "a:b", "?", 'q"uote')
    target = create(database, "odd", {"id": pa.int64()} | dict.fromkeys(names, pa.float64()))
    write(database, target, {"id": [1]} | {n: [float(i)] for i, n in enumerate(names)})
    write(database, target, {"id": [1], "%s": [7.0]}, Write.UPDATE)
    expected = {"id": 1} | {n: float(i) for i, n in enumerate(names)} | {"%s": 7.0}
    assert read(database, target).to_pylist() == [expected]
    with database.engine.connect() as connection:
        assert read(database, target, connection=connection).to_pylist() == [expected]


def test_a_subquery_is_described_and_read(database: Database, many: Target) -> None:
    product = database.product
    inner = sa.text("SELECT id, x * 2 AS doubled, 'it''s 50%' AS s FROM many WHERE id < 3")
    relation = inner.columns().subquery("relation")
    with database.engine.connect() as connection:
        columns = {c.name: c for c in product.describe(connection, relation)}
    assert list(columns) == ["id", "doubled", "s"]
    assert columns["doubled"].type == pa.float64()
    query: sa.Select[Any] = sa.select(
        *(product.project(sa.column(n), c, product.carried(c)).label(n) for n, c in columns.items())
    )
    query = query.select_from(relation).order_by(sa.column("id"))
    schema = pa.schema([(n, product.carried(c)) for n, c in columns.items()])
    batches = list(product.read(database.engine, query, schema, batch_rows=10))
    assert pa.Table.from_batches(batches).to_pydict() == {
        "id": [0, 1, 2],
        "doubled": [0.0, 0.25, 0.5],
        "s": ["it's 50%"] * 3,
    }


def test_a_table_that_is_not_there_is_an_error(database: Database) -> None:
    missing = sa.Table("missing", sa.MetaData())
    with (
        database.engine.connect() as connection,
        pytest.raises(DatabaseError, match="missing"),
    ):
        database.product.describe(connection, missing)
    with pytest.raises(DatabaseError):
        target_of(database, missing)
