"""One transaction that writes to SQL Server, by arrays of parameters (``fast_executemany``).

New rows go straight into the target. Updates and upserts go through a temporary table of the
target's own types, and from there by one statement each.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.dbapi_unit import DbapiUnit
from sqlscore.products.mssql.types import carried, restored
from sqlscore.products.product import Declared, Write
from sqlscore.transports.dbapi import fall_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlscore.products.product import Target, Unit
    from sqlscore.types import Column

_BYTES = 16 << 20  # of the parameters that are sent at a time, about: the driver holds them all
_ROWS = 50_000  # at most
_NARROWEST = 8  # bytes of a parameter
_LONGEST_TEXT, _LONGEST_BINARY = 4000, 8000  # that are no (max)
#: keeps the keys that are looked for as they are, missing ones too, until the unit ends
_HELD = "WITH (UPDLOCK, HOLDLOCK)"


class ArrayUnit(DbapiUnit):
    """`products.product.Unit` over pyodbc."""

    def __enter__(self) -> Self:
        self._staged: dict[tuple[str, tuple[str, ...]], sa.TableClause] = {}
        self._numbers = itertools.count(1)
        return super().__enter__()

    def commit(self) -> None:
        """Make all of it permanent; the temporary tables go first, or the session keeps them."""
        with self.translated("dropping what was staged"):
            for staged in self._staged.values():
                self.connection.execute(sa.schema.DropTable(_table_of(staged))).close()
        self._staged.clear()
        super().commit()

    def _column_type(self, column: Column, given: pa.DataType) -> pa.DataType:
        return carried(column)

    def _write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> None:
        names = batches[0].schema.names
        for batch in batches:
            _refuse_not_finite(batch)
        if how is Write.INSERT:
            self._insert(target.table.name, target.table.schema, target, batches)
        elif how is Write.UPSERT or set(names) - set(target.key):
            self._by_staging(
                target, names, how, lambda staged: self._insert(staged.name, None, target, batches)
            )

    def fill(self, target: Target, names: Sequence[str], query: sa.Select[Any], how: Write) -> None:
        """Write a query's rows, whose columns are in the names' order."""

        def insert(table: sa.TableClause) -> None:
            self.connection.execute(sa.insert(table).from_select(list(names), query))

        with self.translated(f"writing to table {target.table.fullname}"):
            if how is Write.INSERT:
                insert(_named(target, names))
            elif how is Write.UPSERT or set(names) - set(target.key):
                self._by_staging(target, names, how, insert)

    def _by_staging(
        self,
        target: Target,
        names: Sequence[str],
        how: Write,
        insert: Callable[[sa.TableClause], None],
    ) -> None:
        """Update what is there, then add what is missing, with nobody in between."""
        staged, table = self._staging(target, names), _named(target, names)
        insert(staged)
        same = sa.and_(*(table.c[k] == staged.c[k] for k in target.key))
        changed = {table.c[n]: staged.c[n] for n in names if n not in target.key}
        if changed:
            update = sa.update(table).where(same).values(changed).with_hint(_HELD)
            self.connection.execute(update)
        if how is Write.UPSERT:
            there: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(table)
            there = there.with_hint(table, _HELD)
            missing = sa.select(*staged.c).where(~there.where(same).correlate(staged).exists())
            self.connection.execute(sa.insert(table).from_select(list(names), missing))
        self.connection.execute(sa.delete(staged))

    def _staging(self, target: Target, names: Sequence[str]) -> sa.TableClause:
        """A temporary table for these columns, made once in the unit."""
        slot = (target.table.fullname, tuple(names))
        if slot not in self._staged:
            types = {c.name: c.declared or "nvarchar(max)" for c in target.columns}
            name = f"#sqlscore_staged_{next(self._numbers)}"
            columns = (sa.Column(n, Declared(types[n]), nullable=True) for n in names)
            made = sa.Table(name, sa.MetaData(), *columns)
            self.connection.execute(sa.schema.CreateTable(made)).close()
            self._staged[slot] = sa.table(name, *map(sa.column, names))
        return self._staged[slot]

    def _insert(
        self, name: str, schema: str | None, target: Target, batches: Sequence[pa.RecordBatch]
    ) -> None:
        types = {c.name: c for c in target.columns}
        given = batches[0].schema
        table = sa.table(name, *map(sa.column, given.names), schema=schema)
        values = {
            field.name: restored(sa.bindparam(f"p_{i}"), types[field.name], field.type)
            for i, field in enumerate(given)
        }
        text = str(sa.insert(table).values(values).compile(dialect=self.engine.dialect))
        for batch in batches:
            for piece, sizes in _pieces(batch):
                self._send(text, piece, sizes)

    def _send(self, text: str, batch: pa.RecordBatch, sizes: Sequence[_Size]) -> None:
        """Send rows past SQLAlchemy, which would describe each of them in its errors."""
        driver: Any = self.engine.dialect.loaded_dbapi
        cursor: Any = self.connection.connection.cursor()
        try:
            cursor.fast_executemany = _takes_arrays(self.connection.connection.driver_connection)
            cursor.setinputsizes([(getattr(driver, name), size, 0) for name, size in sizes])
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            cursor.executemany(text, list(rows))
        finally:
            cursor.close()


def fill(
    unit: Unit, target: Target, names: Sequence[str], query: sa.Select[Any], how: Write
) -> None:
    """`products.product.Product.fill`."""
    assert isinstance(unit, ArrayUnit)
    unit.fill(target, names, query, how)


def _named(target: Target, names: Sequence[str]) -> sa.TableClause:
    return sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)


_Size = tuple[str, int]  # the driver's name of a parameter's type, and its length; 0 for (max)


def _pieces(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, list[_Size]]]:
    """The batch in parts whose parameters have room in memory, with the parameters' types."""
    sizes = [_size(column) for column in batch.columns]
    width = sum(max(_NARROWEST, 2 * length) for _, length in sizes)
    rows = max(1, min(_ROWS, _BYTES // width))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows), sizes


def _size(column: pa.Array) -> _Size:
    """How a column's values are sent: said here, so that the driver asks nothing of the server."""
    type_ = column.type
    if pa.types.is_boolean(type_):
        return "SQL_BIT", 0
    if pa.types.is_integer(type_):
        return "SQL_BIGINT", 0
    if pa.types.is_floating(type_):
        return "SQL_DOUBLE", 0
    # a text has at most as many UTF-16 units as it has bytes in UTF-8
    longest = max(1, pc.max(pc.binary_length(column)).as_py() or 0)
    if pa.types.is_string(type_):
        return "SQL_WVARCHAR", longest if longest <= _LONGEST_TEXT else 0
    return "SQL_VARBINARY", longest if longest <= _LONGEST_BINARY else 0


def _takes_arrays(connection: Any) -> bool:
    """Whether the driver sends arrays of parameters: Microsoft's does, FreeTDS does not."""
    name: str = connection.getinfo(6)  # SQL_DRIVER_NAME
    if "msodbcsql" in name:
        return True
    fall_back("SQL Server", f"writing row by row: {name} sends no arrays, Microsoft's driver does")
    return False


def _refuse_not_finite(batch: pa.RecordBatch) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_floating(column.type) and pc.any(pc.invert(pc.is_finite(column))).as_py():
            raise DatabaseError(
                f"column {name!r} holds NaN or an infinite value, which this database has not. "
                "Write NULL in its place, or leave the rows out"
            )


def _table_of(staged: sa.TableClause) -> sa.Table:
    return sa.Table(staged.name, sa.MetaData())
