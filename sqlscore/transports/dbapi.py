"""Any SQLAlchemy dialect, by plain statements: slow, and always there.

Reading is a server-side cursor where the driver has one; writing is executemany. Every faster
transport has this one to fall back to, and `fall_back` says so once for each reason.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from sqlscore.errors import DatabaseError
from sqlscore.transports.failures import translated
from sqlscore.transports.rows import batch_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import Connection, Engine, Executable, Select

logger = logging.getLogger("sqlscore")


@cache
def fall_back(what: str, reason: str) -> None:
    """Say by logging that `what` goes a slower way, and why; once for each pair in a process."""
    logger.warning("%s: %s", what, reason)


def read_rows(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """`products.product.Read` for any dialect: rows by the driver, columns made here."""
    doing = f"reading from {engine.url.render_as_string()}"
    options = {"yield_per": batch_rows}
    with ExitStack() as stack:
        stack.enter_context(translated(doing, *driver_errors(engine), url=engine.url))
        over = stack.enter_context(nullcontext(connection) if connection else engine.connect())
        result = stack.enter_context(closing(over.execute(query, execution_options=options)))
        for rows in result.partitions(batch_rows):
            yield batch_of(rows, schema)


def driver_errors(engine: Engine) -> tuple[type[BaseException], ...]:
    """The base of the driver's own errors, which a raw cursor raises past SQLAlchemy."""
    error = getattr(engine.dialect.loaded_dbapi, "Error", None)
    return (error,) if isinstance(error, type) else ()


class Transaction:
    """One transaction over SQLAlchemy: all of a `Unit` but `write`, for products to build on.

    Without `connection` it has one of its own. With one that is inside a transaction already, it
    is a savepoint in it, and `commit` leaves the last word to the caller's own commit.
    """

    def __init__(self, engine: Engine, connection: Connection | None = None) -> None:
        self.engine = engine
        self._given = connection
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._transaction: sa.Transaction | None = None

    @property
    def connection(self) -> Connection:
        """The connection that this transaction lies on; only inside the `with` block."""
        if self._connection is None:
            raise DatabaseError("a unit writes only inside its `with` block")
        return self._connection

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """`failures.translated` with this engine's driver."""
        return translated(doing, *driver_errors(self.engine), url=self.engine.url)

    def execute(self, statement: Executable) -> None:
        """Run one statement in this transaction."""
        with self.translated("a statement of the unit"):
            self.connection.execute(statement).close()

    def fetch(self, statement: Executable) -> list[tuple[Any, ...]]:
        """The rows of one statement, run in this transaction."""
        with self.translated("a query of the unit"):
            return [tuple(row) for row in self.connection.execute(statement)]

    def commit(self) -> None:
        """Make all of it permanent; only when this returns is it."""
        if self._transaction is None:
            raise DatabaseError("a unit commits once, inside its `with` block")
        with self.translated("the commit"):
            self._transaction.commit()
        self._transaction = None

    def _connected(self) -> Connection:
        """A connection that is in a transaction, also where the engine is set to autocommit."""
        if self._given is not None:
            if _autocommits(self._given):
                raise DatabaseError("the given connection commits each statement by itself")
            return self._given
        connection = self._stack.enter_context(self.engine.connect())
        if _autocommits(connection):
            connection.execution_options(isolation_level=connection.default_isolation_level)
        return connection

    def __enter__(self) -> Self:
        with self.translated(f"connecting to {self.engine.url.render_as_string()}"):
            self._connection = self._connected()
            begin = self._connection
            nested = begin.in_transaction()
            self._transaction = begin.begin_nested() if nested else begin.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        transaction, self._transaction, self._connection = self._transaction, None, None
        # A lost connection has rolled back already: what is on its way says more than its failure.
        unless_told = suppress(DatabaseError) if error is not None else nullcontext()
        with unless_told, self.translated("the rollback"), self._stack:
            if transaction is not None and transaction.is_active:
                transaction.rollback()


def _autocommits(connection: Connection) -> bool:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    return getattr(connection.connection.driver_connection, "autocommit", None) is True
