"""The steps from one layout to the next, as statements that are still to be run.

A step adds the tables and columns that came in its layout. It leaves out what is there already, so
it can be taken again after a kill, also where every statement commits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from sqlscore.tables.owned import SINCE

if TYPE_CHECKING:
    from collections.abc import Iterator


class AddColumn(sa.schema.ExecutableDDLElement):
    """``ALTER TABLE … ADD …``, which SQLAlchemy itself does not have."""

    def __init__(self, table: sa.Table, column: sa.Column[Any]) -> None:
        self.table = table
        self.column = column


@compiles(AddColumn)
def _add_column(statement: AddColumn, compiler: Any, **_: Any) -> str:
    # without the word COLUMN, which is optional where it is known, and unknown to SQL Server
    table = compiler.preparer.format_table(statement.table)
    return f"ALTER TABLE {table} ADD {compiler.get_column_specification(statement.column)}"


def step(
    connection: sa.Connection, metadata: sa.MetaData, number: int
) -> Iterator[sa.schema.ExecutableDDLElement]:
    """The statements that make what came in one layout, where it is missing, in their order."""
    there = sa.inspect(connection)
    if number == 1 and metadata.schema is not None and not there.has_schema(metadata.schema):
        yield sa.schema.CreateSchema(metadata.schema)
    names = set(there.get_table_names(metadata.schema))
    for table in metadata.tables.values():
        if table.name not in names:
            if table.info[SINCE] == number:
                yield sa.schema.CreateTable(table)
            continue
        new = [c for c in table.columns if c.info.get(SINCE) == number > table.info[SINCE]]
        columns = _columns(connection, table) if new else ()
        yield from (AddColumn(table, column) for column in new if column.name not in columns)


def _columns(connection: sa.Connection, table: sa.Table) -> tuple[str, ...]:
    """The columns that a table has; asked by a query, since not every dialect can reflect."""
    empty = sa.select(sa.text("*")).select_from(table).where(sa.false())
    return tuple(connection.execute(empty).keys())
