"""Inside PostgreSQL: functions over many rows, the trigger, what one call and a process cost."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import sqlscore
from benchmarks import rows
from benchmarks.processes import anonymous_bytes, peak_bytes, processor_seconds
from benchmarks.ways import PROCESSOR, RATE, alone, rates, seconds
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings
    from benchmarks.ways import Found, Ways

LATENCY, MEMORY = "ms", "MB"
_TRIGGERED = 100_000
_CALLS = 500

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

_PROCESSOR_MS = """
CREATE OR REPLACE FUNCTION processor_ms() RETURNS float8 LANGUAGE plpython3u AS $$
    import resource
    used = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (used.ru_utime + used.ru_stime)
$$
"""


def measure(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[Found]:
    """All figures, of a database that has the rows and the model."""
    with sqlscore.connect(place.url) as database:
        database.install()
    engine = engine_for(place.url)
    numbers = ", ".join(model.features)
    predict = f"sqlscore.predict('{model.name}', 'SELECT {numbers} FROM {rows.TABLE}')"
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS plain_model")  # the last model's
        connection.exec_driver_sql("CREATE TABLE plain_model (bytes bytea)")
        connection.exec_driver_sql(
            "INSERT INTO plain_model VALUES (%s)", (Path(model.plain).read_bytes(),)
        )
        connection.exec_driver_sql(_ROW_FUNCTION)
        connection.exec_driver_sql(_PROCESSOR_MS)
        connection.commit()

        def ask(statement: str) -> Callable[[], object]:
            return lambda: connection.exec_driver_sql(statement).all()

        few = min(settings.rows, settings.todays_rows)
        some = f"FROM (SELECT * FROM {rows.TABLE} LIMIT {few}) AS t"
        by_row = f"SELECT avg(by_row({numbers})) {some}"
        one = f"sqlscore.predict_row('{model.name}[{prediction}]', {numbers})"
        ways: Ways = {
            **alone(model, settings),
            "a PL/Python function for each row": (few, ask(by_row)),
            "sqlscore.predict_row for each row": (few, ask(f"SELECT avg({one}) {some}")),
            "sqlscore.predict, its average": (
                settings.rows,
                ask(f"SELECT avg({prediction}) FROM {predict} AS p({prediction} real)"),
            ),
        }  # fmt: skip
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        yield from rates(ways, settings, pid)
        connection.commit()
        yield from _triggers(connection, pid, model, prediction, numbers)
        yield "own memory of a server process that called them", anonymous_bytes(pid) / 1e6, MEMORY
        yield "the most that it held, libraries included", peak_bytes(pid) / 1e6, MEMORY
    yield from _latencies(engine, model, prediction, settings)
    engine.dispose()


def _triggers(
    connection: sa.Connection, pid: int, model: Model, prediction: str, numbers: str
) -> Iterator[Found]:
    run = connection.exec_driver_sql
    run(f"CREATE TABLE live AS SELECT id, {numbers}, NULL::real AS score FROM {rows.TABLE} LIMIT 0")
    run("ALTER TABLE live ADD PRIMARY KEY (id)")
    insert = f"INSERT INTO live SELECT id, {numbers} FROM {rows.TABLE} LIMIT {_TRIGGERED}"
    trigger = (
        "CREATE TRIGGER scored AFTER INSERT ON live REFERENCING NEW TABLE AS new_rows FOR EACH "
        f"STATEMENT EXECUTE FUNCTION sqlscore.fill('{model.name}', 'id', 'score={prediction}')"
    )
    roomy = "ALTER TABLE live SET (fillfactor = 45)"
    for what, before in (
        ("no trigger", "SELECT 1"),
        ("sqlscore.fill", trigger),
        ("sqlscore.fill, fillfactor 45", roomy),
    ):
        run(before)
        taken = []
        for _ in range(3):
            run("TRUNCATE live")
            began = processor_seconds(pid)
            taken.append((seconds(lambda: run(insert)), processor_seconds(pid) - began))
        count = run("SELECT count(*) FROM live").scalar_one()
        wall, used = (statistics.median(several) for several in zip(*taken, strict=True))
        yield f"INSERT, {what}", count / wall / 1000, RATE
        yield f"INSERT, {what}", 1e6 * used / count, PROCESSOR
    connection.rollback()


def _latencies(
    engine: sa.Engine, model: Model, prediction: str, settings: Settings
) -> Iterator[Found]:
    values = ", ".join(["0.5"] * len(model.features))
    named = ", ".join(f"0.5::float8 AS {name}" for name in model.features)
    row = f"SELECT sqlscore.predict_row('{model.name}[{prediction}]', {values})"
    query = (
        f"SELECT * FROM sqlscore.predict('{model.name}', 'SELECT {named}') AS p({prediction} real)"
    )
    firsts, used = [], []
    for _ in range(2 * settings.repeat + 1):
        engine.dispose()

        def first() -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(query)

        firsts.append(seconds(first))
        with engine.connect() as connection:  # the same one
            used.append(connection.exec_driver_sql("SELECT processor_ms()").scalar_one())
    yield "new connection and its first prediction", 1000 * statistics.median(firsts), LATENCY
    yield "new connection and its first prediction", statistics.median(used), f"processor {LATENCY}"
    with engine.connect() as connection:
        for what, call in (
            ("SELECT 1", "SELECT 1"),
            ("one row by sqlscore.predict_row", row),
            ("one row by sqlscore.predict", query),
        ):
            taken = [
                seconds(lambda call=call: connection.exec_driver_sql(call).all())  # type: ignore[misc]
                for _ in range(_CALLS)
            ]
            yield f"{what}, p50", 1000 * statistics.median(taken), LATENCY
