"""``predict`` and ``predict_over`` on an open connection of Python's sqlite3.

The module has no way to make table functions, and it hides what an error of a function says: so
that is logged, and `predict_error` has it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from sqlscore.errors import SqlscoreError
from sqlscore.products.functions import Functions
from sqlscore.products.sqlite.ahead import PredictOver

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlscore.products.functions import Scores

_log = logging.getLogger("sqlscore")


class _Lent:
    """A connection that SQLAlchemy may use, and may not end, close, or make functions on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """The transaction is the lender's."""

    rollback = close = commit

    def create_function(self, *_: Any, **__: Any) -> None:
        """Those that the dialect makes on a connection of its own are not wanted here."""


def engine(connection: sqlite3.Connection) -> sa.Engine:
    """An engine over the connection itself: it sees what is not committed, and databases in memory.

    The thread that runs a statement calls its functions: it is the connection's own.
    """
    return sa.create_engine("sqlite://", creator=lambda: _Lent(connection), poolclass=StaticPool)


def scalar(connection: sqlite3.Connection, scores: Scores) -> None:
    """Make ``predict(model, value, …)``, ``predict_over(…) OVER (…)`` and ``predict_error()``."""
    last: list[str | None] = [None]

    def tell(error: SqlscoreError) -> None:
        last[0] = str(error)
        _log.error("predict: %s", error)

    @contextmanager
    def told() -> Iterator[None]:
        try:
            yield
        except SqlscoreError as error:
            tell(error)
            raise

    def predict(model: Any = None, *values: Any) -> Any:
        try:
            if model is None and not values:
                raise SqlscoreError("predict takes a model's name and a value for each feature")
            return scores.row(str(model), values)
        except SqlscoreError as error:  # told() costs as much as the rest of the call
            tell(error)
            raise

    connection.create_function("predict", -1, predict, deterministic=True)
    connection.create_function("predict_error", 0, lambda: last[0])
    connection.create_window_function("predict_over", -1, partial(PredictOver, scores, told, tell))


FUNCTIONS = Functions(
    raw=lambda connection: connection.connection.driver_connection,
    engine=engine,
    scalar=scalar,
    table=None,
)
