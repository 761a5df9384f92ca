"""What SQLite's catalogue says of a table, and one table put in another's place."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.renaming import take_place
from sqlscore.products.sqlite import types as sqlite_types
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, FromClause, Table

    from sqlscore.products.product import Unit
    from sqlscore.types import Column

_SAMPLE = 1000  # rows whose values tell the type of a column that declares none


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns by their declared types; one without (an expression) by its first values.

    `pa.null()` where nothing tells the type: no type declared and no value, or values of several
    kinds. `DatabaseError` where the relation is not there or cannot be read.
    """
    with translated(f"describing {relation.description}"):
        if isinstance(relation, sa.Table):
            return _described(connection, relation, relation.name, relation.schema)
        # Only a view's columns have declared types; a query's own are not told to sqlite3.
        name = f"sqlscore_described_{secrets.token_hex(4)}"
        quoted = connection.dialect.identifier_preparer.quote(name)
        query = sa.select(sa.text("*")).select_from(relation)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        connection.exec_driver_sql(f"CREATE TEMP VIEW {quoted} AS {text}")
        try:
            return _described(connection, relation, name, "temp")
        finally:
            connection.exec_driver_sql(f"DROP VIEW temp.{quoted}")


def _described(
    connection: Connection, relation: FromClause, name: str, schema: str | None
) -> tuple[Column, ...]:
    arguments: list[Any] = [name] if schema is None else [name, schema]
    columns = connection.execute(
        sa.select(sa.text('name, type, "notnull", pk, hidden')).select_from(
            sa.func.pragma_table_xinfo(*arguments)
        )
    ).all()
    visible = [c for c in columns if c.hidden != 1]
    if not visible:
        raise DatabaseError(f"there is no table or view {name!r}")
    bare = [c.name for c in visible if not c.type]
    kinds = _kinds(connection, relation, bare) if bare else {}
    expressions = not isinstance(relation, sa.Table) or _is_view(connection, relation)
    return tuple(
        sqlite_types.column(
            c.name,
            c.type or (None if expressions else ""),
            kinds.get(c.name, frozenset()),
            nullable=not (c.notnull or c.pk),
        )
        for c in visible
    )


def _is_view(connection: Connection, table: Table) -> bool:
    master = _master(table.schema)
    query = sa.select(master.c.type).where(sa.func.lower(master.c.name) == table.name.lower())
    return connection.scalar(query.where(master.c.type.in_(("view", "table")))) == "view"


def _kinds(
    connection: Connection, relation: FromClause, names: list[str]
) -> dict[str, frozenset[str]]:
    kinds = [sa.func.typeof(sa.column(name)).label(f"kind_{i}") for i, name in enumerate(names)]
    rows = connection.execute(sa.select(*kinds).select_from(relation).limit(_SAMPLE)).all()
    found = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: frozenset(f) - {"null"} for name, f in zip(names, found, strict=True)}


def _master(schema: str | None) -> sa.TableClause:
    names = ("type", "name", "tbl_name", "sql")
    return sa.table("sqlite_master", *map(sa.column, names), schema=schema)


def unfit(connection: Connection, table: Table) -> str | None:
    """A view or a virtual table takes no rows with the promise of a transaction's own table."""
    master = _master(table.schema)
    query = sa.select(master.c.type, master.c.sql).where(
        sa.func.lower(master.c.name) == table.name.lower(), master.c.type.in_(("table", "view"))
    )
    with translated(f"looking at table {table.fullname}"):
        found = connection.execute(query).first()
    if found is None:
        return None
    if found.type == "view":
        return "it is a view"
    if re.match(r"\s*CREATE\s+VIRTUAL\s", found.sql or "", re.IGNORECASE):
        return "it is a virtual table, which need not roll back"
    return None


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """Views and triggers whose text names the table, and foreign keys that point to it."""
    master = _master(table.schema)
    texts = sa.select(master.c.type, master.c.name, master.c.tbl_name, master.c.sql).where(
        master.c.type.in_(("view", "trigger"))
    )
    keys = sa.func.pragma_foreign_key_list(master.c.name).table_valued("table", name="keys")
    pointing = (
        sa.select(master.c.name)
        .select_from(master.join(keys, sa.true()))
        .where(
            master.c.type == "table",
            sa.func.lower(keys.c.table) == table.name.lower(),
            sa.func.lower(master.c.name) != table.name.lower(),
        )
        .distinct()
    )
    # A name in a comment or a text counts too: refilling is always right, only slower.
    named = re.compile(rf"(?<!\w){re.escape(table.name)}(?!\w)", re.IGNORECASE)
    with translated(f"looking for what depends on {table.fullname}"):
        found = [
            f"{row.type} {row.name}"
            for row in connection.execute(texts)
            if named.search((row.sql or "").replace('""', '"'))
            or row.tbl_name.lower() == table.name.lower()
        ]
        found += [f"foreign key of {name}" for name in connection.scalars(pointing)]
    return tuple(sorted(found))


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Drop the table, give the staged one its name, make the table's indexes anew."""
    master = _master(table.schema)
    indexes = unit.fetch(
        sa.select(master.c.sql).where(
            master.c.type == "index",
            sa.func.lower(master.c.tbl_name) == table.name.lower(),
            master.c.sql.is_not(None),  # those of primary keys and UNIQUE have none
        )
    )
    take_place(unit, staged, table, [text for (text,) in indexes])
