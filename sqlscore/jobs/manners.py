"""How a run behaves on the databases of others: its name on its transactions, and their timeouts.

Each transaction begins with the product's own statements for that, so nothing depends on which
connection of a pool, or behind a pooler, it has got.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.jobs.engines import Engines
from sqlscore.products import product_for
from sqlscore.products.product import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.jobs.limits import Limits

_TIMEOUTS = ("lock_timeout", "statement_timeout")


class Manners:
    """What a run asks of its transactions; `run` is its id, as soon as that is known."""

    def __init__(self, limits: Limits) -> None:
        self.run: str | None = None
        self._timeouts = {name: limits.seconds(name) for name in _TIMEOUTS}

    @contextmanager
    def over(self, engines: Engines) -> Iterator[Engines]:
        """Engines over the same connections, whose transactions are so; as they were afterwards.

        Raises `DatabaseError` where the target's product has no such timeout.
        """
        self._refuse_missing(engines.target)
        wrapped = {
            engine: self._wrapped(engine)
            for engine in {engines.registry, engines.source, engines.target}
        }
        with ExitStack() as stack:
            for engine in wrapped:
                stack.callback(self._forget, engine)
            yield Engines(
                registry=wrapped[engines.registry],
                source=wrapped[engines.source],
                target=wrapped[engines.target],
            )

    def _refuse_missing(self, engine: sa.Engine) -> None:
        product = product_for(engine)
        for name, seconds in self._timeouts.items():
            if seconds is not None and name not in product.timeouts:
                raise DatabaseError(
                    f"{product.name} has no {name.replace('_', ' ')}, so {name}= cannot be kept "
                    "there. A deadline= stops a run between two batches on every product"
                )

    def _wrapped(self, engine: sa.Engine) -> sa.Engine:
        product, wrapped = product_for(engine), engine.execution_options()

        def begin(connection: sa.Connection) -> None:
            has = {n: s for n, s in self._timeouts.items() if n in product.timeouts}
            for statement in product.settings(connection, Asked(run=self.run, **has)):
                connection.execute(statement).close()

        sa.event.listen(wrapped, "begin", begin)
        return wrapped

    def _forget(self, engine: sa.Engine) -> None:
        """Leave no connection in the pool that keeps what this run asked of it."""
        product = product_for(engine)
        asked = any(s is not None and n in product.timeouts for n, s in self._timeouts.items())
        if asked and product.settings_stay and product.reads_elsewhere(engine):
            engine.dispose()
