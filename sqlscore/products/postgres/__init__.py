"""PostgreSQL: connectorx reads, COPY writes over psycopg, DDL belongs to the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from sqlscore.products import generic, transient
from sqlscore.products.dbapi_unit import DbapiUnit
from sqlscore.products.filling import by_conflict
from sqlscore.products.postgres import types as postgres_types
from sqlscore.products.postgres.read import SETTINGS, TIMEOUTS, read
from sqlscore.products.postgres.rewrite import TEXTS, rewrite
from sqlscore.products.postgres.swap import dependents, swap
from sqlscore.products.postgres.text import quoted
from sqlscore.products.postgres.tuning import TUNING, enforced, fills_beside, plainly
from sqlscore.products.postgres.unit import CopyUnit
from sqlscore.products.product import Product
from sqlscore.transports import copy
from sqlscore.transports.dbapi import fall_back
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Executable, FromClause, Table

    from sqlscore.products.product import Asked
    from sqlscore.products.queue import Queue
    from sqlscore.products.routines import Routines
    from sqlscore.types import Column


def engine(url: URL, **pool: int) -> Engine:
    """psycopg, in UTC, named sqlscore, with texts of values that say them exactly.

    A URL that names another driver, application or options of its own keeps them.
    """
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    asked: dict[str, Any] = {}
    if url.get_driver_name() == "psycopg":
        given = url.query.get("options", "")
        pinned = " ".join(f"-c {k}={v.replace(' ', '')}" for k, v in SETTINGS.items())
        asked["options"] = f"{pinned} {given if isinstance(given, str) else ' '.join(given)}"
        # behind PgBouncer in transaction mode the next transaction has another server connection
        asked["prepare_threshold"] = None
        if "application_name" not in url.query:
            asked["application_name"] = "sqlscore"
    return sa.create_engine(url, connect_args=asked, **pool)


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery; `declared` as PostgreSQL itself prints it."""
    if connection.dialect.driver != "psycopg":
        return generic.describe(connection, relation)
    with translated(f"describing {relation.description}"):
        return postgres_types.described(connection, relation)


def unit(engine: Engine, connection: Connection | None = None) -> DbapiUnit:
    """COPY over psycopg with pgpq; plain statements where one of them is not there."""
    if engine.dialect.driver != "psycopg":
        fall_back("PostgreSQL", f"writing over {engine.dialect.driver}, row by row; psycopg copies")
        return DbapiUnit(engine, connection)
    if not copy.installed():
        reason = "writing row by row: pgpq is not installed. Run: pip install 'sqlscore[postgres]'"
        fall_back("PostgreSQL", reason)
        return DbapiUnit(engine, connection)
    return CopyUnit(engine, connection)


def estimate(connection: Connection, query: sa.TextClause) -> int | None:
    """The planner's number."""
    explained = sa.text(f"EXPLAIN (FORMAT JSON) {query.text}")
    return int(connection.scalar(explained)[0]["Plan"]["Plan Rows"])


def unfit(connection: Connection, table: Table) -> str | None:
    """A foreign table's writes are not ours to commit, and an unlogged table is lost in a crash."""
    row = connection.execute(
        sa.text(
            "SELECT relkind, relpersistence FROM pg_catalog.pg_class WHERE oid = to_regclass(:name)"
        ),
        {"name": quoted(table)},
    ).one_or_none()
    if row is None:
        return None
    if row.relkind == "f":
        return "it is a foreign table, whose rows do not commit with this database's transaction"
    if row.relkind in ("v", "m"):
        return "it is a view, not a table"
    if row.relpersistence == "u":
        return "it is UNLOGGED, so a crash empties it. Run: ALTER TABLE … SET LOGGED"
    return None


def settings(_connection: Connection, asked: Asked) -> list[Executable]:
    """The run's id behind the application's name, and the timeouts; all for one transaction."""
    name = sa.func.current_setting("application_name")
    wanted: dict[str, Any] = {}
    if asked.run is not None:
        wanted["application_name"] = name + f" run {asked.run}"
    for timeout in TIMEOUTS:
        if (seconds := getattr(asked, timeout)) is not None:
            wanted[timeout] = f"{max(1, round(seconds * 1000))}ms"
    sets = [sa.func.set_config(option, value, True) for option, value in wanted.items()]
    return [sa.select(*sets)] if sets else []


def routines() -> Routines:
    """Functions in PL/Python."""
    from sqlscore.products.postgres.routines import ROUTINES

    return ROUTINES


def queue() -> Queue:
    """Jobs of sessions that have no PL/Python beside them."""
    from sqlscore.products.postgres.queue import QUEUE

    return QUEUE


#: what bears a name
_NAMED = """
SELECT obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = :name AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
UNION ALL
SELECT p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = :name AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
"""

POSTGRES = Product(
    name="PostgreSQL",
    dialect="postgres",
    schemas=True,
    identifier_limit=63,
    column_limit=1600,
    nan=True,
    infinity=True,
    arrays=True,
    nested=False,
    transactional_ddl=True,
    row_values=True,
    keyset_walk=True,
    shared=True,
    locks_rows=True,
    rewrite=rewrite,
    text_tests=TEXTS,
    like_escapes=True,
    replaces_views=False,
    returning=frozenset({"insert", "update", "delete"}),
    estimate=estimate,
    transient=transient.POSTGRES,
    timeouts=frozenset(TIMEOUTS),
    settings=settings,
    engine=engine,
    absent=generic.absent,
    describe=describe,
    keys=generic.keys,
    carried=postgres_types.carried,
    returned=generic.returned,
    project=postgres_types.project,
    literal=postgres_types.literal,
    declare=postgres_types.declare,
    read=read,
    unit=unit,
    tuning=TUNING,
    enforced=enforced,
    plainly=plainly,
    readers_block_commit=generic.readers_block_commit,
    reader_connections=1,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    fill=by_conflict(postgresql.insert),
    fills_beside=fills_beside,
    routines=routines,
    queue=queue,
    named=_NAMED,
)
