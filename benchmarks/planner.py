"""Whether the planner's choice is the faster route, and what each optimisation gains alone."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlscore
from benchmarks import rows, suite
from sqlscore.costs.kept import store
from sqlscore.costs.measuring import measured
from sqlscore.optimisations import Optimisation

if TYPE_CHECKING:
    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings

_ROUTES = ("bridge", "push-down")
#: a tenth of the rows: every number is drawn from a normal distribution
_TENTH = "d.f0 > 1.2816"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One statement by both routes, in seconds, and the one that the planner takes."""

    database: str
    model: str
    statement: str
    rows: int
    seconds: dict[str, float]
    estimated: dict[str, float]
    taken: str

    @property
    def times(self) -> float:
        """How many times as long as the faster route the planner's takes."""
        return self.seconds[self.taken] / min(self.seconds.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """One optimisation of a pushed-down statement over a tenth of the rows."""

    database: str
    model: str
    optimisation: str
    alone: float  #: how many times as fast as without any
    left_out: float  #: how many times as fast as all are without it


def calibrate(place: Place) -> None:
    """Measure the constants of a database, and keep them there."""
    with sqlscore.connect(place.url) as database:
        store(database.engine, database.product, measured(database.engine, database.product))


def choices(place: Place, model: Model, settings: Settings) -> list[Choice]:
    """The average of a score, and the keys with their scores to the reader."""
    with sqlscore.connect(place.url) as database:
        source = f"FROM PREDICT(MODEL = {model.name}, DATA = {rows.TABLE} AS d) AS p"
        score = f"p.[{database.models[model.name].signature.predictions[-1].name}]"
        asked = {
            "average": f"SELECT AVG({score}) AS mean {source}",
            "rows": f"SELECT d.{rows.KEY}, {score} AS score {source}",
        }
        return [
            _choice(database, place, model, what, statement, settings)
            for what, statement in asked.items()
        ]


def _choice(
    database: sqlscore.Database,
    place: Place,
    model: Model,
    what: str,
    statement: str,
    settings: Settings,
) -> Choice:
    (told,) = database.explain(statement, route="auto").predicts
    routes = [route for route in _ROUTES if route == "bridge" or not told.refused]
    took: dict[str, list[float]] = {route: [] for route in routes}
    for _ in range(settings.repeat):
        for route in routes:
            took[route].append(_seconds(database, statement, route=route))
    found = Choice(
        database=place.name, model=model.name, statement=what, rows=settings.rows,
        seconds={route: statistics.median(several) for route, several in took.items()},
        estimated=told.seconds, taken=told.route,
    )  # fmt: skip
    suite.tell(f"{place.name} {model.name} {what}: {found.seconds}, estimated {found.estimated}")
    return found


def gains(place: Place, model: Model, settings: Settings) -> list[Gain]:
    """Each optimisation alone, and all without it, on a tenth of the rows."""
    every = tuple(Optimisation)
    with sqlscore.connect(place.url) as database:
        name = database.models[model.name].signature.predictions[-1].name
        statement = (
            f"SELECT COUNT(*) AS n FROM PREDICT(MODEL = {model.name}, DATA = {rows.TABLE} AS d)"
            f" AS p WHERE {_TENTH} AND p.[{name}] > 0.9"
        )
        if database.explain(statement, route="auto").predicts[0].refused:
            return []
        ways: dict[str, tuple[str, ...]] = {"none": every, "all": ()}
        for one in every:
            ways[f"{one} alone"] = tuple(other for other in every if other is not one)
            ways[f"without {one}"] = (one,)
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(settings.repeat):
            for way, without in ways.items():
                took[way].append(_seconds(database, statement, route="push-down", without=without))
    medians = {way: statistics.median(several) for way, several in took.items()}
    return [
        Gain(
            database=place.name, model=model.name, optimisation=str(one),
            alone=medians["none"] / medians[f"{one} alone"],
            left_out=medians[f"without {one}"] / medians["all"],
        )
        for one in every
    ]  # fmt: skip


def _seconds(
    database: sqlscore.Database, statement: str, *, route: str, without: tuple[str, ...] = ()
) -> float:
    start = time.perf_counter()
    with database.sql(statement, route=route, without=without) as result:
        for _ in result.to_batches():
            pass
    return time.perf_counter() - start
