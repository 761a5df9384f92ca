"""What MySQL's and MariaDB's catalogue tells: columns, keys, and tables without transactions."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from sqlscore.products import generic
from sqlscore.products.mysql.types import meaning, spelled
from sqlscore.products.product import Keys
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import Connection, FromClause, Table
    from sqlalchemy.sql.compiler import SQLCompiler

#: execution options for a text that has no parameters, so a % in it is itself
LITERALLY = {"no_parameters": True}


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery; `declared` with its collation.

    A subquery is described from its first rows where no temporary table may be made.
    """
    with translated(f"describing {relation.description}"):
        try:
            return _described(connection, relation)
        except sa.exc.DBAPIError as error:
            if isinstance(relation, sa.Table) or not _no_right(error):
                raise
    return generic.describe(connection, relation)


def keys(connection: Connection, table: Table) -> Keys:
    """The keys as the server shows them; none for a view, or where there is no such table.

    SQLAlchemy reads the text of CREATE TABLE, and finds no key where a name has a backtick.
    """
    with translated(f"looking for the keys of {table.fullname}"):
        statement = f"SHOW INDEX FROM {qualified(table)}"
        try:
            shown = connection.exec_driver_sql(statement, execution_options=LITERALLY).all()
        except sa.exc.ProgrammingError as error:
            if error.orig is not None and error.orig.args[:1] == (_NO_TABLE,):
                return Keys()
            raise
    found: dict[str, list[str | None]] = {}
    for row in sorted(shown, key=lambda row: row.Seq_in_index):
        if not row.Non_unique:
            found.setdefault(row.Key_name, []).append(row.Column_name)
    # an expression in an index has no name
    unique = {name: tuple(filter(None, columns)) for name, columns in found.items() if all(columns)}
    primary = unique.pop("PRIMARY", ())
    return Keys(primary=primary, unique=tuple(unique.values()))


_NO_TABLE = 1146


def _no_right(error: sa.exc.DBAPIError) -> bool:
    """Whether no temporary table may be made: by this account, in this database, or in none."""
    return error.orig is not None and error.orig.args[:1] in ((1142,), (1044,), (1227,), (1046,))


def _described(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery, with `declared` as the product prints it.

    A subquery becomes an empty temporary table for a moment: only that tells its types with their
    collations, which decide what keys are equal. Making one commits nothing.
    """
    if isinstance(relation, sa.Table):
        return _shown(connection, qualified(relation))
    name = f"sqlscore_{secrets.token_hex(8)}"
    connection.execute(EmptyCopy(name, sa.select(sa.text("*")).select_from(relation)))
    try:
        return _shown(connection, name)
    finally:
        connection.execute(sa.text(f"DROP TEMPORARY TABLE {name}"))


class EmptyCopy(sa.sql.expression.Executable, sa.sql.expression.ClauseElement):
    """A temporary table with the columns of a query, types and collations too, and no rows."""

    inherit_cache = False

    def __init__(self, name: str, query: sa.Select[Any]) -> None:
        self.name = name
        self.query = query


@compiles(EmptyCopy)
def _create(element: EmptyCopy, compiler: SQLCompiler, **kw: Any) -> str:
    return (
        f"CREATE TEMPORARY TABLE {element.name} AS {compiler.process(element.query.limit(0), **kw)}"
    )


def _shown(connection: Connection, table: str) -> tuple[Column, ...]:
    statement = f"SHOW FULL COLUMNS FROM {table}"
    found = connection.exec_driver_sql(statement, execution_options=LITERALLY)
    return tuple(
        Column(
            name=row.Field,
            type=meaning(row.Type.lower()),
            declared=spelled(row.Type, row.Collation),
            nullable=row.Null == "YES",
        )
        for row in found
    )


def unfit(connection: Connection, table: Table) -> str | None:
    """A table whose engine has no transactions cannot take a range's rows and its mark as one."""
    found = connection.execute(
        sa.text("""
            SELECT t.table_type, t.engine, e.transactions
              FROM information_schema.tables t
              LEFT JOIN information_schema.engines e ON e.engine = t.engine
             WHERE t.table_schema = COALESCE(:schema, DATABASE()) AND t.table_name = :name
        """),
        {"schema": table.schema, "name": table.name},
    ).one_or_none()
    if found is None:  # a temporary table, which no other connection sees either
        return None
    kind, engine_name, transactions = found
    if "VIEW" in kind:
        return "it is a view, not a table"
    if transactions == "YES":
        return None
    return (
        f"its storage engine {engine_name} has no transactions, so a killed run would leave half "
        "a range. Run: ALTER TABLE … ENGINE = InnoDB"
    )


def quoted(name: str) -> str:
    """An identifier in backticks, whatever it holds."""
    return f"`{name.replace('`', '``')}`"


def qualified(table: sa.Table) -> str:
    """A table's name, with its database's where it has one, in backticks."""
    return ".".join(quoted(part) for part in (table.schema, table.name) if part)
