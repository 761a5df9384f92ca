"""Scoring by SQL inside the database: its functions, the trigger, what a call and a process cost.

Beside them stand ONNX Runtime itself, with rows that are in memory already, and a function that is
called for each row, as people write it today.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

import sqlscore
from benchmarks import rows
from benchmarks.processes import peak_bytes
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings

    _Found = tuple[str, float, str]  #: what was measured, the median, its unit

RATE, LATENCY, MEMORY = "thousand rows/s", "ms", "MB"
_BATCH = 20_000  #: rows that ONNX Runtime alone is given at once
_TRIGGERED = 100_000
_CALLS = 500
_AHEAD = "(ROWS BETWEEN CURRENT ROW AND 4000 FOLLOWING)"

_ROW_FUNCTION = """
CREATE OR REPLACE FUNCTION by_row(VARIADIC x float8[]) RETURNS float8
LANGUAGE plpython3u STABLE AS $$
    if "session" not in SD:
        plpy.execute("SELECT sqlscore.load_runtime()")
        import numpy, onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        SD["session"] = onnxruntime.InferenceSession(
            plpy.execute("SELECT bytes FROM plain_model")[0]["bytes"], options
        )
        SD["name"] = SD["session"].get_inputs()[0].name
        SD["array"] = numpy.array
    row = SD["array"]([x], "float32")
    return float(SD["session"].run(None, {SD["name"]: row})[-1].flat[-1])
