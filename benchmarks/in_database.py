"""Scoring by SQL inside the database: its functions, the trigger, what a call and a process cost.

Beside them stand ONNX Runtime itself, with rows that are in memory already, and a function that is
called for each row, as people write it today.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import sqlscore
from benchmarks import in_postgres, rows
from benchmarks.ways import alone, rates, session_of, threads_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings
    from benchmarks.ways import Found

_AHEAD = "(ROWS BETWEEN UNBOUNDED PRECEDING AND 4000 FOLLOWING)"


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


def _duckdb(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[Found]:
    import duckdb

    numbers = ", ".join(model.features)
    call = f"SELECT avg(predict('{model.name}[{prediction}]', {numbers})) FROM {rows.TABLE}"
    with closing(duckdb.connect(place.url.partition("///")[2])) as connection:
        sqlscore.attach(connection)
        ways = alone(model, settings)
        for threads in threads_of(settings):

            def ask(threads: int = threads) -> object:
                connection.execute(f"SET threads = {threads}")
                return connection.execute(call).fetchall()

            ways[f"predict of sqlscore.attach, threads: {threads}"] = (settings.rows, ask)
        yield from rates(ways, settings)


def _sqlite(place: Place, model: Model, prediction: str, settings: Settings) -> Iterator[Found]:
    numbers = ", ".join(model.features)
    few = min(settings.rows, settings.todays_rows)
    some = f"FROM (SELECT * FROM {rows.TABLE} LIMIT {few})"
    with closing(sqlite3.connect(place.url.partition("///")[2])) as connection:
        sqlscore.attach(connection)
        session = session_of(model, 1)
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
            **alone(model, settings),
            "a Python function for each row": (
                few,
                ask(f"SELECT avg(by_row({numbers})) {some}"),
            ),
            "predict of sqlscore.attach": (few, ask(f"SELECT avg(predict{given}) {some}")),
            "predict_over of sqlscore.attach": (few, ask(f"SELECT avg(score) FROM ({ahead})")),
        }
        yield from rates(ways, settings)


_MEASURES: dict[str, Callable[[Place, Model, str, Settings], Iterator[Found]]] = {
    "postgres": in_postgres.measure,
    "duckdb": _duckdb,
    "sqlite": _sqlite,
}
