"""A unit on DuckDB: batches registered as a view, written by one statement each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from sqlscore.products.duckdb_types import carried
from sqlscore.products.product import Declared, Write
from sqlscore.transports.dbapi import Transaction
from sqlscore.transports.duckdb_arrow import raw, registered
from sqlscore.transports.failures import translated
from sqlscore.transports.fit import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sqlscore.products.product import Target

_GIVEN = "sqlscore_given"


class DuckdbUnit(Transaction):
    """`products.product.Unit`. DuckDB has no savepoints.

    So with a connection that is inside a transaction already, the unit is a part of it: `commit`
    leaves it open, and leaving without `commit` rolls all of it back.
    """

    _shared = False

    def __enter__(self) -> Self:
        if self._given is None or not self._given.in_transaction():
            return super().__enter__()
        self._shared = True
        self._connection = self._given
        self._transaction = self._given.get_transaction()
        return self

    def commit(self) -> None:
        """Make all of it permanent; only when this returns is it."""
        if self._shared and self._transaction is not None:
            self._transaction = None
        else:
            super().commit()

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """Errors of DuckDB, raised past SQLAlchemy too, as `DatabaseError`."""
        import duckdb

        return translated(doing, duckdb.Error, pa.ArrowException, url=self.engine.url)

    def write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> int:
        """Write the batches' rows; the number of rows given."""
        types = {c.name: carried(c) for c in target.columns}
        rows = 0
        for batch in batches:
            if not batch.num_rows:
                continue
            fitting = fitted(batch, types, target.table.fullname)
            text = _statement(target, fitting.schema.names, how, self.engine.dialect)
            with self.translated(f"writing to table {target.table.fullname}"):
                connection = raw(self.connection)
                if text:
                    numbered = fitting.rename_columns([f"c{i}" for i in range(fitting.num_columns)])
                    with registered(connection, _GIVEN, numbered):
                        connection.execute(text)
            rows += fitting.num_rows
        return rows


def _statement(target: Target, names: Sequence[str], how: Write, dialect: sa.Dialect) -> str | None:
    """The statement that writes the registered rows, whose columns are numbered."""
    declared = {c.name: c.declared for c in target.columns}
    table = sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)
    given = sa.table(_GIVEN, *(sa.column(f"c{i}") for i in range(len(names))))
    value: dict[str, Any] = {
        name: sa.cast(given.c[f"c{i}"], Declared(declared[name] or "VARCHAR"))
        for i, name in enumerate(names)
    }
    changed = [name for name in names if name not in target.key]
    statement: sa.Insert | sa.Update
    if how is Write.UPDATE:
        if not changed:
            return None
        same = sa.and_(*(table.c[k] == value[k] for k in target.key))
        statement = sa.update(table).where(same).values({n: value[n] for n in changed})
    else:
        insert = postgresql.insert(table).from_select(list(names), sa.select(*value.values()))
        statement = insert
        if how is Write.UPSERT:
            new = {name: insert.excluded[name] for name in changed}
            key = list(target.key)
            statement = (
                insert.on_conflict_do_update(index_elements=key, set_=new)
                if new
                else insert.on_conflict_do_nothing(index_elements=key)
            )
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
