"""SQL Server 2016 and newer, and Azure SQL: over pyodbc, by Microsoft's ODBC driver or FreeTDS."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products import generic, transient
from sqlscore.products.mssql import types as mssql_types
from sqlscore.products.mssql.catalogue import dependents, keys, swap, unfit
from sqlscore.products.mssql.rewrite import rewrite
from sqlscore.products.mssql.unit import ArrayUnit, fill
from sqlscore.products.product import Product
from sqlscore.transports.dbapi import read_rows
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Executable, FromClause

    from sqlscore.products.product import Asked
    from sqlscore.products.queue import Queue
    from sqlscore.products.routines import Routines
    from sqlscore.types import Column

_NEWEST = "ODBC Driver 18 for SQL Server"
_TIMESTAMP = struct.Struct("<hHHHHHI")  # ODBC's SQL_TIMESTAMP_STRUCT, its fraction in nanoseconds


def engine(url: URL, **pool: int) -> Engine:
    """pyodbc, named sqlscore; ``mssql://`` takes the newest ODBC driver that is installed.

    A URL that names its driver or application keeps them; ``mssql+pyodbc://`` is SQLAlchemy's own,
    whose host without ``driver=`` is a data source's name.
    """
    if url.drivername == "mssql":
        url = url.set(drivername="mssql+pyodbc")
        if not {"driver", "odbc_connect"} & {key.lower() for key in url.query}:
            url = url.update_query_dict({"driver": _installed()})
    if not {"app", "odbc_connect"} & {key.lower() for key in url.query}:
        url = url.update_query_dict({"APP": "sqlscore"})
    made = sa.create_engine(url, pool_pre_ping=True, **pool)
    sa.event.listen(made, "connect", _set_up)
    return made


def _installed() -> str:
    """The newest of Microsoft's drivers that unixODBC knows, else FreeTDS."""
    import pyodbc

    names: list[str] = pyodbc.drivers()
    ours = sorted(n for n in names if n.startswith("ODBC Driver") and n.endswith("SQL Server"))
    return next((n for n in [*reversed(ours), "FreeTDS"] if n in names), _NEWEST)


def _set_up(driver: Any, _record: object) -> None:
    cursor = driver.cursor()
    # whatever the error is, it leaves nothing half done; so does a client that vanishes
    cursor.execute("SET XACT_ABORT ON")
    cursor.close()
    driver.add_output_converter(93, _moment)  # SQL_TYPE_TIMESTAMP


def _moment(value: bytes | None) -> datetime | None:
    """A time of seven digits rounded up to six: a watermark below the largest leaves it out."""
    if value is None:
        return None
    *parts, nanoseconds = _TIMESTAMP.unpack(value)
    moment = datetime(*parts)
    microseconds = -(-nanoseconds // 1000)
    if moment.replace(microsecond=0) == datetime.max.replace(microsecond=0):
        microseconds = min(microseconds, 999_999)
    return moment + timedelta(microseconds=microseconds)


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery; `declared` with its collation."""
    with translated(f"describing {relation.description}"):
        return mssql_types.described(connection, relation)


def unit(engine: Engine, connection: Connection | None = None) -> ArrayUnit:
    """A unit that sends arrays of parameters."""
    return ArrayUnit(engine, connection)


def _by_versions(engine: Engine) -> bool:
    """Whether readers see row versions, and so neither wait for writers nor make them wait."""
    query = sa.text(
        "SELECT is_read_committed_snapshot_on FROM sys.databases WHERE database_id = DB_ID()"
    )
    with translated("asking for the isolation of readers"), engine.connect() as connection:
        return bool(connection.scalar(query))


def readers_block_commit(engine: Engine) -> bool:
    """Yes, unless the database has READ_COMMITTED_SNAPSHOT: a reader that waits keeps its locks."""
    return not _by_versions(engine)


def settings(_connection: Connection, asked: Asked) -> list[Executable]:
    """How long a statement waits for a lock, in milliseconds, for the session."""
    if asked.lock_timeout is None:
        return []
    return [sa.text(f"SET LOCK_TIMEOUT {max(1, round(asked.lock_timeout * 1000))}")]


def routines() -> Routines:
    """The procedures of sql/mssql."""
    from sqlscore.products.mssql.routines import ROUTINES

    return ROUTINES


def queue() -> Queue:
    """The queue of sql/mssql."""
    from sqlscore.products.mssql.queue import QUEUE

    return QUEUE


#: what bears a name
_NAMED = """
SELECT OBJECT_DEFINITION(object_id) FROM sys.objects
WHERE name = :name AND schema_id = SCHEMA_ID(coalesce(:schema, SCHEMA_NAME()))
"""

MSSQL = Product(
    name="SQL Server",
    dialect="tsql",
    schemas=True,
    identifier_limit=128,  # characters, so as many bytes are never too many
    column_limit=980,  # a table takes 1,024, but a row of so many doubles does not fit its page
    nan=False,
    infinity=False,
    arrays=False,
    transactional_ddl=True,
    row_values=False,
    keyset_walk=True,
    shared=True,
    t_sql=True,
    engine=engine,
    absent=generic.absent,
    describe=describe,
    keys=keys,
    carried=mssql_types.carried,
    returned=mssql_types.returned,
    project=mssql_types.project,
    literal=mssql_types.literal,
    declare=mssql_types.declare,
    declare_key=mssql_types.declare_key,
    rewrite=rewrite,
    read=read_rows,
    unit=unit,
    readers_block_commit=readers_block_commit,
    # not even until the unit commits: a unit that waits for the reader's lock, whose reader waits
    # for the unit, is a deadlock that no server sees
    reads_elsewhere=_by_versions,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    fill=fill,
    transient=transient.MSSQL,
    timeouts=frozenset({"lock_timeout"}),
    settings_stay=True,
    settings=settings,
    routines=routines,
    queue=queue,
    named=_NAMED,
)
