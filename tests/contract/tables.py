"""Tables for contract tests: made, filled, read and looked at on any product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products.product import Declared, Target, Write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.types import Column
    from tests.fixtures.databases import Database


def create(
    database: Database,
    name: str,
    columns: Mapping[str, pa.DataType | str],
    key: Sequence[str] = ("id",),
) -> Target:
    """A new table; a column's type is an Arrow type or the product's own words."""
    declare = database.product.declare
    table = sa.Table(
        name,
        sa.MetaData(),
        *(
            sa.Column(
                column,
                Declared(type_ if isinstance(type_, str) else declare(type_)),
                primary_key=column in key,
                autoincrement=False,
                nullable=column not in key,
            )
            for column, type_ in columns.items()
        ),
    )
    table.create(database.engine)
    return target_of(database, table, key)


def target_of(database: Database, table: sa.Table, key: Sequence[str] = ("id",)) -> Target:
    with database.engine.connect() as connection:
        columns = database.product.describe(connection, table)
    return Target(table=table, columns=columns, key=tuple(key))


def write(
    database: Database,
    target: Target,
    rows: pa.RecordBatch | Mapping[str, Any],
    how: Write = Write.INSERT,
) -> int:
    """Write in a unit of its own, and commit."""
    batch = rows if isinstance(rows, pa.RecordBatch) else pa.record_batch(dict(rows))
    with database.product.unit(database.engine, None) as unit:
        written = unit.write(target, [batch], how)
        unit.commit()
    return written


def select(
    database: Database, target: Target, types: Mapping[str, pa.DataType] | None = None
) -> tuple[sa.Select[Any], pa.Schema]:
    """The query and schema that read a table's columns, by its key; as carried, or as `types`."""
    product = database.product
    chosen = {c.name: c for c in target.columns if types is None or c.name in types}
    wanted = types or {name: product.carried(c) for name, c in chosen.items()}
    source = sa.table(target.table.name, *(sa.column(c.name) for c in target.columns))
    projected = (
        product.project(source.c[name], chosen[name], type_).label(name)
        for name, type_ in wanted.items()
    )
    query = sa.select(*projected).order_by(*(source.c[k] for k in target.key))
    return query, pa.schema(list(wanted.items()))


def read(
    database: Database,
    target: Target,
    types: Mapping[str, pa.DataType] | None = None,
    connection: sa.Connection | None = None,
    batch_rows: int = 65_536,
) -> pa.Table:
    """The table's rows, by its key, as the product reads them."""
    query, schema = select(database, target, types)
    batches = database.product.read(
        database.engine, query, schema, batch_rows=batch_rows, connection=connection
    )
    return pa.Table.from_batches(list(batches), schema=schema)


def column_named(target: Target, name: str) -> Column:
    return next(c for c in target.columns if c.name == name)


def rows_in(
    database: Database, target: Target, names: Sequence[str] | None = None
) -> list[tuple[Any, ...]]:
    """The rows as SQLAlchemy gives them, by the key, over a connection of their own."""
    source = sa.table(target.table.name, *(sa.column(c.name) for c in target.columns))
    chosen = (source.c[n] for n in names or source.c.keys())
    query = sa.select(*chosen).order_by(*(source.c[k] for k in target.key))
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]
