"""The face of one database's statements: scripts run or explained, transactions begun."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.pool import SingletonThreadPool, StaticPool

from sqlscore.errors import DatabaseError
from sqlscore.registry import Registry
from sqlscore.statements import explaining, run
from sqlscore.statements.conversation import Conversation
from sqlscore.statements.models import Models
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from sqlscore.plan import Wishes
    from sqlscore.products.product import Product
    from sqlscore.statements.explaining import Explanation
    from sqlscore.statements.results import Result


class Statements:
    """Runs scripts on one database; its models stay loaded from one to the next."""

    def __init__(self, engine: sa.Engine, product: Product) -> None:
        self._engine, self._product = engine, product
        self._models = Models(Registry(engine, product))
        self._begun: Conversation | None = None

    def run(self, text: str, wishes: Wishes, *, dialect: str) -> Result:
        """Run a script; the rows of its last SELECT."""
        return run.run(text, self._models, self._open, wishes, dialect)

    def explain(self, text: str, wishes: Wishes, *, analyze: bool, dialect: str) -> Explanation:
        """The plan of the statement that ends a script."""
        return explaining.explain(
            text, self._models, self._open, wishes, analyze=analyze, dialect=dialect
        )

    def _open(self) -> Conversation:
        if self._begun is not None:
            return self._begun
        if self._product.absent(self._engine):
            raise DatabaseError(
                f"there is no database file {self._engine.url.database!r}. Is the path right?"
            )
        return Conversation(self._engine, self._product)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction for the scripts that run inside."""
        if self._begun is not None:
            raise DatabaseError("this database is in a transaction already: begin() is not nested")
        if isinstance(self._engine.pool, StaticPool | SingletonThreadPool):
            raise DatabaseError(
                "begin() needs a connection of its own, and this database in memory has one for "
                "all: use a file"
            )
        with translated("beginning", url=self._engine.url), self._engine.begin() as connection:
            self._product.begin(connection)
            self._begun = Conversation(self._engine, self._product, connection)
            try:
                yield connection
                self._begun.close_for_good()
            finally:
                self._begun = None
