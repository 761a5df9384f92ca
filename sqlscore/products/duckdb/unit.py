"""A unit on DuckDB: batches registered as a view, written together by one statement."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from sqlscore.products.duckdb.types import carried
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
        name = target.table.fullname
        given = [fitted(batch, types, name) for batch in batches if batch.num_rows]
        for _, alike in groupby(given, key=lambda batch: batch.schema):
            table = pa.Table.from_batches(alike)
            # a plain INSERT takes two thirds of the time
            new = how is Write.UPSERT and self._none_there(target, table)
            statements = _statements(target, table.schema, Write.INSERT if new else how)
            numbered = table.rename_columns([f"c{i}" for i in range(table.num_columns)])
            connection = raw(self.connection)
            with self.translated(f"writing to table {name}"):
                for statement in statements:
                    with registered(connection, _GIVEN, numbered):
                        connection.execute(str(statement.compile(dialect=self.engine.dialect)))
        return sum(batch.num_rows for batch in given)

    def _none_there(self, target: Target, rows: pa.Table) -> bool:
        """Whether the target surely has none of the keys: none between their least and largest.

        What another connection of this process adds meanwhile fails the commit, in both ways.
        """
        first = next((name for name in target.key if name in rows.column_names), None)
        if first is None or not pa.types.is_integer(rows.schema.field(first).type):
            return False
        ends = pc.min_max(rows[first]).as_py()
        if ends["min"] is None:
            return False
        key: sa.ColumnClause[Any] = sa.column(first)
        there: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(
            sa.table(target.table.name, key, schema=target.table.schema)
        )
        return not self.fetch(there.where(key.between(ends["min"], ends["max"])).limit(1))


def _statements(target: Target, schema: pa.Schema, how: Write) -> list[sa.Insert | sa.Update]:
    """What writes the registered rows, whose columns are numbered, in its order."""
    names = schema.names
    declared = {c.name: c.declared for c in target.columns}
    table = sa.table(target.table.name, *map(sa.column, names), schema=target.table.schema)
    given = sa.table(_GIVEN, *(sa.column(f"c{i}") for i in range(len(names))))
    value: dict[str, Any] = {
        name: sa.cast(given.c[f"c{i}"], Declared(declared[name] or "VARCHAR"))
        for i, name in enumerate(names)
    }
    changed = {name: value[name] for name in names if name not in target.key}
    same = sa.and_(sa.true(), *(table.c[k] == value[k] for k in target.key))
    update = [sa.update(table).where(same).values(changed)] if changed else []
    rows = sa.select(*value.values()).select_from(given)
    insert = postgresql.insert(table)
    if how is Write.UPDATE:
        return [*update]
    if how is Write.INSERT:
        return [insert.from_select(names, rows)]
    if any(pa.types.is_list(type_) for type_ in schema.types):
        # ON CONFLICT makes 0.0 of a -0.0 in a list, on the rows that it only inserts too
        missing = rows.where(~sa.exists().select_from(table).where(same))
        return [*update, insert.from_select(names, missing)]
    key = list(target.key)
    if not changed:
        return [insert.from_select(names, rows).on_conflict_do_nothing(index_elements=key)]
    new = {name: insert.excluded[name] for name in changed}
    return [insert.from_select(names, rows).on_conflict_do_update(index_elements=key, set_=new)]
