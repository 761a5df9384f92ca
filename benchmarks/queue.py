"""Scoring by the queue: what a session waits for one row, and for ten thousand of a table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlscore
from benchmarks import rows
from benchmarks.in_database import Figure
from benchmarks.in_postgres import LATENCY
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings

_CALLS = 200  #: of one row
_MANY = 10_000


def measure(place: Place, model: Model, settings: Settings) -> list[Figure]:
    """All figures of a database that has the rows and the model; none where there is no queue."""
    if place.name not in _WAYS:
        return []
    with sqlscore.connect(place.url) as database:
        database.uninstall()
        database.install(queue=True)
    engine = engine_for(place.url)
    figures = []
    with _working(place.url), engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("DROP TABLE IF EXISTS queued")  # another model's
        for what, call in _WAYS[place.name](connection, model).items():
            count = settings.repeat if str(_MANY) in what.replace(",", "") else _CALLS
            call()  # loads the model
            taken = sorted(_milliseconds(call) for _ in range(count))
            figures.append(_figure(place, model, f"{what}, p50", statistics.median(taken)))
            if count == _CALLS:
                figures.append(_figure(place, model, f"{what}, p99", taken[count * 99 // 100]))
    engine.dispose()
    with sqlscore.connect(place.url) as database:
        database.uninstall()
    return figures


def _figure(place: Place, model: Model, what: str, value: float) -> Figure:
    return Figure(database=place.name, model=model.name, what=what, value=value, unit=LATENCY)


def _postgres(connection: sa.Connection, model: Model) -> dict[str, Callable[[], object]]:
    names = ", ".join(("id", *model.features))

    def source(count: int) -> str:
        return f"SELECT {names} FROM {rows.TABLE} WHERE id < {count}"

    def round_trip() -> None:
        submit = f"SELECT sqlscore.submit('{model.name}', '{source(1)}')"
        job = connection.exec_driver_sql(submit).scalar_one()
        connection.exec_driver_sql(f"SELECT sqlscore.wait({job})")
        assert connection.exec_driver_sql(f"SELECT * FROM sqlscore.result({job})").all()

    def score(count: int) -> Callable[[], object]:
        target = f"queued_{model.name}"
        call = f"CALL sqlscore.score('{model.name}', '{source(count)}', '{target}', 'id')"
        return lambda: connection.exec_driver_sql(call)

    return {
        "SELECT 1": lambda: connection.exec_driver_sql("SELECT 1").all(),
        "submit, wait and result of one row": round_trip,
        "CALL score of one row": score(1),
        f"CALL score of {_MANY:,} rows": score(_MANY),
    }


def _mariadb(connection: sa.Connection, model: Model) -> dict[str, Callable[[], object]]:
    names = ", ".join(("id", *model.features))

    def source(count: int) -> str:
        return f"SELECT {names} FROM {rows.TABLE} WHERE id < {count}"

    def score(count: int) -> Callable[[], object]:
        target = f"queued_{model.name}"
        call = f"CALL sqlscore_score('{model.name}', '{source(count)}', '{target}', 'id')"
        return lambda: connection.exec_driver_sql(call)

    one = f"CALL sqlscore_predict('{model.name}', '{source(1)}')"
    return {
        "SELECT 1": lambda: connection.exec_driver_sql("SELECT 1").all(),
        "CALL predict of one row": lambda: connection.exec_driver_sql(one).all(),
        "CALL score of one row": score(1),
        f"CALL score of {_MANY:,} rows": score(_MANY),
    }


_WAYS = {"postgres": _postgres, "mariadb": _mariadb}


@contextmanager
def _working(url: str) -> Iterator[None]:
    """A worker in a process of its own."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "sqlscore", "worker"], env={**os.environ, "SQLSCORE_DB": url}
    )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)
