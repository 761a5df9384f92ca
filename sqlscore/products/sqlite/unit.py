"""A unit on SQLite: one transaction on a connection of Python's sqlite3, many rows a statement."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Write
from sqlscore.products.sqlite.columns import MARK, restored
from sqlscore.products.sqlite.types import Affinity, affinity, wire
from sqlscore.transports.constants import apart, spread
from sqlscore.transports.dbapi import Transaction
from sqlscore.transports.fit import fitted
from sqlscore.types import array_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from sqlscore.products.product import Target

_TAKES = {
    Affinity.INTEGER: pa.int64(),
    Affinity.REAL: pa.float64(),
    Affinity.TEXT: pa.string(),
}
_CACHE_KIB = 16 * 1024
_UNSPILLED_KIB = 128 * 1024
_VALUES = 512  #: of one INSERT; every SQLite takes 999
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


@contextmanager
def told_when_locked() -> Iterator[None]:
    """Say what to do where a `DatabaseError` means that another connection holds the file."""
    try:
        yield
    except DatabaseError as error:
        if not (error.code or "").startswith(_BUSY):
            raise
        told = DatabaseError(
            f"{error}. Another connection, of this or another process, holds the SQLite file "
            "locked. Let it finish or close it, then start again; what was committed is kept. "
            "A database in WAL mode (PRAGMA journal_mode = WAL) can be read while it is written"
        )
        told.code = error.code
        raise told from error


@contextmanager
def unspilled(connection: sa.Connection) -> Iterator[None]:
    """Keep pages that are written in memory, up to 128 MiB; the file takes none beside a reader."""
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = -{_UNSPILLED_KIB}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {before}")


_AT_ONCE = "BEGIN IMMEDIATE"


class SqliteUnit(Transaction):
    """`products.product.Unit`, from BEGIN IMMEDIATE on: who writes is settled before any work."""

    def __enter__(self) -> Self:
        if self._given is not None and self._given.in_transaction():
            # the savepoint in it must not be the outermost: its release would be the commit
            with self.translated("beginning a transaction"):
                begin(self._given, _AT_ONCE)
        super().__enter__()
        try:
            with self.translated("beginning a transaction"):
                if self._given is None:
                    # pages that do not fit would wait for every reader's end, long before commit
                    self.connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
                begin(self.connection, _AT_ONCE)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            # SQLAlchemy closed the connection where Ctrl-C came into a statement; the file stays
            # locked until the error's frames let the statement go
            clear_frames(trace)
        super().__exit__(kind, error, trace)

    @contextmanager
    def _told(self, inner: AbstractContextManager[None]) -> Iterator[None]:
        with told_when_locked(), inner:
            yield

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """Errors of the driver as `DatabaseError`, with what to do when the file is locked."""
        return self._told(super().translated(doing))

    def write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> int:
        """Write the batches' rows; the number of rows given."""
        wishes = {c.name: affinity(c.declared) for c in target.columns}
        rows = 0
        for batch in batches:
            if not batch.num_rows:
                continue
            parts = (spread(batch), batch.select([])) if how is Write.UPDATE else apart(batch)
            varying, alike = (_fitted(target, part, wishes) for part in parts)
            statements = _statements(target, varying, alike, how, self.engine.dialect)
            with self.translated(f"writing to table {target.table.fullname}"):
                for text, parameters in statements:
                    self.connection.exec_driver_sql(text, parameters)
            rows += batch.num_rows
        return rows


def begin(connection: sa.Connection, how: str = "BEGIN") -> None:
    """Begin a transaction, unless the connection is in one.

    sqlite3 itself begins one before INSERT and UPDATE only, and not before CREATE or DROP.
    """
    if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql(how)


def _fitted(target: Target, batch: pa.RecordBatch, wishes: dict[str, Affinity]) -> pa.RecordBatch:
    types = {name: _taken(batch, name, wish) for name, wish in wishes.items()}
    return fitted(batch, types, target.table.fullname)


