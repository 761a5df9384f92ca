"""Names, key literals, swaps and what hangs on a table, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.products.product import Write
from tests.contract.tables import column_named, create, read, rows_in, write

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

NAMES = (
    'a"b',
    "o'hara",
    "with space",
    "dot.ted",
    "50% off",
    "%(id)s",
    "co:lon",
    "select",
    "Group",
    "žluťoučký kůň",
    "back`tick",
    "semi;colon--",
    "back\\slash",
    "[brackets]",
)
TEXTS = (
    "plain",
    "'",
    '"',
    "\\",
    "\\'",
    "a'; DROP TABLE t; --",
    "%s 100%",
    ":x",
    "ü🐎",
    "",
    "a\nb",
    "\x1a",
)


def test_hostile_names_of_tables_and_columns(database: Database) -> None:
    for name in (*NAMES, "n" * database.product.identifier_limit):
        _written_and_read(database, name)


def _written_and_read(database: Database, name: str) -> None:
    columns = {"id": pa.int64(), name: pa.float64(), "s": pa.string()}
    target = create(database, name, columns)
    assert [c.name for c in target.columns] == ["id", name, "s"]
    write(database, target, {"id": [1], name: [0.5], "s": ["x"]})
    write(database, target, {"id": [1, 2], name: [1.5, 2.5]}, Write.UPSERT)
    write(database, target, {"id": [2, 3], name: [9.5, 9.5]}, Write.UPDATE)
    expected = [{"id": 1, name: 1.5, "s": "x"}, {"id": 2, name: 9.5, "s": None}]
    assert read(database, target).to_pylist() == expected
    with database.engine.connect() as connection:
        assert read(database, target, connection=connection).to_pylist() == expected
        assert database.product.dependents(connection, target.table) == ()
        assert database.product.unfit(connection, target.table) is None


def test_hostile_texts_as_key_bounds(database: Database) -> None:
    product = database.product
    target = create(database, "texts", {"t": "varchar(60)", "n": pa.int64()}, key=("t",))
    write(database, target, {"t": list(TEXTS), "n": list(range(len(TEXTS)))})
    source = sa.table("texts", sa.column("t"), sa.column("n"))
    column = column_named(target, "t")
    schema = pa.schema([("n", pa.int64())])
    for number, text in enumerate(TEXTS):
        query = sa.select(source.c.n).where(source.c.t == product.literal(text, column))
        batches = product.read(database.engine, query, schema, batch_rows=10)
        assert [n for b in batches for n in b["n"].to_pylist()] == [number], text
        with database.engine.connect() as connection:
            assert connection.scalars(query).all() == [number], text


def test_integers_as_key_bounds(database: Database) -> None:
    target = create(database, "numbers", {"id": pa.int64(), "x": pa.float64()})
    values = [-(2**63) + 1, -1, 0, 2**63 - 1]
    write(database, target, {"id": values, "x": [float(i) for i in range(4)]})
    source = sa.table("numbers", sa.column("id"), sa.column("x"))
    schema = pa.schema([("x", pa.float64())])
    for number, value in enumerate(values):
        bound = database.product.literal(value, column_named(target, "id"))
        query = sa.select(source.c.x).where(source.c.id >= bound, source.c.id <= bound)
        batches = list(database.product.read(database.engine, query, schema, batch_rows=10))
        assert pa.Table.from_batches(batches, schema=schema)["x"].to_pylist() == [number]


@pytest.mark.filterwarnings("ignore:duckdb-engine doesn't yet support reflection on indices")
def test_swap_puts_the_staged_rows_in_place(database: Database) -> None:
    product, engine = database.product, database.engine
    columns = {"id": pa.int64(), "score": pa.float64()}
    target = create(database, "scores", columns)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX by_score ON scores (score)")
    write(database, target, {"id": [1, 2], "score": [0.1, 0.2]})
    before = [i["name"] for i in sa.inspect(engine).get_indexes("scores")]
    staged = create(database, "staged", columns)
    write(database, staged, {"id": [2, 3, 4], "score": [2.0, 3.0, 4.0]})
    if product.transactional_ddl:
        with product.unit(engine, None) as unit:
            product.swap(unit, staged.table, target.table)
        assert [row[0] for row in rows_in(database, target)] == [1, 2]
        assert [row[0] for row in rows_in(database, staged)] == [2, 3, 4]
    with product.unit(engine, None) as unit:
        product.swap(unit, staged.table, target.table)
        unit.commit()
    assert rows_in(database, target) == [(2, 2.0), (3, 3.0), (4, 4.0)]
    inspector = sa.inspect(engine)
    assert not inspector.has_table("staged")
    assert [i["name"] for i in inspector.get_indexes("scores")] == before
    with engine.connect() as connection:
        assert product.keys(connection, target.table).primary == ("id",)
    write(database, target, {"id": [2], "score": [9.0]}, Write.UPSERT)


def test_views_and_foreign_keys_are_dependents(database: Database) -> None:
    product, engine = database.product, database.engine
    target = create(database, "scores", {"id": pa.int64(), "score": pa.float64()})
    with engine.connect() as connection:
        assert product.dependents(connection, target.table) == ()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW latest AS SELECT * FROM scores")
        connection.exec_driver_sql(
            "CREATE TABLE orders (n bigint, score_id bigint, "
            "FOREIGN KEY (score_id) REFERENCES scores (id))"
        )
    with engine.connect() as connection:
        found = " ".join(product.dependents(connection, target.table))
    assert "latest" in found
    assert "orders" in found
