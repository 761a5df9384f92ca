"""One registry's transactions: readers see a whole state, writers take turns.

The first statement of a writer locks the one row of the layout table, so no writer sees half of
another's work; a key that is taken nevertheless is answered by trying again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sqlscore import tables
from sqlscore.registry.model_rows import ModelRows, unknown_model
from sqlscore.transact import transact

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from sqlscore.products.product import Product

T = TypeVar("T")

# A database that a single process holds needs no lock but this one; DuckDB takes an UPDATE that
# changes nothing for no write at all, so there the layout row would not make writers wait.
_ONE_PROCESS = threading.RLock()


class Turns:
    """The rows of one database's registry, a transaction a call."""

    def __init__(self, engine: sa.Engine, product: Product) -> None:
        self._engine = engine
        self._product = product

    def read(self, look: Callable[[ModelRows], T], doing: str) -> T | None:
        """What `look` finds, in one transaction; None where the database has no owned tables."""
        if self._product.absent(self._engine):
            return None

        def work() -> T | None:
            owned = tables.opened(self._engine, schemas=self._product.schemas)
            if owned is None:
                return None
            with self._engine.connect() as connection:
                return look(ModelRows(connection=connection, owned=owned, product=self._product))

        return transact(self._engine, work, doing)

    def change(self, name: str, change: Callable[[ModelRows], T], doing: str) -> T:
        """Change what is there of a name; where nothing is, nothing is made just to say so."""
        if self.read(lambda rows: rows.existing(name), doing) is None:
            raise unknown_model(name, ())
        return self.write(change, doing)

    def write(self, change: Callable[[ModelRows], T], doing: str) -> T:
        """What `change` returns, in one transaction that no other writer of the registry is in."""

        def work() -> T:
            owned = tables.ensure(self._engine, schemas=self._product.schemas)
            turn = owned.layout.update().values(applied_at=owned.layout.c.applied_at)
            with self._engine.begin() as connection:
                connection.execute(turn)
                return change(ModelRows(connection=connection, owned=owned, product=self._product))

        if self._product.shared:
            return transact(self._engine, work, doing)
        with _ONE_PROCESS:
            return transact(self._engine, work, doing)
