"""What a database's catalogue says of a table: its name as it is spelled, its columns, its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlscore.errors import DatabaseError, nearest
from sqlscore.tables import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.product import Product
    from sqlscore.types import Column


def find_table(connection: sa.Connection, product: Product, text: str) -> sa.Table | None:
    """The table or view that a user means, in the catalogue's own spelling; None if there is none.

    The whole text is tried as one name first, so that a name with a dot in it needs no quotes;
    then as ``schema.table``, quoted as the product quotes. Exactly that name wins, else the one
    that differs in upper and lower case only.
    """
    inspector = sa.inspect(connection)
    for schema, name in _readings(text, product):
        if inspector.has_table(name, schema=schema):
            return sa.Table(_spelled(inspector, schema, name), sa.MetaData(), schema=schema)
    for schema, name in _readings(text, product):
        alike = [n for n in _names(inspector, schema) if n.casefold() == name.casefold()]
        if len(alike) == 1:
            return sa.Table(alike[0], sa.MetaData(), schema=schema)
        if alike:
            raise DatabaseError(f"{text!r} could be any of the tables {', '.join(alike)}")
    return None


def _readings(text: str, product: Product) -> list[tuple[str | None, str]]:
    readings: list[tuple[str | None, str]] = [(None, text)]
    try:
        table = exp.to_table(text, dialect=product.dialect)
    except (SqlglotError, ValueError):
        return readings
    if table.name and not table.alias:  # "my table" reads as a table and its alias
        schema = ".".join(part.name for part in table.parts[:-1])
        readings.append((schema or None, table.name))
    return list(dict.fromkeys(readings))


def _spelled(inspector: sa.Inspector, schema: str | None, name: str) -> str:
    """A table's name as the catalogue has it, on products that find it in any case."""
    tables = _listed(inspector.get_table_names, schema)
    if name in tables:
        return name
    names = [*tables, *_listed(inspector.get_view_names, schema)]
    alike = [n for n in names if n.casefold() == name.casefold()]
    return alike[0] if name not in names and len(alike) == 1 else name


def _names(inspector: sa.Inspector, schema: str | None) -> list[str]:
    kinds = (inspector.get_table_names, inspector.get_view_names)
    return [name for kind in kinds for name in _listed(kind, schema)]


def _listed(kind: Callable[[str | None], list[str]], schema: str | None) -> list[str]:
    try:
        return kind(schema)
    except (sa.exc.NoSuchTableError, sa.exc.OperationalError):  # no such schema
        return []


def no_table(connection: sa.Connection, text: str) -> str:
    """The message for a name that no table has: what is near, and what there is."""
    ours = ("sqlscore_", f"{schema_of(connection.engine)}_")
    inspector = sa.inspect(connection)
    # by its name: without one, DuckDB's lists the tables of all schemas, and so ours
    there = _names(inspector, inspector.default_schema_name)
    names = [name for name in there if not name.startswith(ours)]
    shown = ", ".join(names[:20]) or "none"
    return f"there is no table or view {text!r}.{nearest(text, names)} Tables here: {shown}"


def find_column(name: str, columns: Sequence[Column], *, where: str) -> Column:
    """The column of exactly that name, else the one that differs in case only."""
    exact = [column for column in columns if column.name == name]
    alike = exact or [c for c in columns if c.name.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    names = [column.name for column in columns]
    if alike:
        raise DatabaseError(f"{name!r} could be any of {[c.name for c in alike]} of {where}")
    raise DatabaseError(
        f"{where} has no column {name!r}.{nearest(name, names)} It has: {', '.join(names)}"
    )
