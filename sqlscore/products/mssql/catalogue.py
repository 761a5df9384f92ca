"""What SQL Server's catalogue says of a table: its keys, what hangs on it, how it is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.products.product import Keys
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from sqlscore.products.product import Unit

LOCK_SECONDS = 3  #: that a swap waits for the readers of the old table, each time it is tried

_UNIQUE = sa.text("""
    SELECT i.index_id, i.is_primary_key, c.name
      FROM sys.objects o
      JOIN sys.schemas s ON s.schema_id = o.schema_id
      JOIN sys.indexes i ON i.object_id = o.object_id
      JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
      JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
     WHERE o.name = :name AND s.name = :schema AND i.is_unique = 1 AND i.has_filter = 0
       AND i.is_disabled = 0 AND x.is_included_column = 0
     ORDER BY i.index_id, x.key_ordinal
""")
_KIND = sa.text("""
    SELECT o.type, t.is_memory_optimized, t.is_external
      FROM sys.objects o
      JOIN sys.schemas s ON s.schema_id = o.schema_id
      LEFT JOIN sys.tables t ON t.object_id = o.object_id
     WHERE o.name = :name AND s.name = :schema
""")
# What a swap would lose or is refused for, also what it does not copy. Views and procedures go by
# name and would see the new table; views are kept out of it nevertheless, since the columns that
# they show are fixed when they are made.
_DEPENDENTS = sa.text("""
    WITH it AS (
        SELECT o.object_id
          FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
         WHERE o.name = :name AND s.name = :schema
    )
    SELECT CONCAT(CASE WHEN o.type = 'V' THEN 'view ' ELSE 'schema-bound ' END,
                  s.name, '.', o.name) AS what
      FROM it JOIN sys.sql_expression_dependencies d ON d.referenced_id = it.object_id
      JOIN sys.objects o ON o.object_id = d.referencing_id
      JOIN sys.schemas s ON s.schema_id = o.schema_id
     WHERE o.type = 'V' OR d.is_schema_bound_reference = 1
    UNION
    SELECT CONCAT('foreign key ', f.name, ' of ', o.name)
      FROM it
      JOIN sys.foreign_keys f ON it.object_id IN (f.parent_object_id, f.referenced_object_id)
      JOIN sys.objects o ON o.object_id = f.parent_object_id
    UNION
    SELECT CONCAT('trigger ', t.name) FROM it JOIN sys.triggers t ON t.parent_id = it.object_id
    UNION
    SELECT CONCAT('check constraint ', c.name)
      FROM it JOIN sys.check_constraints c ON c.parent_object_id = it.object_id
    UNION
    SELECT CONCAT('default ', c.name)
      FROM it JOIN sys.default_constraints c ON c.parent_object_id = it.object_id
    UNION
    SELECT CONCAT('identity column ', c.name)
      FROM it JOIN sys.identity_columns c ON c.object_id = it.object_id
    UNION
    SELECT CONCAT('index ', i.name) FROM it JOIN sys.indexes i ON i.object_id = it.object_id
     WHERE i.type > 0 AND i.is_primary_key = 0
       AND (i.type <> 2 OR i.has_filter = 1 OR i.is_disabled = 1 OR i.is_unique_constraint = 1)
    UNION
    SELECT 'permissions' FROM it JOIN sys.database_permissions p ON p.major_id = it.object_id
     WHERE p.class = 1
    UNION
    SELECT 'row-level security'
      FROM it JOIN sys.security_predicates p ON p.target_object_id = it.object_id
    UNION
    SELECT 'extended properties'
      FROM it JOIN sys.extended_properties p ON p.major_id = it.object_id WHERE p.class = 1
    UNION
    SELECT 'change tracking' FROM it JOIN sys.change_tracking_tables t ON t.object_id = it.object_id
    UNION
    SELECT 'a full-text index' FROM it JOIN sys.fulltext_indexes i ON i.object_id = it.object_id
    UNION
    SELECT 'partitions or compression' FROM it JOIN sys.partitions p ON p.object_id = it.object_id
     WHERE p.partition_number > 1 OR p.data_compression > 0
    UNION
    SELECT 'history, capture or publication' FROM it JOIN sys.tables t ON t.object_id = it.object_id
     WHERE t.temporal_type > 0 OR t.is_tracked_by_cdc = 1 OR t.is_published = 1
     ORDER BY what
