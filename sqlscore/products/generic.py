"""Any SQLAlchemy dialect: a form of every function of `Product` that needs nothing special.

A product takes the ones that suit it as they are, and replaces the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.arrow_types import arrow_type, carried, sql_type
from sqlscore.products.dbapi_unit import DbapiUnit
from sqlscore.products.product import Keys, Product
from sqlscore.transports.dbapi import read_rows
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Table
    from sqlalchemy.engine.interfaces import ReflectedIndex

    from sqlscore.products.product import Unit

#: SQLAlchemy's name of a dialect -> sqlglot's, where they differ
_SQLGLOT = {"mssql": "tsql", "postgresql": "postgres", "mariadb": "mysql", "awsathena": "athena"}
_SAMPLE = 100  # rows whose values tell an untyped column's type


def engine(url: URL, **pool: int) -> Engine:
    """SQLAlchemy's own engine for the URL."""
    return sa.create_engine(url, **pool)


def absent(_engine: Engine) -> bool:
    """No: a server says itself that it has no such database."""
    return False


def absent_file(engine: Engine) -> bool:
    """Whether the engine's database is a file that is not there, in a folder that is."""
    name = engine.url.database or ""
    in_memory = name in ("", ":memory:") or name.startswith((":memory:", "file:"))
    return not in_memory and not Path(name).exists() and Path(name).parent.is_dir()


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """A table or view from the inspector, anything else from the values of its first rows.

    `DatabaseError` where the relation is not there or cannot be read.
    """
    with translated(f"describing {relation.description}"):
        if isinstance(relation, sa.Table):
            return _reflected(connection, relation)
        return _sampled(connection, relation)


def _reflected(connection: Connection, table: Table) -> tuple[Column, ...]:
    found = sa.inspect(connection).get_columns(table.name, schema=table.schema)
    return tuple(
        Column(
            name=column["name"],
            type=arrow_type(column["type"]),
            declared=_compiled(column["type"], connection.dialect),
            nullable=column["nullable"],
        )
        for column in found
    )


def _compiled(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str | None:
    try:
        return type_.compile(dialect=dialect)
    except sa.exc.SQLAlchemyError:  # a type that reflection did not know
        return None


def _sampled(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    query = sa.select(sa.text("*")).select_from(relation).limit(_SAMPLE)
    with connection.execute(query) as result:
        names, rows = tuple(result.keys()), result.all()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return tuple(
        Column(name=name, type=_inferred(values))
        for name, values in zip(names, columns, strict=True)
    )


def _inferred(values: tuple[Any, ...]) -> pa.DataType:
    try:
        return pa.infer_type(values)
    except pa.ArrowException:
        return pa.string()


def keys(connection: Connection, table: Table) -> Keys:
    """The keys that the inspector tells of; an index on a part of the rows is none."""
    inspector = sa.inspect(connection)
    name, schema = table.name, table.schema
    with translated(f"looking for the keys of {table.fullname}"):
        try:
            primary = inspector.get_pk_constraint(name, schema)["constrained_columns"]
            constraints = inspector.get_unique_constraints(name, schema)
            indexes = inspector.get_indexes(name, schema)
        except (sa.exc.NoSuchTableError, NotImplementedError):  # a view
            return Keys()
    unique = [tuple(c["column_names"]) for c in constraints]
    unique += [_columns(i) for i in indexes if i["unique"] and _columns(i) and not _partial(i)]
    return Keys(primary=tuple(primary), unique=tuple(unique))


def _columns(index: ReflectedIndex) -> tuple[str, ...]:
    """An index's columns; none where an expression is among them."""
    names = [name for name in index["column_names"] if name is not None]
    return tuple(names) if len(names) == len(index["column_names"]) else ()


def _partial(index: ReflectedIndex) -> bool:
    """Whether an index covers some rows only."""
    options = index.get("dialect_options", {})
    return any(name.endswith("_where") and value for name, value in options.items())


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """The expression itself; a decimal that feeds a number is cast to double."""
    if pa.types.is_decimal(column.type) and pa.types.is_floating(type_):
        expression = sa.cast(expression, sa.Double())
    return expression


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """A bound parameter of the column's type."""
    return sa.bindparam(None, value, type_=sql_type(column.type), unique=True)


def returned(array: pa.Array, column: Column) -> pa.Array:
    """Dates, times and decimals made of the text that carried them; all else as it is."""
    text = pa.types.is_string(array.type) and not pa.types.is_string(column.type)
    if not text or not any(fits(column.type) for fits in _MADE_OF_TEXT):
        return array
    try:
        return array.cast(column.type)
    except pa.ArrowException as error:
        raise DatabaseError(
            f"column {column.name!r} holds a value that {column.type} cannot hold, such as a date "
            "that is none. Select it as text: CAST(… AS nvarchar(max))"
        ) from error


_MADE_OF_TEXT = (pa.types.is_date, pa.types.is_timestamp, pa.types.is_decimal)


def unit(engine: Engine, connection: Connection | None = None) -> DbapiUnit:
    """A unit that writes by plain statements."""
    return DbapiUnit(engine, connection)


def readers_block_commit(_engine: Engine) -> bool:
    """No: readers and writers do not wait for each other."""
    return False


def unfit(_connection: Connection, _table: Table) -> str | None:
    """Nothing is known against any table."""
    return None


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """Foreign keys of other tables, and views of the table's schema: no catalogue tells more.

    A view cannot be told from one on another table, so each one counts.
    """
    inspector = sa.inspect(connection)
    with translated(f"looking for what depends on {table.fullname}"):
        views = [f"view {name}" for name in inspector.get_view_names(schema=table.schema)]
        keys = inspector.get_multi_foreign_keys(schema=table.schema)
    pointing = [
        f"foreign key of {name}"
        for (_, name), found in keys.items()
        for key in found
        if key["referred_table"] == table.name and name != table.name
    ]
    return tuple(sorted(views + pointing))


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Refill the table from the staged one, which is dropped last.

    Where dropping commits, it commits the refilling with it, so readers see the old rows or the
    new ones and nothing between. Grants and indexes stay, since the table does.
    """
    names = [c.name for c in staged.columns]
    unit.execute(table.delete())
    unit.execute(table.insert().from_select(names, sa.select(*staged.columns)))
    unit.execute(sa.schema.DropTable(staged))


def product(dialect: sa.Dialect) -> Product:
    """What is true of a dialect that nobody described: the least that any database can do."""

    def declare(type_: pa.DataType) -> str:
        return sql_type(type_).compile(dialect=dialect)

    return Product(
        name=dialect.name,
        dialect=_SQLGLOT.get(dialect.name, dialect.name),
        schemas=False,
        identifier_limit=min(dialect.max_identifier_length, 30),
        column_limit=250,
        nan=False,
        infinity=False,
        arrays=False,
        transactional_ddl=False,
        row_values=False,
        keyset_walk=False,
        shared=True,
        engine=engine,
        absent=absent,
        describe=describe,
        keys=keys,
        carried=carried,
        returned=returned,
        project=project,
        literal=literal,
        declare=declare,
        read=read_rows,
        unit=unit,
        readers_block_commit=readers_block_commit,
        unfit=unfit,
        dependents=dependents,
        swap=swap,
    )
