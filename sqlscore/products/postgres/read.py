"""Reading from PostgreSQL: connectorx on a connection of its own, COPY on a given one."""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products.postgres.text import text
from sqlscore.transports import connectorx
from sqlscore.transports.copy import copy_out
from sqlscore.transports.dbapi import driver_errors, fall_back, read_rows
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from sqlalchemy import Connection, Engine, Select

    Batches = Generator[pa.RecordBatch, None, None]

#: what the text of a value depends on, pinned so that the text says the value exactly
SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
}
#: settings of a connection that the one of connectorx takes over
TIMEOUTS = ("lock_timeout", "statement_timeout")
_WHOSE = "SELECT current_user = session_user, pg_catalog.pg_backend_pid()"
#: connection parameters that connectorx has no word for, or another meaning
_NOT_HANDED_OVER = re.compile(
    r"ssl(cert|key|rootcert|crl|password)|gssencmode|krbsrvname|channel_binding"
)


def read(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Iterator[pa.RecordBatch]:
    """`products.product.Read`: connectorx, or over `connection` COPY."""
    if engine.dialect.driver != "psycopg":
        reason = f"reading over {engine.dialect.driver}, row by row; psycopg streams batches"
        fall_back("PostgreSQL", reason)
        return read_rows(engine, query, schema, batch_rows=batch_rows, connection=connection)
    if connection is not None:
        return _over(connection, engine, query, schema, batch_rows)
    return _alone(engine, query, schema, batch_rows)


def _alone(engine: Engine, query: Select[Any], schema: pa.Schema, batch_rows: int) -> Batches:
    with ExitStack() as stack:
        stack.enter_context(translated("reading from PostgreSQL", url=engine.url))
        connection = stack.enter_context(engine.connect())
        obstacle = _obstacle(connection)
        if obstacle is not None:
            fall_back("PostgreSQL", f"reading without connectorx: {obstacle}")
            if _driver(connection).autocommit:  # settings are to hold for the query alone
                connection.rollback()
                connection.execution_options(isolation_level="READ COMMITTED")
            yield from stack.enter_context(
                closing(_over(connection, engine, query, schema, batch_rows))
            )
            return
        name = secrets.token_hex(8)
        url = _url(connection, name)
        connection.close()  # the pool has it while connectorx reads
        stack.enter_context(_ended(engine, name))
        rows = connectorx.stream(url, text(query), schema, batch_rows)
        yield from stack.enter_context(closing(rows))


@contextmanager
def _ended(engine: Engine, name: str) -> Iterator[None]:
    """End the server process of a stream that was not read to its end."""
    try:
        yield
    except BaseException:
        # Not by cancelling: a process that waits to send rows hears of that only when it has.
        end = sa.text(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
            "WHERE right(application_name, 16) = :name AND pid <> pg_catalog.pg_backend_pid()"
        )
        with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
            connection.execute(end, {"name": name})
        raise


def _obstacle(connection: Connection) -> str | None:
    """Why connectorx cannot see what this connection sees; None where it can."""
    if not connectorx.installed():
        return "it is not installed. Run: pip install 'sqlscore[postgres]'"
    driver = _driver(connection)
    parameters = sorted(p for p in driver.info.get_parameters() if _NOT_HANDED_OVER.fullmatch(p))
    if parameters:
        return f"the connection's {', '.join(parameters)} cannot be handed over to it"
    if driver.pgconn.used_gssapi:
        return "the connection was authenticated by GSSAPI"
    if connection.get_execution_options().get("schema_translate_map"):
        return "the engine translates schema names"
    own_user, process = connection.execute(sa.text(_WHOSE)).one()
    if not own_user:
        return "the engine sets a role of its own"
    # A pooler answers a client that connects with a process number of its own making.
    asked = driver.info.get_parameters().get("options", "")
    shown = "timezone=" in asked  # by these options it shows whether any arrive
    if _settings(connection, SETTINGS) != SETTINGS if shown else driver.info.backend_pid != process:
        return "the connection's options do not arrive, as behind PgBouncer"
    return None


def _url(connection: Connection, name: str) -> str:
    """The connection's own parameters, as they turned out, as connectorx takes them.

    `name` ends the application's name, whose first part is the connection's.
    """
    driver = _driver(connection)
    at = driver.info
    taken = ("search_path", *TIMEOUTS, "application_name")
    found = _settings(connection, taken)
    application = f"{found.pop('application_name')[: 62 - len(name)]} {name}"
    settings = {**SETTINGS, **found, "standard_conforming_strings": "on"}
    options = " ".join(f"-c {k}={_escaped(v)}" for k, v in settings.items())
    user = quote(at.user, safe="") + (f":{quote(at.password, safe='')}" if at.password else "")
    asked = {
        "application_name": application,
        "options": options,
        "sslmode": "require" if driver.pgconn.ssl_in_use else "disable",
    }
    place = f"{quote(at.hostaddr or at.host, safe='')}:{at.port}/{quote(at.dbname, safe='')}"
    return f"postgresql://{user}@{place}?{urlencode(asked, quote_via=quote)}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _over(
    connection: Connection,
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    batch_rows: int,
) -> Batches:
    doing = "reading from PostgreSQL over a given connection"
    with translated(doing, *driver_errors(engine), url=engine.url), _undisturbed(connection):
        if any(pa.types.is_list(t) or pa.types.is_binary(t) for t in schema.types):
            rows = read_rows(engine, query, schema, batch_rows=batch_rows, connection=connection)
        else:
            rows = copy_out(_driver(connection), text(query), schema, batch_rows)
        with closing(rows):
            yield from rows


@contextmanager
def _undisturbed(connection: Connection) -> Iterator[None]:
    """Pinned settings inside; afterwards settings and transaction are as before, come what may."""
    autocommit = _driver(connection).autocommit
    savepoint = None if autocommit else connection.begin_nested()
    before = _pin(connection, SETTINGS, local=not autocommit)
    try:
        yield
    except BaseException:
        # A cancelled or failed query takes only the savepoint with it.
        if savepoint is None:
            _pin(connection, before, local=False)
        else:
            savepoint.rollback()
        raise
    _pin(connection, before, local=not autocommit)
    if savepoint is not None:
        savepoint.commit()


def _pin(connection: Connection, settings: Mapping[str, str], *, local: bool) -> dict[str, str]:
    """Set the settings; what they were before."""
    before = _settings(connection, settings)
    changed = {n: v for n, v in settings.items() if before[n] != v}
    if changed:
        sets = (sa.func.set_config(n, v, local) for n, v in changed.items())
        connection.execute(sa.select(*sets)).close()
    return before


def _settings(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """What settings are now."""
    asked = sa.select(*(sa.func.current_setting(name).label(name) for name in names))
    return {name: str(value) for name, value in connection.execute(asked).one()._mapping.items()}


def _driver(connection: Connection) -> Any:
    """psycopg's connection beneath SQLAlchemy's."""
    return connection.connection.driver_connection
