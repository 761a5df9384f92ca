"""Reading from MySQL and MariaDB: connectorx, or a cursor that streams, over a given connection."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects.mysql.base import MySQLDialect

from sqlscore.errors import DatabaseError
from sqlscore.transports import connectorx
from sqlscore.transports.dbapi import driver_errors, fall_back, read_rows
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa
    from sqlalchemy import Connection, Engine, Select

#: what the meaning of statements and the text of values depends on. Strict: a value that does not
#: fit is an error. Zero dates are allowed: what a source holds, a target must hold too.
SETTINGS = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
    " time_zone = '+00:00', sql_notes = 1"
)


def read(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Iterator[pa.RecordBatch]:
    """`products.product.Read`: connectorx, or over `connection` a cursor that streams."""
    if connection is not None:
        return _over(connection, engine, query, schema, batch_rows)
    return _alone(engine, query, schema, batch_rows)


def _alone(
    engine: Engine, query: Select[Any], schema: pa.Schema, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    doing = f"reading from {engine.dialect.name}"
    with ExitStack() as stack:
        stack.enter_context(translated(doing, *driver_errors(engine), url=engine.url))
        connection = stack.enter_context(engine.connect())
        obstacle = _obstacle(connection)
        if obstacle is not None:
            fall_back("MySQL or MariaDB", f"reading without connectorx: {obstacle}")
            rows = _over(connection, engine, query, schema, batch_rows)
            yield from stack.enter_context(closing(rows))
            return
        url = _url(connection)
        before = (SETTINGS, _timeout(connection))
        connection.close()  # the pool has it while connectorx reads
        mark = f"/* sqlscore {secrets.token_hex(8)} */"
        text = _text(query).replace("SELECT", f"SELECT {mark}", 1)
        rows = connectorx.stream(url, text, schema, batch_rows, before=before)
        stack.enter_context(closing(rows))
        stack.enter_context(_ended(engine, _THREADS.c.info.contains(mark)))
        for batch in rows:  # noqa: UP028 - `yield from` would close them before the statement ends
            yield batch


def _over(
    connection: Connection, engine: Engine, query: Select[Any], schema: pa.Schema, batch_rows: int
) -> Generator[pa.RecordBatch, None, None]:
    number = connection.scalar(sa.text("SELECT CONNECTION_ID()"))
    rows = read_rows(engine, query, schema, batch_rows=batch_rows, connection=connection)
    try:
        with _ended(engine, _THREADS.c.id == number):
            for batch in rows:  # noqa: UP028 - as above
                yield batch
    finally:
        # The driver must read what is left of the result: little, once the server has ended it.
        with suppress(DatabaseError):
            for _ in rows:
                pass


_THREADS = sa.table("processlist", sa.column("id"), sa.column("info"), schema="information_schema")


@contextmanager
def _ended(engine: Engine, which: sa.ColumnElement[bool]) -> Iterator[None]:
    """End the statement of a stream that was not read to its end."""
    try:
        yield
    except BaseException:
        others = _THREADS.c.id != sa.func.connection_id()
        find = sa.select(_THREADS.c.id).where(which, others)
        with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
            for number in connection.scalars(find).all():
                connection.exec_driver_sql(f"KILL QUERY {int(number)}")
        raise


def _obstacle(connection: Connection) -> str | None:
    """Why connectorx cannot see what this connection sees; None where it can."""
    if not connectorx.installed():
        return "it is not installed. Run: pip install 'sqlscore[mysql]'"
    if connection.dialect.driver != "pymysql":
        return f"{connection.dialect.driver} does not tell how it connected; pymysql does"
    # The driver's own word is what it would like, not what it got.
    status = connection.execute(sa.text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).one_or_none()
    if status is not None and status[1]:
        return "the connection is encrypted"
    if connection.get_execution_options().get("schema_translate_map"):
        return "the engine translates schema names"
    return None


def _url(connection: Connection) -> str:
    """The connection's own parameters, as they turned out, as connectorx takes them."""
    driver = _driver(connection)
    user, password = (_as_text(v) for v in (driver.user, driver.password))
    account = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    database = connection.scalar(sa.text("SELECT DATABASE()")) or ""
    place = f"{quote(driver.host or 'localhost', safe='')}:{driver.port}/{quote(database, safe='')}"
    socket = f"?socket={quote(driver.unix_socket, safe='')}" if driver.unix_socket else ""
    return f"mysql://{account}@{place}{socket}"


def statement_timeout(connection: Connection) -> tuple[str, int]:
    """The variable that bounds a statement, and how many of its units a second has.

    MySQL bounds reading alone.
    """
    maria = getattr(connection.dialect, "is_mariadb", False)
    return ("max_statement_time", 1) if maria else ("max_execution_time", 1000)


def _timeout(connection: Connection) -> str:
    """What gives another connection this one's bound of a statement."""
    name, _ = statement_timeout(connection)
    value = connection.scalar(sa.text(f"SELECT @@SESSION.{name}"))
    return f"SET SESSION {name} = {float(value):.15g}"


def _as_text(value: str | bytes | None) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else value or ""


class _Plain(MySQLDialect):
    """The SQL as text without parameters: percent signs stay single, as `SETTINGS` read it."""

    supports_statement_cache = True

    def __init__(self) -> None:
        super().__init__(paramstyle="named")


def _text(query: Select[Any]) -> str:
    return str(query.compile(dialect=_Plain(), compile_kwargs={"literal_binds": True}))


def _driver(connection: Connection) -> Any:
    """PyMySQL's connection beneath SQLAlchemy's."""
    return connection.connection.driver_connection
