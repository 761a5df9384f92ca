"""What DuckDB's catalogue says of a table, and one table put in another's place."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products.product import Keys
from sqlscore.products.renaming import take_place
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

    from sqlscore.products.product import Unit


def keys(connection: Connection, table: Table) -> Keys:
    """The primary key and the unique constraints."""
    with translated(f"looking for the keys of {table.fullname}"):
        found = connection.execute(
            _about(
                table,
                "duckdb_constraints",
                "table_name",
                "constraint_type",
                "constraint_column_names",
            )
        ).all()
    return Keys(
        primary=next((tuple(columns) for kind, columns in found if kind == "PRIMARY KEY"), ()),
        unique=tuple(tuple(columns) for kind, columns in found if kind == "UNIQUE"),
    )


def unfit(connection: Connection, table: Table) -> str | None:
    """A view takes no rows."""
    with translated(f"looking at {table.fullname}"):
        found = connection.execute(_about(table, "duckdb_views", "view_name", "sql")).first()
    return "it is a view" if found is not None else None


def _about(table: Table, catalogue: str, column: str, *wanted: str) -> sa.Select[Any]:
    """Ask a catalogue function for the `wanted` of the rows whose `column` names the table."""
    rows = sa.func.__getattr__(catalogue)().table_valued(
        *wanted, column, "schema_name", "database_name", name="rows"
    )
    return sa.select(*(rows.c[name] for name in wanted)).where(
        rows.c.database_name == sa.func.current_database(),
        rows.c.schema_name == (table.schema or sa.func.current_schema()),
        rows.c[column] == table.name,
    )


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """Views whose text names the table, and tables with a foreign key that points to it.

    Views are bound anew at each use, and a table with a foreign key cannot be dropped; a name in
    a text counts too, since refilling is always right.
    """
    named = re.compile(rf"(?<!\w){re.escape(table.name)}(?!\w)", re.IGNORECASE)
    views = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal"
    keys = (
        "SELECT DISTINCT table_name, referenced_table FROM duckdb_constraints() "
        "WHERE constraint_type = 'FOREIGN KEY'"
    )
    with translated(f"looking for what depends on {table.fullname}"):
        found = [
            f"view {name}"
            for name, text in connection.exec_driver_sql(views)
            if named.search(text.replace('""', '"'))
        ]
        found += [
            f"foreign key of {name}"
            for name, referenced in connection.exec_driver_sql(keys)
            if referenced.casefold() == table.name.casefold() != name.casefold()
        ]
    return tuple(sorted(found))


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Drop the table, give the staged one its name, make the table's indexes anew."""
    indexes = unit.fetch(_about(table, "duckdb_indexes", "table_name", "sql"))
    take_place(unit, staged, table, [text for (text,) in indexes])


def enforced(connection: Connection, table: Table) -> list[str]:
    """CHECK constraints, and the least and largest values that DuckDB knows of each column.

    Those take in every row that a transaction can see, and maybe more.
    """
    constraints = _about(table, "duckdb_constraints", "table_name", "constraint_type", "expression")
    preparer = connection.dialect.identifier_preparer
    name = preparer.format_table(table)
    with translated(f"asking what holds of {table.fullname}"):
        found = [text for kind, text in connection.execute(constraints) if kind == "CHECK"]
        empty = connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0")  # noqa: S608
        columns = [preparer.quote_identifier(one) for one in empty.keys()]  # noqa: SIM118 - no mapping
        statistics = ", ".join(f"stats({column})" for column in columns)
        row = connection.exec_driver_sql(f"SELECT {statistics} FROM {name} LIMIT 1").one_or_none()  # noqa: S608
    for column, known in zip(columns, row or (), strict=False):
        if isinstance(known, dict):  # older versions give a text
            found += _told(column, known)
    return found


def _told(column: str, statistics: dict[str, Any]) -> Iterator[str]:
    for bound, comparison in (("min", ">="), ("max", "<=")):
        value = statistics.get(bound)
        if isinstance(value, int | float | Decimal) and math.isfinite(value):
            yield f"{column} {comparison} {value}"
    if statistics.get("has_null") is False:
        yield f"{column} IS NOT NULL"
