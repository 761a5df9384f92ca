"""Putting a staged table in another's place on MySQL and MariaDB, and what forbids it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.products.mysql.catalogue import qualified
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from sqlscore.products.product import Unit

LOCK_SECONDS = 3  #: that a swap waits for the readers of the old table, each time it is tried

# A view's text names its tables in full, in backticks; without the right to see it, it is empty
# and may name any table.
_DEPENDENTS = sa.text("""
    SELECT CONCAT('foreign key ', constraint_name, ' of ', table_schema, '.', table_name) AS what
      FROM information_schema.key_column_usage
     WHERE referenced_table_name IS NOT NULL
       AND ((referenced_table_schema = COALESCE(:schema, DATABASE())
             AND referenced_table_name = :name)
         OR (table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name))
    UNION
    SELECT CONCAT('view ', table_schema, '.', table_name)
      FROM information_schema.views
     WHERE LOCATE(CONCAT('`', REPLACE(COALESCE(:schema, DATABASE()), '`', '``'), '`.`',
                         REPLACE(:name, '`', '``'), '`'), view_definition) > 0
        OR (view_definition = '' AND table_schema = COALESCE(:schema, DATABASE()))
    UNION
    SELECT CONCAT('trigger ', trigger_schema, '.', trigger_name)
      FROM information_schema.triggers
     WHERE event_object_schema = COALESCE(:schema, DATABASE()) AND event_object_table = :name
     ORDER BY what
""")


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """Foreign keys from and to the table, views on it, its triggers; by kind and name."""
    with translated(f"looking for what depends on {table.fullname}"):
        found = connection.scalars(_DEPENDENTS, {"schema": table.schema, "name": table.name})
        return tuple(found)


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Put the old table aside and the staged one in its place in one atomic step; drop the old.

    Grants stay, since they go by name; the staged table gets the other's indexes first. Every
    step commits at once. A kill after the renaming leaves no staged table, so that nobody swaps
    the old rows back, and the old table under the staged one's name with ``_old`` behind it.
    """
    new, old = qualified(staged), qualified(table)
    there = _indexes(unit, new)
    for index in _indexes(unit, old):
        if index not in there:
            _run(unit, f"ALTER TABLE {new} ADD {index}")
    aside = qualified(sa.Table(f"{staged.name[:60]}_old", sa.MetaData(), schema=table.schema))
    # everybody who comes after a lock that waits waits too: rather give up, and try again later
    _run(unit, f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    try:
        _run(unit, f"RENAME TABLE {old} TO {aside}, {new} TO {old}")
    finally:
        _run(unit, "SET SESSION lock_wait_timeout = DEFAULT")
    _run(unit, f"DROP TABLE {aside}")


def _indexes(unit: Unit, table: str) -> list[str]:
    """The table's secondary indexes, each as its definition in DDL."""
    ((_, definition),) = unit.fetch(_text(f"SHOW CREATE TABLE {table}"))
    lines = [line.strip().rstrip(",") for line in definition.splitlines()]
    kinds = ("KEY ", "UNIQUE KEY ", "FULLTEXT KEY ", "SPATIAL KEY ")
    return [line for line in lines if line.startswith(kinds)]


def _text(statement: str) -> sa.TextClause:
    return sa.text(statement.replace(":", "\\:"))


def _run(unit: Unit, statement: str) -> None:
    unit.execute(_text(statement))
