"""MariaDB 10.4 and MySQL 8 and newer: connectorx reads, multi-row literals write."""

from __future__ import annotations

import configparser
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products import generic, transient
from sqlscore.products.mysql import types as mysql_types
from sqlscore.products.mysql.catalogue import describe, keys, unfit
from sqlscore.products.mysql.literals import literal
from sqlscore.products.mysql.read import SETTINGS, read, statement_timeout
from sqlscore.products.mysql.rewrite import TEXTS, rewrite
from sqlscore.products.mysql.swap import dependents, swap
from sqlscore.products.mysql.unit import LiteralUnit, fill
from sqlscore.products.product import Product, RowIndex

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Executable

    from sqlscore.products.product import Asked
    from sqlscore.products.queue import Queue
    from sqlscore.products.routines import Routines


def engine(url: URL, **pool: int) -> Engine:
    """PyMySQL, in UTC and strict, seeing what others have committed; another driver if named.

    A URL without a password takes that of ``~/.my.cnf``, as the server's own client does.
    """
    if url.drivername in ("mysql", "mariadb"):
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.password is None:
        url = _with_password(url, Path.home() / ".my.cnf")
    if "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    made = sa.create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True, **pool)
    sa.event.listen(made, "connect", _set_up)
    return made


def _with_password(url: URL, file: Path) -> URL:
    """The URL with the password, and the user where it names none, of a file's ``[client]``.

    Nothing else of the file counts: its socket or host would lead to another server.
    """
    options = configparser.RawConfigParser(allow_no_value=True, strict=False)
    with suppress(OSError, UnicodeDecodeError, configparser.Error):
        options.read(file)
    found = {
        name: (options.get("client", name, fallback=None) or "").strip("'\"")
        for name in ("user", "password")
    }
    if not found["password"] or (url.username and found["user"] not in ("", url.username)):
        return url
    return url.set(username=url.username or found["user"] or None, password=found["password"])


def _set_up(driver: Any, _record: object) -> None:
    cursor = driver.cursor()
    cursor.execute(SETTINGS)
    cursor.close()


def unit(engine: Engine, connection: Connection | None = None) -> LiteralUnit:
    """A unit that writes multi-row literals, over whatever driver."""
    return LiteralUnit(engine, connection)


def estimate(connection: Connection, query: sa.TextClause) -> int | None:
    """The optimiser's number, of the tables that the query joins."""
    rows = connection.execute(sa.text(f"EXPLAIN {query.text}")).mappings().all()
    found = [int(row["rows"]) for row in rows if row["rows"] is not None]
    return math.prod(found) if found else None


def settings(connection: Connection, asked: Asked) -> list[Executable]:
    """The timeouts, for the session: a lock's in whole seconds, at least one."""
    wanted: dict[str, float] = {}
    if asked.lock_timeout is not None:
        seconds = max(1, round(asked.lock_timeout))
        wanted |= {"innodb_lock_wait_timeout": seconds, "lock_wait_timeout": seconds}
    if asked.statement_timeout is not None:
        name, factor = statement_timeout(connection)
        wanted[name] = max(asked.statement_timeout, 0.001) * factor
    sets = ", ".join(f"{name} = {value:.15g}" for name, value in wanted.items())
    return [sa.text(f"SET SESSION {sets}")] if sets else []


#: what bears a name
_NAMED = """
SELECT v.view_definition FROM information_schema.tables t
LEFT JOIN information_schema.views v USING (table_schema, table_name)
WHERE t.table_name = :name AND t.table_schema = coalesce(:schema, database())
UNION ALL
SELECT routine_comment FROM information_schema.routines
WHERE routine_name = :name AND routine_schema = coalesce(:schema, database())
"""


def routines() -> Routines:
    """Procedures over the queue, which is all that runs inside."""
    from sqlscore.products.mysql.queue import ROUTINES

    return ROUTINES


def queue() -> Queue:
    """Jobs of sessions whose server runs no Python."""
    from sqlscore.products.mysql.queue import QUEUE

    return QUEUE


MYSQL = Product(
    name="MySQL",
    dialect="mysql",
    schemas=False,
    identifier_limit=64,  # characters, so as many bytes are never too many
    column_limit=1000,  # InnoDB takes 1017, but so many doubles do not fit its page
    nan=False,
    infinity=False,
    arrays=False,
    transactional_ddl=False,
    row_values=False,  # compared right, but no index serves it
    keyset_walk=True,
    shared=True,
    merge=False,
    returning=frozenset({"insert", "delete"}),  # MariaDB's; MySQL refuses it
    lateral=False,  # MySQL has it, MariaDB has not
    row_index=RowIndex.WITHIN,
    drops_temporary=True,
    with_writes=False,
    locks_rows=True,
    rewrite=rewrite,
    text_tests=TEXTS,
    like_escapes=True,
    estimate=estimate,
    transient=transient.MYSQL,
    timeouts=frozenset({"lock_timeout", "statement_timeout"}),
    settings_stay=True,
    settings=settings,
    engine=engine,
    absent=generic.absent,
    describe=describe,
    keys=keys,
    carried=mysql_types.carried,
    returned=generic.returned,
    project=mysql_types.project,
    literal=literal,
    declare=mysql_types.declare,
    declare_key=mysql_types.declare_key,
    read=read,
    unit=unit,
    readers_block_commit=generic.readers_block_commit,
    reader_connections=2,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    fill=fill,
    named=_NAMED,
    routines=routines,
    queue=queue,
)
