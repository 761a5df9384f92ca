"""The queue of MariaDB: its scripts, the columns of its jobs, and how a new job is noticed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.queue import NoRoom, Queue
from sqlscore.products.routines import Routines
from sqlscore.products.scripts import by_hand, script
from sqlscore.tables.schema import schema_of
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

_OLDEST = (10, 6)  #: MariaDB that has SKIP LOCKED and JSON_TABLE
_FIRST_LOOK, _LAST_LOOK = 0.002, 0.05  #: seconds between two looks for a job

_ADVICE = (
    "Who may call: GRANT sqlscore_caller TO somebody;\n"
    "SET DEFAULT ROLE sqlscore_caller FOR somebody;\n"
    "GRANT CREATE TEMPORARY TABLES ON this_database.* TO somebody;\n"
    "which model: CALL sqlscore_grant_model('churn', 'somebody');\n"
    "who works: GRANT sqlscore_worker TO another; and then: sqlscore worker"
)


def install(engine: Engine) -> None:
    """Make the queue, or upgrade it, statement by statement. DatabaseError on MySQL."""
    with translated("installing the queue", url=engine.url), engine.connect() as connection:
        connection.commit()  # of what the driver asked at the start
        _refuse(connection)
        _run(connection, "queue")


def _refuse(connection: Connection) -> None:
    """DatabaseError for a server that takes no queue, and for tables of another prefix."""
    prefix = schema_of(connection.engine)
    if prefix != "sqlscore":
        raise DatabaseError(
            f"the tables of sqlscore have the prefix {prefix!r} here, and its "
            "procedures work with tables of the prefix 'sqlscore' only"
        )
    dialect: Any = connection.dialect
    if not dialect.is_mariadb or dialect.server_version_info < _OLDEST:
        raise DatabaseError(
            "the queue is written for MariaDB 10.6 and newer: its procedures use EXECUTE "
            "IMMEDIATE, @@in_transaction and JSON_ARRAYAGG with an order, which MySQL has not. "
            "Use 'sqlscore score' there, or 'sqlscore model install'"
        )


def install_sql(engine: Engine, tables: Sequence[str]) -> str:
    """What `install` would run."""
    with translated("looking at the server", url=engine.url), engine.connect() as connection:
        _refuse(connection)
    how = "By who may do all in the database, and make roles: mariadb DATABASE < THIS_FILE"
    return by_hand("mysql", how, tables, "queue")


def uninstall_sql(*, purge: bool) -> str:
    """What `uninstall` would run."""
    names = ["uninstall", *(["purge"] if purge else [])]
    return by_hand("mysql", "mariadb DATABASE < THIS_FILE", (), *names)


def uninstall(engine: Engine, *, purge: bool) -> None:
    """Take the procedures away; with `purge` models, runs and rights on models, too."""
    doing = "taking the procedures away"
    with translated(doing, url=engine.url), engine.connect() as connection:
        _run(connection, "uninstall", *(["purge"] if purge else []))


def statements(text: str) -> Iterator[str]:
    """The statements of a script as the server's own client finds them, by its DELIMITER."""
    end, lines = ";", list[str]()
    for line in text.splitlines():
        if line.startswith("DELIMITER "):
            end = line.split()[1]
        elif line.endswith(end):
            yield "\n".join([*lines, line.removesuffix(end)])
            lines.clear()
        elif lines or (line and not line.startswith("--")):
            lines.append(line)


def _run(connection: Connection, *names: str) -> None:
    free = connection.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
    for name in names:
        for statement in statements(script("mysql", name)):
            free.exec_driver_sql(statement)


def _no_functions(*_: object) -> Any:
    raise NoRoom("MariaDB and MySQL run no models inside the server")


def column(described: Sequence[str]) -> Column:
    """A feature's column, of which the values tell the type."""
    return Column(name=described[0], type=pa.null())


@contextmanager
def bell(engine: Engine) -> Iterator[Callable[[float], None]]:
    """Nothing tells of a new job here: look, at first often, then less."""
    waiting = sa.text("SELECT 1 FROM sqlscore_queue_parts WHERE status = 'waiting' LIMIT 1")
    with engine.connect() as connection:
        looking = connection.execution_options(isolation_level="AUTOCOMMIT")

        def wait(seconds: float) -> None:
            until, step = time.monotonic() + seconds, _FIRST_LOOK
            while time.monotonic() < until and looking.execute(waiting).first() is None:
                time.sleep(step)
                step = min(step * 1.1, _LAST_LOOK)

        yield wait


QUEUE = Queue(
    install=install, install_sql=install_sql, column=column, bell=bell, advice=_ADVICE, by_row=True
)
ROUTINES = Routines(
    install=_no_functions, install_sql=_no_functions, uninstall=uninstall,
    uninstall_sql=uninstall_sql, advice=_ADVICE,
)  # fmt: skip
