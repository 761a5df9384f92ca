"""A unit that writes with plain statements, for any dialect; products override how they write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products.arrow_types import carried, sql_type
from sqlscore.products.product import Write
from sqlscore.transports.constants import spread
from sqlscore.transports.dbapi import Transaction
from sqlscore.transports.fit import fitted
from sqlscore.transports.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from sqlalchemy import Connection, Engine

    from sqlscore.products.product import Target
    from sqlscore.types import Column

_PARAMETER = "p_{}"  # columns are numbered: their names may hold what no parameter's name can


class DbapiUnit(Transaction):
    """`products.product.Unit` over SQLAlchemy, by executemany.

    An upsert updates, then inserts where the key is still missing; the database compares keys.
    A product overrides `_column_type` where it carries columns in other types, and `_write`.
    """

    def __init__(self, engine: Engine, connection: Connection | None = None) -> None:
        super().__init__(engine, connection)

    def write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> int:
        """Write the batches' rows; the number of rows given."""
        fitting = [self._fitted(target, batch) for batch in batches if batch.num_rows]
        if fitting:
            with self.translated(f"writing to table {target.table.fullname}"):
                self._write(target, fitting, how)
        return sum(b.num_rows for b in fitting)

    def _fitted(self, target: Target, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = spread(batch)  # first: what a column is given as decides how it goes
        return fitted(batch, self._types(target, batch.schema), target.table.fullname)

    def _types(self, target: Target, given: pa.Schema) -> dict[str, pa.DataType]:
        types = {c.name: c for c in target.columns}
        offered = {f.name: f.type for f in given}
        return {n: self._column_type(c, offered.get(n, c.type)) for n, c in types.items()}

    def _column_type(self, column: Column, given: pa.DataType) -> pa.DataType:
        """What a batch's column, given as some type, must be to be written to this column."""
        return carried(column)

    def _write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> None:
        """Write batches, none of them empty, whose columns have their targets' types."""
        statements = _Statements(target, batches[0].schema)
        for batch in batches:
            parameters = [_numbered(row) for row in rows_of(batch)]
            for statement in statements.of(how):
                self.connection.execute(statement, parameters)


def _numbered(row: dict[str, Any]) -> dict[str, Any]:
    return {_PARAMETER.format(i): value for i, value in enumerate(row.values())}


class _Statements:
    """The statements that write rows of one schema to one target."""

    def __init__(self, target: Target, schema: pa.Schema) -> None:
        self._table = sa.table(
            target.table.name, *(sa.column(n) for n in schema.names), schema=target.table.schema
        )
        self._values = {
            field.name: sa.bindparam(_PARAMETER.format(i), type_=sql_type(field.type))
            for i, field in enumerate(schema)
        }
        self._key = target.key

    def of(self, how: Write) -> list[sa.Executable]:
        """In the order in which they run, each for all rows."""
        if how is Write.INSERT:
            return [self._insert()]
        update = self._update()
        missing = self._insert_missing() if how is Write.UPSERT else None
        return [s for s in (update, missing) if s is not None]

    def _insert(self) -> sa.Insert:
        return sa.insert(self._table).values(self._values)

    def _same_key(self) -> sa.ColumnElement[bool]:
        return sa.and_(*(self._table.c[k] == self._values[k] for k in self._key))

    def _update(self) -> sa.Update | None:
        changed = {n: v for n, v in self._values.items() if n not in self._key}
        if not changed:
            return None
        return sa.update(self._table).where(self._same_key()).values(changed)

    def _insert_missing(self) -> sa.Insert:
        there = sa.exists().select_from(self._table).where(self._same_key())
        rows = sa.select(*self._values.values()).where(~there)
        return sa.insert(self._table).from_select(list(self._values), rows)
