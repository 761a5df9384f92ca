"""A table that is written from batches: found or designed, checked, made, filled, swapped in.

How rows are written is the product's (`Unit.write`); which table, with which columns, is decided
here, before the first row is read.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Declared, Target
from sqlscore.relations.catalogue import find_column, find_table
from sqlscore.transports.failures import translated
from sqlscore.types import Column, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Product, Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a run will write: the key, the passed columns, the predictions, their lineage."""

    key: tuple[Column, ...]
    passed: tuple[Column, ...]
    predictions: tuple[Column, ...]  #: `declared` is the product's word for the type
    lineage: tuple[Column, ...] = ()  #: which model, version and run the predictions are of

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of them, in the order in which a new table has them."""
        return (*self.key, *self.passed, *self.predictions, *self.lineage)


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


def check(
    engine: sa.Engine, product: Product, found: Target, wanted: Wanted, *, needs_key: bool
) -> Target:
    """The found table as the target of a run: it has every wanted column, of a type that fits.

    With `needs_key` it must also hold the key unique, by its catalogue. Raises `DatabaseError`
    with the statement that would put a table right; nobody's table is altered behind their back.
    """
    name = found.table.fullname
    lacking = []
    for column in wanted.columns:
        try:
            there = find_column(column.name, found.columns, where=f"the target {name!r}")
        except DatabaseError:
            lacking.append(column)
            continue
        if not _takes(there.type, column.type):
            raise DatabaseError(
                f"column {there.name!r} of the target {name!r} is {there.declared or there.type}, "
                f"and what is to be written there is {column.type}. Choose another target, or "
                "name the prediction otherwise at add: outputs={name: …}"
            )
    if lacking:
        raise DatabaseError(_lacking(engine, found, lacking))
    key = tuple(find_column(c.name, found.columns, where=name).name for c in wanted.key)
    with translated("looking at the target's keys"), engine.connect() as connection:
        keys = product.keys(connection, found.table)
        if needs_key and set(key) not in map(set, (keys.primary, *keys.unique)):
            raise DatabaseError(
                f"the target {name!r} does not hold ({', '.join(key)}) unique, so a row could be "
                "there twice. Add a primary key or a unique index on exactly these columns"
            )
    return dataclasses.replace(found, key=key)


def spelled(wanted: Wanted, found: Target) -> Wanted:
    """The wanted columns in the spelling of a table that has them, where it differs in case."""

    def as_there(column: Column) -> Column:
        try:
            there = find_column(column.name, found.columns, where=found.table.fullname)
        except DatabaseError:  # `check` says what is lacking
            return column
        return dataclasses.replace(column, name=there.name)

    return Wanted(
        key=tuple(map(as_there, wanted.key)),
        passed=tuple(map(as_there, wanted.passed)),
        predictions=tuple(map(as_there, wanted.predictions)),
        lineage=tuple(map(as_there, wanted.lineage)),
    )


def _lacking(engine: sa.Engine, found: Target, lacking: Sequence[Column]) -> str:
    quote = engine.dialect.identifier_preparer
    table = quote.format_table(found.table)
    statements = "; ".join(
        f"ALTER TABLE {table} ADD {quote.quote(column.name)} {column.declared}"
        for column in lacking
    )
    has = ", ".join(column.name for column in found.columns)
    return (
        f"the target {found.table.fullname!r} is there and lacks "
        f"{', '.join(repr(column.name) for column in lacking)}. It has: {has}. "
        f"Add what is missing ({statements}), or choose another target"
    )


def _takes(there: pa.DataType, given: pa.DataType) -> bool:
    """Whether a column takes values of a type without making other values of them."""
    if pa.types.is_null(there) or pa.types.is_null(given) or there == given:
        return True
    if pa.types.is_floating(given):
        return bool(pa.types.is_floating(there) or pa.types.is_decimal(there))
    if is_number(given):
        return is_number(there)  # what does not fit is refused when it is written
    return is_text(there) or bool(pa.types.is_list(given) == pa.types.is_list(there))


def make(unit: Unit, target: Target) -> None:
    """Create the table, as part of the unit where the product's DDL is."""
    unit.execute(sa.schema.CreateTable(target.table))


def relation(target: Target) -> sa.TableClause:
    """The table with all of its columns, to be named in a query."""
    names = [column.name for column in target.columns]
    return sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)


def refill(
    unit: Unit,
    staged: sa.Table,
    target: Target,
    names: Sequence[str],
    slice_: sa.ColumnElement[bool] | None = None,
) -> None:
    """Give the target exactly the staged rows, in one transaction; the table itself stays.

    With `slice_`, a condition on the target's rows, only those are replaced; a staged row whose key
    the target has outside of it is a `DatabaseError`.
    """
    into = relation(target)
    new = sa.table(staged.name, *map(sa.column, names), schema=staged.schema)
    if slice_ is None:
        unit.execute(sa.delete(into))
    else:
        unit.execute(sa.delete(into).where(slice_))
        _refuse_outside(unit, new, into, target.key)
    rows: sa.Select[Any] = sa.select(*new.columns)
    unit.execute(sa.insert(into).from_select(list(names), rows))


def _refuse_outside(
    unit: Unit, new: sa.TableClause, into: sa.TableClause, key: Sequence[str]
) -> None:
    """After the slice's rows are deleted, no key of the new rows may be there."""
    twice = sa.select(sa.literal(1)).select_from(into).where(*(into.c[k] == new.c[k] for k in key))
    query = sa.select(sa.func.count()).select_from(new).where(twice.exists())
    ((rows,),) = unit.fetch(query)
    if rows:
        raise DatabaseError(
            f"{rows:,} rows of the slice have a key ({', '.join(key)}) that the target has outside "
            "of the slice, and nothing there is touched. If the same key may be in several slices, "
            "make the slice's column a part of it (key=); if the rows have moved, refill the "
            "slice that they were in first"
        )


def storable(batch: pa.RecordBatch, product: Product) -> pa.RecordBatch:
    """The batch with NULL in place of the NaN and ±inf that the product cannot hold."""
    if product.nan and product.infinity:
        return batch
    arrays = [_storable(array, product) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _storable(array: pa.Array, product: Product) -> pa.Array:
    if not pa.types.is_floating(array.type):
        return array
    kept = pc.is_finite(array) if not product.infinity else pc.invert(pc.is_nan(array))
    if pc.all(kept).as_py() is not False:  # None: every value is NULL already
        return array
    return pc.if_else(kept, array, pa.scalar(None, array.type))
