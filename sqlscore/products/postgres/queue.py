"""The queue of PostgreSQL: its scripts, the columns of its jobs, and how a new job is heard of."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products.postgres.routines import PSQL, as_a_whole, refuse_other_schema, run_scripts
from sqlscore.products.postgres.types import meaning
from sqlscore.products.queue import Queue
from sqlscore.products.scripts import by_hand
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Engine

_CHANNEL = "sqlscore_queue"
_SCRIPTS = ("rights", "queue", "pushdown")


def install(engine: Engine) -> None:
    """Make the queue, or upgrade it; no superuser is needed. One transaction."""
    refuse_other_schema(engine)
    as_a_whole(engine, lambda one: run_scripts(one, *_SCRIPTS), "installing the queue")


def install_sql(engine: Engine, tables: Sequence[str]) -> str:
    """What `install` would run."""
    refuse_other_schema(engine)
    how = f"As the owner of the tables, who may make roles: {PSQL}"
    return by_hand("postgres", how, tables, *_SCRIPTS)


def column(described: Mapping[str, Any]) -> Column:
    """A column of a caller's query, by the catalogue's names of what lies beneath its type."""
    type_ = meaning(described["base"], -1, described["element"])
    return Column(name=described["name"], type=type_, declared=described["type"])


@contextmanager
def bell(engine: Engine) -> Iterator[Callable[[float], None]]:
    """LISTEN on a connection of its own; another driver than psycopg looks once in a while."""
    with engine.connect() as connection:
        listening = connection.execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = connection.connection.driver_connection
        if not hasattr(driver, "notifies"):
            yield lambda seconds: time.sleep(min(seconds, 0.05))
            return
        listening.execute(sa.text(f"LISTEN {_CHANNEL}"))

        import psycopg

        def wait(seconds: float) -> None:
            with translated("listening for jobs", psycopg.Error, url=engine.url):
                for _ in driver.notifies(timeout=seconds, stop_after=1):
                    pass

        try:
            yield wait
        finally:
            connection.invalidate()  # the pool gets no connection that listens


QUEUE = Queue(
    install=install,
    install_sql=install_sql,
    column=column,
    bell=bell,
    take=sa.text("SELECT * FROM sqlscore.queue_take(:a_worker, :the_time)"),
    give=sa.text(
        "SELECT sqlscore.queue_give(:a_job, :a_part, :a_worker, :its_attempts, :found, "
        ":its_carried, :its_predictions, :the_time)"
    ),
    # a crash of the server may undo what a worker did last: then the rows wait again
    begins=("SET LOCAL synchronous_commit = off",),
    advice="Who may call: GRANT sqlscore_caller TO somebody;\n"
    "which model: SELECT sqlscore.grant_model('churn', 'somebody');\n"
    "who works: GRANT sqlscore_worker TO somebody; and then: sqlscore worker",
)