def _taken(batch: pa.RecordBatch, name: str, wish: Affinity) -> pa.DataType:
    """What a batch's column must be for a column: by its affinity, else what it is already."""
    if name not in batch.schema.names:
        return pa.null()
    given = batch.schema.field(name).type
    if pa.types.is_decimal(given):
        return pa.string() if wish is not Affinity.REAL else pa.float64()
    if wish is Affinity.TEXT and wire(given) == pa.binary():
        return pa.string()
    return _TAKES.get(wish, wire(given))


def _values(column: pa.Array) -> list[Any]:
    """The column as Python values; NULL is None, or NaN in a float column: SQLite stores NULL."""
    if pa.types.is_floating(column.type) or (
        pa.types.is_integer(column.type) and not column.null_count
    ):
        # three times as fast as to_pylist
        plain: list[Any] = array_of(column).tolist()
        return plain
    values: list[Any] = column.to_pylist()
    if pa.types.is_string(column.type) and pc.any(pc.starts_with(column, MARK)).as_py():
        return [restored(v) for v in values]
    return values


def _statements(
    target: Target, batch: pa.RecordBatch, alike: pa.RecordBatch, how: Write, dialect: sa.Dialect
) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """What writes a batch: a statement's text, and its values for each time that it runs.

    `alike` are the columns that have one value in all of its rows. An INSERT takes many rows:
    sqlite3 gives Python's lock away each time that a statement runs, and has to wait for it where
    other threads score.
    """
    names = (*alike.schema.names, *batch.schema.names)
    if how is Write.UPDATE and set(names) <= set(target.key):
        return  # nothing but the key: there is nothing to change
    place = (target.table.schema, target.table.name)
    once = tuple(_values(column)[0] for column in alike.columns)
    values = [_values(column) for column in batch.columns]
    most = 1 if how is Write.UPDATE else max(1, (_VALUES - len(once)) // len(values))
    whole = batch.num_rows - batch.num_rows % most
    for rows, first, last in ((most, 0, whole), (1, whole, batch.num_rows)):
        if last > first:
            if how is Write.UPDATE:
                text, order = _update(place, names, target.key, dialect)
            else:
                text = _insert(place, names, len(once), target.key, how, rows, dialect)
                order = list(range(len(values)))
            chosen = (values[i][first:last] for i in order)
            flat = list(chain.from_iterable(zip(*chosen, strict=True)))
            step = rows * len(order)
            yield text, [once + tuple(flat[at : at + step]) for at in range(0, len(flat), step)]


@lru_cache(maxsize=256)
def _update(
    place: tuple[str | None, str], names: tuple[str, ...], key: tuple[str, ...], dialect: sa.Dialect
) -> tuple[str, list[int]]:
    """The text of an UPDATE of a row, and which column each of its values belongs to."""
    table = sa.table(place[1], *map(sa.column, names), schema=place[0])
    # numbered: a column's name may hold what no parameter's name can
    given: dict[str, Any] = {name: sa.bindparam(f"p_{i}") for i, name in enumerate(names)}
    same = sa.and_(*(table.c[k] == given[k] for k in key))
    changed = {name: given[name] for name in names if name not in key}
    compiled = sa.update(table).where(same).values(changed).compile(dialect=dialect)
    return str(compiled), [int(p.removeprefix("p_")) for p in compiled.positiontup or []]


@lru_cache(maxsize=256)
def _insert(
    place: tuple[str | None, str], names: tuple[str, ...], once: int, key: tuple[str, ...],
    how: Write, rows: int, dialect: sa.Dialect,
) -> str:  # fmt: skip
    """The text of an INSERT of some rows; the first `once` columns take one value for all."""
    table = sa.table(place[1], *map(sa.column, names), schema=place[0])
    # as text: to compile a parameter for each value takes longer than to write some thousand rows
    row = ", ".join([*(f"?{i + 1}" for i in range(once)), *"?" * (len(names) - once)])
    given = sa.text(f"VALUES {', '.join([f'({row})'] * rows)}").columns(*map(sa.column, names))
    insert = sqlite.insert(table).from_select(list(names), given)
    if how is Write.UPSERT:
        new = {name: insert.excluded[name] for name in names if name not in key}
        insert = (
            insert.on_conflict_do_update(index_elements=list(key), set_=new)
            if new
            else insert.on_conflict_do_nothing(index_elements=list(key))
        )
    return str(insert.compile(dialect=dialect))