""")
_INDEXES = sa.text("""
    SELECT i.name AS index_name, i.is_unique, c.name AS column_name, x.is_included_column,
           x.is_descending_key
      FROM sys.objects o
      JOIN sys.schemas s ON s.schema_id = o.schema_id
      JOIN sys.indexes i ON i.object_id = o.object_id
      JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
      JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
     WHERE o.name = :name AND s.name = :schema AND i.is_primary_key = 0 AND i.type = 2
     ORDER BY i.name, x.key_ordinal, x.index_column_id
""")


def _named(connection: Connection, table: Table) -> dict[str, str]:
    schema = table.schema or connection.dialect.default_schema_name
    return {"name": table.name, "schema": str(schema)}


def keys(connection: Connection, table: Table) -> Keys:
    """The primary key and the unique indexes; one on a part of the rows is none."""
    with translated(f"looking for the keys of {table.fullname}"):
        rows = connection.execute(_UNIQUE, _named(connection, table)).all()
    found: dict[tuple[bool, int], list[str]] = {}
    for row in rows:
        found.setdefault((bool(row.is_primary_key), row.index_id), []).append(row.name)
    primary = [tuple(names) for (is_primary, _), names in found.items() if is_primary]
    unique = tuple(tuple(names) for (is_primary, _), names in found.items() if not is_primary)
    return Keys(primary=primary[0] if primary else (), unique=unique)


def unfit(connection: Connection, table: Table) -> str | None:
    """A view, and a table of another kind, cannot take a range's rows and its mark as one."""
    row = connection.execute(_KIND, _named(connection, table)).one_or_none()
    if row is None:
        return None
    if row.type.strip() == "V":
        return "it is a view, not a table"
    if row.is_external:
        return "it is an external table, whose rows do not commit with this database's transaction"
    if row.is_memory_optimized:
        return "it is memory-optimized, and takes no part in transactions as others do"
    return None


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """What would be lost with the table, or keeps it from being replaced, by kind and name."""
    with translated(f"looking for what depends on {table.fullname}"):
        return tuple(connection.scalars(_DEPENDENTS, _named(connection, table)))


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Rename the staged table into the place of `table`, which is dropped, in the unit.

    Indexes are made before the old table is locked, under the same names: they are each table's
    own. What else a table can have is among `dependents`, and then it is refilled instead.
    """
    names = {"name": table.name, "schema": table.schema or _default_schema(unit)}
    _copy_indexes(unit, staged, names)
    # everybody who comes after a lock that waits waits too: rather give up, and try again later
    unit.execute(sa.text(f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}"))
    try:
        unit.execute(sa.schema.DropTable(table))
        old = ".".join(_quoted(part) for part in (names["schema"], staged.name))
        rename = sa.text("EXEC sp_rename :old, :new")
        unit.execute(rename.bindparams(old=old, new=table.name))
    finally:  # the session goes back to the pool
        unit.execute(sa.text("SET LOCK_TIMEOUT -1"))


def _default_schema(unit: Unit) -> str:
    return str(unit.fetch(sa.text("SELECT SCHEMA_NAME()"))[0][0])


def _copy_indexes(unit: Unit, staged: Table, old: dict[str, str]) -> None:
    found: dict[tuple[str, bool], list[tuple[str, bool, bool]]] = {}
    for name, unique, *column in unit.fetch(_INDEXES.bindparams(**old)):
        found.setdefault((name, bool(unique)), []).append(tuple(column))
    for (name, unique), columns in found.items():
        table = sa.Table(
            staged.name, sa.MetaData(), *(sa.Column(c) for c, *_ in columns), schema=staged.schema
        )
        keys = [
            table.c[c].desc() if descending else table.c[c]
            for c, included, descending in columns
            if not included
        ]
        extra = [c for c, included, _ in columns if included]
        index = sa.Index(name, *keys, unique=unique, mssql_include=extra)
        unit.execute(sa.schema.CreateIndex(index))


def _quoted(name: str) -> str:
    return f"[{name.replace(']', ']]')}]"
