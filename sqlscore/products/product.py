"""What a database product is to sqlscore: facts first, then the few functions that differ.

A product is a value. Nothing outside this package compares its name; code asks for a fact or calls
a function. `generic.py` has a form of every function that works on any SQLAlchemy dialect, and a
product replaces the ones where it differs.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

from sqlalchemy.types import UserDefinedType

from sqlscore.products.transient import NOTHING, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import pyarrow as pa
    from sqlalchemy import (
        URL,
        ColumnElement,
        Connection,
        Engine,
        Executable,
        FromClause,
        Select,
        Table,
        TextClause,
    )
    from sqlglot.expressions import Expr

    from sqlscore.products.queue import Queue
    from sqlscore.products.routines import Routines
    from sqlscore.products.templates import TextTests
    from sqlscore.types import Column


class Write(StrEnum):
    """What becomes of a row whose key the table already has, or has not."""

    INSERT = "insert"  #: an existing key is an error
    UPSERT = "upsert"  #: an existing row gets the new values, its other columns stay
    UPDATE = "update"  #: only existing rows get the new values, nothing is inserted


class RowIndex(StrEnum):
    """How a temporary table of numbered rows gets an index on their numbers."""

    NONE = "none"  #: it needs none
    AFTER = "after"  #: by CREATE INDEX, once its rows are there
    WITHIN = "within"  #: as its primary key


class Declared(UserDefinedType[Any]):
    """A column type in the product's own words, from its catalogue or made by `declare`."""

    cache_ok = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: object) -> str:
        """The type's text, for DDL and casts."""
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A table that is written: its name, the columns that exist, and its key.

    `table` names it (schema and quoting by SQLAlchemy); its columns have `Declared` types.
    """

    table: Table
    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The sets of columns of which the catalogue says that no two rows agree in all."""

    primary: tuple[str, ...] = ()  #: the primary key, in its order; empty where there is none
    unique: tuple[tuple[str, ...], ...] = ()  #: unique constraints and whole unique indexes


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a run asks of each of its transactions; None: nothing."""

    run: str | None = None  #: its id, for the name under which the product shows a connection
    lock_timeout: float | None = None  #: seconds
    statement_timeout: float | None = None  #: seconds


class MakeEngine(Protocol):
    """Makes an engine for a URL; nothing is connected yet."""

    def __call__(self, url: URL, **pool: int) -> Engine:
        """With sqlscore's own settings (UTC, application name, strictness).

        `pool` is what SQLAlchemy's pool takes, ``pool_size`` and ``max_overflow``; one that is a
        single connection anyhow leaves it.
        """


class Read(Protocol):
    """Reads the rows of one query as Arrow batches."""

    def __call__(
        self,
        engine: Engine,
        query: Select[Any],
        schema: pa.Schema,
        *,
        batch_rows: int,
        connection: Connection | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Stream the rows of `query`, in its order, as batches of at most `batch_rows` rows.

        Every batch has exactly `schema` (names and types); the query's columns were made by
        `Product.project` for it. No row gives no batch, or empty ones. With `connection` the rows
        are read over it (so its temporary tables and uncommitted rows are seen); without, over
        the fastest way that the product has, with a connection of its own. An error of the
        database or of the reader is a `DatabaseError`, raised from the iterator, never a shorter
        stream. Closing the iterator early ends the work on the server's side too.
        """


class Unit(Protocol):
    """One transaction that writes. Leaving its `with` block without `commit` rolls it back."""

    def write(self, target: Target, batches: Sequence[pa.RecordBatch], how: Write) -> int:
        """Write the batches' rows; the number of rows given.

        The batches' columns are a subset of the target's, matched by name, with the key among
        them; each is cast to the target's own type first, and a value that does not fit is a
        `DatabaseError`, never another value. Columns that are not in the batches keep their
        values (or get their defaults). A duplicate key under `Write.INSERT` is a `DatabaseError`.
        """

    def execute(self, statement: Executable) -> None:
        """Run one statement in this transaction."""

    def fetch(self, statement: Executable) -> list[tuple[Any, ...]]:
        """The rows of one statement, run in this transaction."""

    def commit(self) -> None:
        """Make all of it permanent; only when this returns is it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """Settings of the product's own planner, for a transaction, as statements."""

    no_jit: tuple[str, ...] = ()  #: no expression is compiled to machine code
    serial: tuple[str, ...] = ()  #: a query runs on one core


