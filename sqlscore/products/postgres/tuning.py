"""PostgreSQL's own planner, for expressions that are large: JIT takes seconds for them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.products.postgres.text import quoted
from sqlscore.products.product import Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

TUNING = Tuning(
    no_jit=("SET LOCAL jit = off",),
    serial=("SET LOCAL max_parallel_workers_per_gather = 0",),
)


_CHECKS = sa.text("""
    SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
     WHERE conrelid = CAST(to_regclass(:name) AS oid) AND contype = 'c' AND convalidated
""")


def enforced(connection: Connection, table: Table) -> list[str]:
    """The conditions of a table's CHECK constraints; statistics are of a sample, and prove none."""
    return [text for (text,) in connection.execute(_CHECKS, {"name": quoted(table)})]


def fills_beside(connection: Connection) -> int:
    """As many as the server gives one query: an INSERT … SELECT is but one process of it."""
    asked = sa.select(sa.func.current_setting("max_parallel_workers_per_gather"))
    return int(connection.scalar(asked) or 1)


@contextmanager
def plainly(connection: Connection) -> Iterator[None]:
    """JIT is off inside, and afterwards as it was, for what the caller's transaction does then."""
    before = connection.scalar(sa.func.current_setting("jit"))
    if before == "off":
        yield
        return
    autocommit = connection.get_isolation_level() == "AUTOCOMMIT"
    connection.execute(sa.select(sa.func.set_config("jit", "off", not autocommit))).close()
    yield  # after an error the transaction takes the setting back with it
    connection.execute(sa.select(sa.func.set_config("jit", before, not autocommit))).close()
