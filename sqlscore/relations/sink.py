"""A table that is written from batches: found or designed, and made.

How rows are written is the product's (`Unit.write`); which table, with which columns, is decided
before the first row is read: here, and by `fitting` where the table is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Declared, Target
from sqlscore.relations.catalogue import find_table
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Product, Unit
    from sqlscore.relations.fitting import Wanted
    from sqlscore.types import Column


def find(engine: sa.Engine, product: Product, name: str) -> Target | None:
    """The table of that name as it is, with no key chosen; None if there is none."""
    with translated(f"looking for {name!r}", url=engine.url), engine.connect() as connection:
        table = find_table(connection, product, name)
        if table is None:
            return None
        reason = product.unfit(connection, table)
        if reason:
            raise DatabaseError(f"{name!r} cannot be a target: {reason}")
        columns = product.describe(connection, table)
    return Target(table=table, columns=columns, key=())


def existing(engine: sa.Engine, product: Product, name: str) -> Target:
    """The table of that name; `DatabaseError` if there is none."""
    found = find(engine, product, name)
    if found is None:
        raise DatabaseError(f"the target {name!r} is not there any more")
    return found


def named(engine: sa.Engine, product: Product, name: str) -> sa.Table:
    """The table of that name, whether it is there or yet to be made."""
    found = find(engine, product, name)
    if found is not None:
        return found.table
    table, schema = _named(product, name)
    return sa.Table(table, sa.MetaData(), schema=schema)


def design(product: Product, name: str, wanted: Wanted) -> Target:
    """A table that is yet to be made, with the wanted columns and the key as its primary key."""
    columns = wanted.columns
    if len(columns) > product.column_limit:
        raise DatabaseError(
            f"{product.name} holds at most {product.column_limit} columns a table, and the target "
            f"would have {len(columns)}. Pass fewer columns, or drop= predictions at add"
        )
    return described(_named(product, name), columns, wanted.key)


def _named(product: Product, name: str) -> tuple[str, str | None]:
    """Name and schema of a table to be made: ``schema.table``, or a name that is no such form."""
    try:
        table = exp.to_table(name, dialect=product.dialect)
    except (SqlglotError, ValueError):
        return name, None
    if not table.name or table.alias:
        return name, None
    return table.name, ".".join(part.name for part in table.parts[:-1]) or None


def described(
    name: tuple[str, str | None], columns: Sequence[Column], key: Sequence[Column]
) -> Target:
    """A table yet to be made: its name and schema, its columns, and those of its primary key."""
    keys = {column.name for column in key}
    table = sa.Table(
        name[0],
        sa.MetaData(),
        *(
            sa.Column(
                column.name,
                Declared(column.declared or ""),
                primary_key=column.name in keys,
                autoincrement=False,
                nullable=column.name not in keys,
            )
            for column in columns
        ),
        schema=name[1],
    )
    return Target(table=table, columns=tuple(columns), key=tuple(column.name for column in key))


def beside(target: Target, name: str, wanted: Wanted) -> Target:
    """A table yet to be made in the target's own schema, with the wanted columns and key."""
    return described((name, target.table.schema), wanted.columns, wanted.key)


def place(engine: sa.Engine, product: Product, name: str) -> str:
    """One text for one table, however it is typed: what a lease is taken on, and `find` finds."""
    found = find(engine, product, name)
    if found is not None:
        table, schema = found.table.name, found.table.schema
    else:
        table, schema = _named(product, name)
    with translated("asking for the schema", url=engine.url), engine.connect() as connection:
        here = sa.inspect(connection).default_schema_name
    if schema is None or schema == here:
        return table
    plain = schema.isidentifier() and table.isidentifier()
    return exp.table_(table, db=schema, quoted=not plain).sql(dialect=product.dialect)


def make(unit: Unit, target: Target) -> None:
    """Create the table, as part of the unit where the product's DDL is."""
    unit.execute(sa.schema.CreateTable(target.table))


def relation(target: Target) -> sa.TableClause:
    """The table with all of its columns, to be named in a query."""
    names = [column.name for column in target.columns]
    return sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)
