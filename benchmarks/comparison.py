"""A model as SQL beside the other ways: how fast, up to how many trees, and how exact."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pyarrow as pa

import sqlscore
from benchmarks import rows, suite, today
from benchmarks.compiled import ORBITAL, own, translated
from benchmarks.models import COMPILED
from sqlscore.products import engine_for
from tests.pushdown.judge import thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.alone import Answer
    from benchmarks.measures import Found
    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings

AVERAGE = (
    "SQL, average",
    "push-down, average",
    "bridge, average",
    "today, average",
    "orbital, average",
)
TABLE = ("push-down, table", "run", "today")
_EDGES = "edges"
_DRAWN = 20_000  #: rows of `edges` of a model without thresholds
_WRONG = 1e-5  #: a score that differs by more is another one


@dataclass(kw_only=True, slots=True)
class Comparison:
    """One model on one database: medians, and the shares of rows with a wrong score."""

    database: str
    model: str
    parts: dict[str, Found] = field(default_factory=dict)
    edges: int = 0  #: rows at the thresholds of its trees; where it has none, drawn ones
    wrong: dict[str, int] = field(default_factory=dict)  #: way -> how many of these are wrong

    def rate(self, part: str) -> float | None:
        """Rows a second; None where that way was not measured."""
        found = self.parts.get(part)
        return found.rows / found.seconds if found else None

    def times(self, part: str, other: str) -> float | None:
        """How many times as fast as another way."""
        one, two = self.rate(part), self.rate(other)
        return one / two if one and two else None


def compare(place: Place, model: Model, settings: Settings) -> Comparison:
    """Measure a model on a database that has its rows and the model, in turns."""
    grows = model.name.startswith("trees_")  # is one of several sizes, for the crossover alone
    with_orbital = not grows and model.name in COMPILED and ORBITAL.exists()
    ways = ["compiled", "bridged", "run", *(["orbital"] if with_orbital else [])]
    answers: dict[str, list[Answer]] = {}
    for _ in range(settings.repeat):
        for what in ways:
            found = suite.measured(place, model, what, settings.rows)
            answers.setdefault(what, []).append(found)
    few = min(settings.rows, settings.todays_rows)
    for what in () if grows else ("written", "today"):
        answers[what] = [suite.measured(place, model, what, few)]
    made = Comparison(database=place.name, model=model.name)
    for several in answers.values():
        for part in several[0].parts:
            made.parts[part] = suite.median([answer.parts[part] for answer in several])
    judge(place, model, made, with_orbital=with_orbital)
    return made


def crossover(cases: Sequence[Comparison], part: str, other: str) -> float | None:
    """Up to how many trees one way is the faster one, between the sizes that were measured.

    None where it is the slower one with the fewest already, infinite where it never is.
    """
    points = sorted(
        (math.log(int(case.model.partition("_")[2])), math.log(case.times(part, other) or 1.0))
        for case in cases
        if case.model.startswith("trees_")
    )
    if not points or points[0][1] < 0:
        return None
    for (x, y), (next_x, next_y) in pairwise(points):
        if next_y < 0:
            return math.exp(float(np.interp(0.0, [next_y, y], [next_x, x])))
    return math.inf


def judge(place: Place, model: Model, made: Comparison, *, with_orbital: bool) -> None:
    """Count the scores that are not ONNX Runtime's, on rows at the thresholds."""
    table = _edges(model)
    made.edges = table.num_rows
    expected = today.predictor(model, own=False)(table.to_pandas())[-1]
    loaded = own(model)
    score = loaded.signature.predictions[-1].name
    engine = engine_for(place.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_EDGES}")
    rows.fill(place.url, _EDGES, model.key, table)
    with engine.connect() as connection:
        dialect = connection.dialect.name
        queries = {
            "push-down": (
                connection.dialect.identifier_preparer.quote_identifier(score),
                sqlscore.compile(loaded, dialect=dialect, table=_EDGES, key=model.key),
            )
        }
        if with_orbital:
            queries["orbital"] = translated(connection, model, _EDGES)
        for way, (name, query) in queries.items():
            text = f"SELECT {model.key}, {name} FROM ({query}) AS s ORDER BY {model.key}"
            values = [row[1] for row in connection.exec_driver_sql(text)]
            found = np.array(values, np.float64)  # NULL is NaN
            made.wrong[way] = int((~(np.abs(found - expected) <= _WRONG)).sum())
    engine.dispose()


def _edges(model: Model) -> pa.Table:
    """Rows with one feature at, just under or just over a threshold of the model's trees."""
    hard = thresholds(_bytes(model.plain))
    drawn = rows.made(_DRAWN, seed=2)
    if not hard:
        return drawn
    counts = [len(values) for values in hard]
    table = rows.made(sum(counts), seed=2)
    begin = 0
    for feature, values in enumerate(hard):
        place = table.schema.get_field_index(model.features[feature])
        column = table.column(place).to_numpy().copy()
        column[begin : begin + len(values)] = values
        table = table.set_column(place, model.features[feature], pa.array(column))
        begin += len(values)
    return table


def _bytes(path: str | Path) -> bytes:
    whole: bytes = onnx.load(path).SerializeToString()
    return whole