@dataclass(frozen=True, kw_only=True)
class Product:
    """One database product."""

    name: str  #: as people write it: ``PostgreSQL``
    dialect: str  #: the SQL flavour's name in sqlglot

    schemas: bool  #: owned tables live in a schema ``sqlscore``; else they carry that prefix
    identifier_limit: int  #: longest identifier, in bytes of UTF-8
    column_limit: int  #: most columns of a table
    nan: bool  #: a double column can hold NaN
    infinity: bool  #: a double column can hold ±inf
    arrays: bool  #: a column can hold an array of numbers; else JSON text stands for it
    nested: bool = True  #: an array's type says how deep it is; PostgreSQL's is of any depth
    transactional_ddl: bool  #: CREATE, ALTER and DROP roll back with their transaction
    row_values: bool  #: an index serves ``(a, b) >= (x, y)``; else it is spelled out
    keyset_walk: bool  #: range bounds by OFFSET from the last key; else by one row_number() query
    shared: bool  #: more than one process can have the database open for writing
    roles: bool = True  #: rights on tables are granted to roles
    merge: bool = True  #: it has MERGE
    returning: frozenset[str] = frozenset()  #: which of insert, update and delete have RETURNING
    replaces_views: bool = True  #: it has CREATE OR REPLACE VIEW, whatever the columns
    like_escapes: bool = False  #: a backslash escapes in the patterns of LIKE
    text_tests: TextTests | None = None  #: how it tells what a text holds
    t_sql: bool = False  #: its SQL is T-SQL: statements pass as written, # makes tables temporary
    lateral: bool = True  #: a relation in FROM may name columns of those before it
    with_writes: bool = True  #: WITH may stand before UPDATE and DELETE; MariaDB's may not
    locks_rows: bool = False  #: it has SELECT … FOR UPDATE
    row_index: RowIndex = RowIndex.AFTER
    range_length: int = 1  #: times a usual range's rows: some write faster by long transactions
    drops_temporary: bool = False  #: DROP TABLE commits, and DROP TEMPORARY TABLE does not
    loose_types: bool = False  #: a column may hold values that are none of its type
    server: bool = True  #: a server that runs apart; else the database is a file or this memory
    transient: Transient = NOTHING  #: errors that pass by themselves
    timeouts: frozenset[str] = frozenset()  #: those of ``lock_timeout``, ``statement_timeout``
    settings_stay: bool = False  #: `settings` outlive the transaction that they are made in

    engine: MakeEngine
    #: the database's file is not there: to connect would make an empty one
    absent: Callable[[Engine], bool]
    #: the columns of a table or subquery, from the catalogue or from an empty execution
    describe: Callable[[Connection, FromClause], tuple[Column, ...]]
    #: the keys of a table; none for a view
    keys: Callable[[Connection, Table], Keys]
    #: what a column is in a batch when it passes through: text where only text keeps the value
    carried: Callable[[Column], pa.DataType]
    #: a carried column as a caller gets it: dates, times and decimals as what they are
    returned: Callable[[pa.Array, Column], pa.Array]
    #: the expression to SELECT so that `read` gives a column as the given Arrow type
    project: Callable[[ColumnElement[Any], Column, pa.DataType], ColumnElement[Any]]
    #: a key's bound as an expression: safe as text, compared with the column by an index
    literal: Callable[[Any, Column], ColumnElement[Any]]
    #: the product's own words for a column that holds an Arrow type
    declare: Callable[[pa.DataType], str]
    #: its words for such a column in a key, where they differ (MariaDB keys no unbounded text)
    declare_key: Callable[[pa.DataType], str] | None = None
    #: what this product says otherwise than sqlglot writes it; the second argument is the kind of
    #: the value, where it is known: ``integer``, ``number``, ``text``, ``date``, ``moment``
    rewrite: Callable[[Expr, str | None], Expr | None] | None = None
    #: how many rows a query gives, about; None: it does not say
    estimate: Callable[[Connection, TextClause], int | None] = lambda _connection, _query: None
    #: begin a transaction, where the driver would do so later than before DDL
    begin: Callable[[Connection], None] = lambda _connection: None
    read: Read
    unit: Callable[[Engine, Connection | None], Unit]
    #: what a transaction begins with to be as it was asked to be
    settings: Callable[[Connection, Asked], Sequence[Executable]] = lambda _connection, _asked: ()
    #: conditions that no row of a table fails, in the product's own SQL: checks, statistics; they
    #: hold while the connection's transaction lasts
    enforced: Callable[[Connection, Table], Sequence[str]] = lambda _connection, _table: ()
    tuning: Tuning = Tuning()
    #: what runs inside is not compiled to machine code, which takes a large expression seconds
    plainly: Callable[[Connection], AbstractContextManager[object]] = lambda _: nullcontext()
    #: readers must be closed while a unit commits (SQLite with a rollback journal)
    readers_block_commit: Callable[[Engine], bool]
    #: connections that `read` opens beside those of the engine's pool; 0: it takes one of those
    reader_connections: int = 0
    #: what the connection writes, up to 128 MiB, stays in memory, where it is in no reader's way
    unspilled: Callable[[Connection], AbstractContextManager[object]] = lambda _: nullcontext()
    #: `read` has a connection of its own, so it may be open beside a unit, until that commits
    reads_elsewhere: Callable[[Engine], bool] = lambda _engine: True
    #: why a table cannot hold a run's promise (a non-transactional engine); None: it can
    unfit: Callable[[Connection, Table], str | None]
    #: what hangs on a table (views, foreign keys, publications), by name; empty: it can be swapped
    dependents: Callable[[Connection, Table], tuple[str, ...]]
    #: put the staged table in the place of another, which it replaces, with its grants and indexes;
    #: part of the unit's transaction where `transactional_ddl`, else atomic in itself
    swap: Callable[[Unit, Table, Table], None]
    #: write the rows of a query, whose columns are in the names' order, to a table of the same
    #: database, inside a unit; None: rows are written from batches alone
    fill: Callable[[Unit, Target, Sequence[str], Select[Any], Write], None] | None = None
    #: how many units may fill one table beside each other
    fills_beside: Callable[[Connection], int] = lambda _connection: 1
    #: a query for the remark on, or the text of, each thing that bears :name in :schema, or in the
    #: schema that is current; a thing without either gives NULL
    named: str | None = None
    #: what `sqlscore install` puts inside; None: the product takes nothing
    routines: Callable[[], Routines] | None = None
    #: what a worker serves, for servers that run no models inside; None: there is no queue
    queue: Callable[[], Queue] | None = None
