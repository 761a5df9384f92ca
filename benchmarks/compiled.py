"""What is measured of a model as SQL, each in a process of its own, and of what stands beside it.

The average of the last score over all rows: by SQL in the database, by the bridge, by what people
write today, by orbital's SQL; and table to table by SQL.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

import sqlscore
from benchmarks.measures import Asked, insert
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from benchmarks.measures import Meter
    from benchmarks.models import Model

ORBITAL = Path(".venv-orbital/bin/python")
#: PostgreSQL's own compiler takes seconds for an ensemble
_WITHOUT_JIT = {"postgresql": "SET jit = off"}
_DIALECTS = {"postgresql": "postgres"}


def compiled(asked: Asked, meter: Meter) -> None:
    """By SQL in the database: its query alone, as a view has it; by statements."""
    loaded = own(asked.model)
    score = loaded.signature.predictions[-1].name
    engine = engine_for(asked.url)
    with engine.connect() as connection:
        dialect = connection.dialect
        query = sqlscore.compile(loaded, dialect=dialect.name, table=asked.model.source)
        name = dialect.identifier_preparer.quote_identifier(score)
        _asked(connection, meter, "SQL, average", name, query)
    engine.dispose()
    _average(asked, meter, "push-down")
    insert(asked, meter, "push-down, table", "push-down")


def bridged(asked: Asked, meter: Meter) -> None:
    """By the bridge: the average of what streams out."""
    _average(asked, meter, "bridge")


def _average(asked: Asked, meter: Meter, route: str) -> None:
    data = f"PREDICT(MODEL = {asked.model.name}, DATA = {asked.model.source} AS d) AS p"
    with sqlscore.connect(asked.url) as database:
        name = database.models[asked.model.name].signature.predictions[-1].name
        wanted = f"AVG(p.{name}) AS a" if route == "push-down" else f"p.{name} AS a"
        list(database.sql(f"SELECT TOP 10 p.{name} AS a FROM {data}", route=route))
        with meter.measure(f"{route}, average") as found:
            for batch in database.sql(f"SELECT {wanted} FROM {data}", route=route).to_batches():
                pc.sum(batch["a"])
            found.rows = asked.rows


def written(asked: Asked, meter: Meter) -> None:
    """What people write today: pandas reads, ONNX Runtime scores, numpy averages."""
    from benchmarks import today  # and with it pandas, which a run is measured without

    with meter.measure("today, average") as found:
        today.average(asked.url, asked.model, asked.rows)
        found.rows = asked.rows


def orbital(asked: Asked, meter: Meter) -> None:
    """The average by orbital's SQL."""
    engine = engine_for(asked.url)
    with engine.connect() as connection:
        score, query = translated(connection, asked.model, asked.model.source)
        _asked(connection, meter, "orbital, average", score, query)
    engine.dispose()


def _asked(connection: sa.Connection, meter: Meter, part: str, score: str, query: str) -> None:
    """The average of a query's score."""
    setting = _WITHOUT_JIT.get(connection.dialect.name)
    if setting:
        connection.exec_driver_sql(setting)
    connection.exec_driver_sql(f"SELECT {score} FROM ({query}) AS s LIMIT 10").all()
    with meter.measure(part) as found:
        connection.exec_driver_sql(f"SELECT avg({score}) FROM ({query}) AS s").all()
        found.rows = meter.asked.rows


def own(model: Model) -> sqlscore.Model:
    """The model as sqlscore has it."""
    return sqlscore.load(model.onnx, features=None if model.text else list(model.features))


def translated(connection: sa.Connection, model: Model, table: str) -> tuple[str, str]:
    """The last score's column, quoted, of orbital's query over a table, and that query."""
    question = {
        "pickled": model.pickled, "features": model.features, "text": model.text, "table": table,
        "dialect": _DIALECTS.get(connection.dialect.name, connection.dialect.name),
        "passed": [model.key],
    }  # fmt: skip
    program = [str(ORBITAL), "-W", "ignore", "-I", str(Path(__file__).with_name("orbital_sql.py"))]
    said = subprocess.run(
        program, input=json.dumps(question), stdout=subprocess.PIPE, text=True, check=True
    )
    query = said.stdout.rstrip().rstrip(";")
    names = connection.exec_driver_sql(f"SELECT * FROM ({query}) AS s LIMIT 0").keys()
    last = [name for name in names if "prob" in name][-1]
    return connection.dialect.identifier_preparer.quote_identifier(last), query


#: as `benchmarks.measures.MEASURES`
MEASURES: dict[str, Callable[[Asked, Meter], None]] = {
    "compiled": compiled, "bridged": bridged, "written": written, "orbital": orbital,
}  # fmt: skip