$$
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One thing that was measured; the median."""

    database: str
    model: str
    what: str
    value: float
    unit: str


def measure(place: Place, model: Model, settings: Settings) -> list[Figure]:
    """All figures of a database that has the rows and the model.

    There is none where nothing runs inside, and for a model of text, which ONNX Runtime alone is
    not given here.
    """
    if place.name not in _MEASURES or model.text:
        return []
    with sqlscore.connect(place.url) as database:
        prediction = database.models[model.name].signature.predictions[-1].name
    found = _MEASURES[place.name](place, model, prediction, settings)
    return [
        Figure(database=place.name, model=model.name, what=what, value=value, unit=unit)
        for what, value, unit in found
    ]


def _postgres(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[_Found]:
    with sqlscore.connect(place.url) as database:
        database.install()
    engine = engine_for(place.url)
    numbers = ", ".join(model.features)
    predict = f"sqlscore.predict('{model.name}', 'SELECT {numbers} FROM {rows.TABLE}')"
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE plain_model (bytes bytea)")
        connection.exec_driver_sql(
            "INSERT INTO plain_model VALUES (%s)", (Path(model.plain).read_bytes(),)
        )
        connection.exec_driver_sql(_ROW_FUNCTION)
        connection.commit()

        def ask(statement: str) -> Callable[[], object]:
            return lambda: connection.exec_driver_sql(statement).all()

        few = min(settings.rows, settings.todays_rows)
        some = f"FROM (SELECT * FROM {rows.TABLE} LIMIT {few}) AS t"
        by_row = f"SELECT avg(by_row({numbers})) {some}"
        one = f"sqlscore.predict_row('{model.name}[{prediction}]', {numbers})"
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            **_alone(model, settings),
            "a PL/Python function for each row": (few, ask(by_row)),
            "sqlscore.predict_row for each row": (few, ask(f"SELECT avg({one}) {some}")),
            "sqlscore.predict, its average": (
                settings.rows,
                ask(f"SELECT avg({prediction}) FROM {predict} AS p({prediction} real)"),
            ),
        }  # fmt: skip
        yield from _rates(ways, settings)
        connection.commit()
        yield from _triggers(connection, model, prediction, numbers)
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        yield "memory of a server process that called them", peak_bytes(pid) / 1e6, MEMORY
    yield from _latencies(engine, model, prediction, settings)
    engine.dispose()


def _triggers(
    connection: sa.Connection, model: Model, prediction: str, numbers: str
) -> Iterator[_Found]:
    run = connection.exec_driver_sql
    run(f"CREATE TABLE live AS SELECT id, {numbers}, NULL::real AS score FROM {rows.TABLE} LIMIT 0")
    run("ALTER TABLE live ADD PRIMARY KEY (id)")
    insert = f"INSERT INTO live SELECT id, {numbers} FROM {rows.TABLE} LIMIT {_TRIGGERED}"
    trigger = (
        "CREATE TRIGGER scored AFTER INSERT ON live REFERENCING NEW TABLE AS new_rows FOR EACH "
        f"STATEMENT EXECUTE FUNCTION sqlscore.fill('{model.name}', 'id', 'score={prediction}')"
    )
    for what, before in (("none", "SELECT 1"), ("sqlscore.fill", trigger)):
        run(before)
        taken = []
        for _ in range(3):
            run("TRUNCATE live")
            taken.append(_seconds(lambda: run(insert)))
        rate = connection.exec_driver_sql("SELECT count(*) FROM live").scalar_one()
        yield f"INSERT, trigger: {what}", rate / statistics.median(taken) / 1000, RATE
    connection.rollback()


def _latencies(
    engine: sa.Engine, model: Model, prediction: str, settings: Settings
) -> Iterator[_Found]:
    values = ", ".join(["0.5"] * len(model.features))
    named = ", ".join(f"0.5::float8 AS {name}" for name in model.features)
    row = f"SELECT sqlscore.predict_row('{model.name}[{prediction}]', {values})"
    query = (
        f"SELECT * FROM sqlscore.predict('{model.name}', 'SELECT {named}') AS p({prediction} real)"
    )
    firsts = []
    for _ in range(2 * settings.repeat + 1):
        engine.dispose()

        def first() -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(query)

        firsts.append(_seconds(first))
    yield "new connection and its first prediction", 1000 * statistics.median(firsts), LATENCY
    with engine.connect() as connection:
        for what, call in (
            ("SELECT 1", "SELECT 1"),
            ("one row by sqlscore.predict_row", row),
            ("one row by sqlscore.predict", query),
        ):
            taken = [
                _seconds(lambda call=call: connection.exec_driver_sql(call).all())  # type: ignore[misc]
                for _ in range(_CALLS)
            ]
            yield f"{what}, p50", 1000 * statistics.median(taken), LATENCY


def _duckdb(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[_Found]:
    import duckdb

    numbers = ", ".join(model.features)
    call = f"SELECT avg(predict('{model.name}[{prediction}]', {numbers})) FROM {rows.TABLE}"
    with closing(duckdb.connect(place.url.partition("///")[2])) as connection:
        sqlscore.attach(connection)
        ways = _alone(model, settings)
        for threads in _threads(settings):

            def ask(threads: int = threads) -> object:
                connection.execute(f"SET threads = {threads}")
                return connection.execute(call).fetchall()

            ways[f"predict of sqlscore.attach, threads: {threads}"] = (settings.rows, ask)
        yield from _rates(ways, settings)


def _sqlite(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[_Found]:
    numbers = ", ".join(model.features)
    few = min(settings.rows, settings.todays_rows)
    some = f"FROM (SELECT * FROM {rows.TABLE} LIMIT {few})"
    with closing(sqlite3.connect(place.url.partition("///")[2])) as connection:
        sqlscore.attach(connection)
        session = _session(model, 1)
        name = session.get_inputs()[0].name

        def by_row(*values: float) -> float:
            row = np.array([values], np.float32)
            return float(session.run(None, {name: row})[-1].flat[-1])

        connection.create_function("by_row", -1, by_row)

        def ask(call: str) -> Callable[[], object]:
            return lambda: connection.execute(call).fetchall()

        given = f"('{model.name}[{prediction}]', {numbers})"
        ahead = f"SELECT predict_over{given} OVER {_AHEAD} AS score {some}"
        ways = {
            **_alone(model, settings),
            "a Python function for each row": (
                few,
                ask(f"SELECT avg(by_row({numbers})) {some}"),
            ),
            "predict of sqlscore.attach": (few, ask(f"SELECT avg(predict{given}) {some}")),
            "predict_over of sqlscore.attach": (few, ask(f"SELECT avg(score) FROM ({ahead})")),
        }
        yield from _rates(ways, settings)


_MEASURES: dict[str, Callable[[Place, Model, str, Settings], Iterator[_Found]]] = {
    "postgres": _postgres,
    "duckdb": _duckdb,
    "sqlite": _sqlite,
}


def _rates(
    ways: dict[str, tuple[int, Callable[[], object]]], settings: Settings
) -> Iterator[_Found]:
    """Thousand rows a second of each way, measured in turns."""
    taken: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(settings.repeat):
        for what, (_, call) in ways.items():
            taken[what].append(_seconds(call))
    for what, (count, _) in ways.items():
        yield what, count / statistics.median(taken[what]) / 1000, RATE


def _alone(model: Model, settings: Settings) -> dict[str, tuple[int, Callable[[], object]]]:
    """ONNX Runtime itself, on one thread and on all cores, over rows in memory."""
    table = rows.made(settings.rows)
    columns = [table[name].to_numpy() for name in model.features]
    block = np.column_stack(columns).astype(np.float32)

    def way(threads: int) -> Callable[[], object]:
        session = _session(model, threads)
        name = session.get_inputs()[0].name

        def run() -> None:
            for first in range(0, len(block), _BATCH):
                session.run(None, {name: block[first : first + _BATCH]})

        return run

    return {
        f"ONNX Runtime alone, threads: {threads}": (settings.rows, way(threads))
        for threads in _threads(settings)
    }


def _threads(settings: Settings) -> list[int]:
    return sorted({1, settings.cores})


def _session(model: Model, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.plain, options, providers=["CPUExecutionProvider"])


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
