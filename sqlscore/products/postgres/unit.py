"""One transaction that writes to PostgreSQL, by COPY.

Rows go by binary COPY. Straight into the target they go where nothing must be cast from text and
no key of theirs can be there; else into a temporary table, and from there by one statement.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from sqlscore.products.dbapi_unit import DbapiUnit
from sqlscore.products.postgres.text import into
from sqlscore.products.postgres.types import MOMENTS, bare, carried, declare, literal
from sqlscore.products.product import Declared, Write
from sqlscore.transports.copy import copy_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Target
    from sqlscore.types import Column

_DUPLICATE = "23505"


class CopyUnit(DbapiUnit):
    """`products.product.Unit` over psycopg."""

    def __enter__(self) -> Self:
        self._staged: dict[tuple[str, pa.Schema], sa.Table] = {}
        self._numbers = itertools.count(1)
        return super().__enter__()

    def _column_type(self, column: Column, given: pa.DataType) -> pa.DataType:
        """Arrays and times of a batch go as such; what was carried as text goes back as text."""
        if pa.types.is_list(given) and pa.types.is_list(column.type):
            return column.type
        if given == column.type and given in MOMENTS:
            return given
        return carried(column)

    def _write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> None:
        if how is Write.UPDATE and not set(batches[0].schema.names) - set(target.key):
            return  # nothing but the key: there is nothing to change
        straight = all(_same(c, batches[0].schema) for c in target.columns)
        if straight and how is Write.INSERT:
            self._copy(target.table, batches)
        elif not (straight and how is Write.UPSERT and self._inserted(target, batches)):
            self._by_staging(target, batches, how)

    def _copy(self, table: sa.Table, batches: Sequence[pa.RecordBatch]) -> None:
        driver: Any = self.connection.connection.driver_connection
        copy_in(driver, into(table, batches[0].schema.names), batches)

    def _inserted(self, target: Target, batches: Sequence[pa.RecordBatch]) -> bool:
        """Try COPY where no row lies between the least and the greatest key of the batches."""
        bounds = _bounds(target, batches)
        if bounds is None:
            return False
        low, high = bounds
        key = sa.tuple_(*(sa.column(k) for k in target.key))
        there: sa.Select[Any] = sa.select(sa.literal(1)).select_from(_named(target.table))
        there = there.where(key >= low, key <= high).limit(1)
        if self.connection.execute(there).first() is not None:
            return False
        savepoint = self.connection.begin_nested()
        try:
            self._copy(target.table, batches)
        except Exception as error:
            savepoint.rollback()
            if getattr(error, "sqlstate", None) != _DUPLICATE:
                raise
            return False  # someone else was quicker: those rows are updated
        savepoint.commit()
        return True

    def _by_staging(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> None:
        schema = batches[0].schema
        staged = self._staging(target, schema)
        self._copy(staged, batches)
        columns = {c.name: c for c in target.columns}
        values = {f.name: _restored(staged.c[f.name], columns[f.name], f.type) for f in schema}
        self.connection.execute(_statement(target, staged, values, how))
        self.connection.execute(sa.delete(staged))

    def _staging(self, target: Target, schema: pa.Schema) -> sa.Table:
        """A temporary table for the schema, made once in the unit; gone when it ends."""
        slot = (target.table.fullname, schema)
        if slot not in self._staged:
            table = sa.Table(
                f"sqlscore_staged_{next(self._numbers)}",
                sa.MetaData(),
                *(sa.Column(f.name, Declared(declare(f.type))) for f in schema),
                prefixes=["TEMPORARY"],
                postgresql_on_commit="DROP",
            )
            self.connection.execute(sa.schema.CreateTable(table))
            self._staged[slot] = table
        return self._staged[slot]


def _same(column: Column, schema: pa.Schema) -> bool:
    """Whether the bytes of the batch's column are those of the target's type."""
    position = schema.get_field_index(column.name)
    if position < 0:
        return True
    return schema.field(position).type == column.type and _plain(column)


def _plain(column: Column) -> bool:
    native = declare(column.type)
    return bare(column) == native or bare(column) in ("text", "character varying", "bpchar")


def _restored(
    staged: sa.ColumnElement[Any], column: Column, type_: pa.DataType
) -> sa.ColumnElement[Any]:
    """Text made the column's own type again; assignment then sees to length and scale."""
    if pa.types.is_string(type_) and bare(column) not in ("text", "character varying", "bpchar"):
        type_name = bare(column)
        return sa.cast(staged, Declared("varbit" if type_name == '"bit"' else type_name))
    return staged


def _named(table: sa.Table) -> sa.TableClause:
    return sa.table(table.name, schema=table.schema)


def _bounds(target: Target, batches: Sequence[pa.RecordBatch]) -> tuple[sa.Tuple, sa.Tuple] | None:
    """The least and the greatest key; None where only the database could tell which they are."""
    columns = {c.name: c for c in target.columns}
    keys = pa.Table.from_batches(batches).select(list(target.key))
    if not all(pa.types.is_integer(c.type) and not c.null_count for c in keys.columns):
        return None
    order = pc.sort_indices(keys, sort_keys=[(k, "ascending") for k in target.key])
    low, high = (
        sa.tuple_(*(literal(keys[k][order[i].as_py()].as_py(), columns[k]) for k in target.key))
        for i in (0, -1)
    )
    return low, high


def _statement(
    target: Target, staged: sa.Table, values: dict[str, sa.ColumnElement[Any]], how: Write
) -> sa.Insert | sa.Update:
    table = sa.table(target.table.name, *(sa.column(n) for n in values), schema=target.table.schema)
    changed = [n for n in values if n not in target.key]
    if how is Write.UPDATE:
        same = [table.c[k] == values[k] for k in target.key]
        return sa.update(table).where(*same).values({n: values[n] for n in changed})
    insert = postgresql.insert(table).from_select(
        list(values), sa.select(*values.values()).select_from(staged)
    )
    if how is Write.INSERT:
        return insert
    if not changed:
        return insert.on_conflict_do_nothing(index_elements=list(target.key))
    return insert.on_conflict_do_update(
        index_elements=list(target.key), set_={n: insert.excluded[n] for n in changed}
    )
