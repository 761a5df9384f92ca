"""What quarantine, lineage and a second model cost: runs with and without them, in turns.

All of a model's runs are made in this process, which has its imports and the reader's process from
the first run on: what differs is the runs alone, and few rows show it. Two figures each, on the
clock and of the processors: what a run takes more, and what of that is neither its own columns (the
write stage alone, with and without them) nor its own scoring (the score stage alone).
"""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from benchmarks import rows, suite
from benchmarks.measures import MEASURES, Asked, Meter
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from benchmarks.measures import Found
    from benchmarks.models import Model
    from benchmarks.places import Place
    from benchmarks.suite import Settings

    Stages = dict[str, Found]

FLAWED = "flawed"  #: a view of the rows, in which one feature of one row in a hundred is NULL
SECOND = "second"  #: the same model by another name
_STAGES = ("score", "write")


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A run that does more than another."""

    usual: dict[str, Any] = field(default_factory=dict)  #: options of both
    more: dict[str, Any] = field(default_factory=dict)  #: options of the one that does more
    beside: tuple[str, ...] = ()  #: models of that one


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one of them costs: shares of what a run without it takes."""

    database: str
    model: str
    what: str
    more: float  #: on the clock
    own: float  #: of it, its own scoring and columns, each stage alone
    processor_more: float  #: the same in processor seconds
    processor_own: float


def ways(model: Model) -> dict[str, Way]:
    """What is measured of a model."""
    flawed = {"source": FLAWED, "nulls": {**model.nulls, model.features[0]: "error"}}
    return {
        "quarantine, no bad row": Way(more={"quarantine": True}),
        "quarantine, 1 % bad rows": Way(
            usual={"source": FLAWED}, more={**flawed, "quarantine": True}
        ),
        "lineage, all five columns": Way(more={"lineage": True}),
        "a second model": Way(beside=(SECOND,)),
    }


def measure(place: Place, model: Model, settings: Settings) -> list[Cost]:
    """Measure a model on a database that has its rows and the model."""
    suite.keep_models(place, [dataclasses.replace(model, name=SECOND)])
    _make_view(place, model)
    _here(Asked(what="run", url=place.url, server=place.server, model=model, rows=settings.rows))
    return [_cost(place, model, what, way, settings) for what, way in ways(model).items()]


def _make_view(place: Place, model: Model) -> None:
    """The view; its first feature is missing where the key ends in 07."""
    engine = engine_for(place.url)
    first, *others = model.features
    table = sa.table(rows.TABLE, *(sa.column(name) for name in (rows.KEY, *model.features)))
    flaw = sa.case((table.c[rows.KEY] % 100 == 7, None), else_=table.c[first]).label(first)
    query = sa.select(table.c[rows.KEY], flaw, *(table.c[name] for name in others))
    text = query.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {FLAWED}")
        connection.exec_driver_sql(f"CREATE VIEW {FLAWED} AS {text}")
    engine.dispose()


def _cost(place: Place, model: Model, what: str, way: Way, settings: Settings) -> Cost:
    usual = Asked(
        what="run", url=place.url, server=place.server, model=model, rows=settings.rows,
        chosen={"key": model.key, **way.usual},
    )  # fmt: skip
    more = dataclasses.replace(usual, beside=way.beside, chosen={**usual.chosen, **way.more})
    pairs = []
    for turn in range(settings.repeat):
        both = (usual, more) if turn % 2 else (more, usual)
        found = {asked is usual: _run(place, what, asked) for asked in both}
        pairs.append((found[True], found[False]))
    stages = [(_stages(usual), _stages(more)) for _ in range(settings.repeat)]
    seconds = _shares(pairs, stages, "seconds")
    processor = _shares(pairs, stages, "processor_seconds")
    return Cost(
        database=place.name, model=model.name, what=what, more=seconds[0], own=seconds[1],
        processor_more=processor[0], processor_own=processor[1],
    )  # fmt: skip


def _run(place: Place, what: str, asked: Asked) -> Found:
    found = _here(asked)["run"]
    suite.tell(
        f"{place.name} {asked.model.name}, {what}: {found.seconds:.2f} s, "
        f"{found.processor_seconds:.2f} processor seconds"
    )
    return found


def _stages(asked: Asked) -> Stages:
    """Scoring and writing alone."""
    parts = _here(dataclasses.replace(asked, what="stages"))
    return {stage: parts[stage] for stage in _STAGES}


def _here(asked: Asked) -> Stages:
    """One measurement's parts."""
    meter = Meter(asked=asked)
    MEASURES[asked.what](asked, meter)
    return meter.parts


def _shares(
    runs: list[tuple[Found, Found]], stages: list[tuple[Stages, Stages]], of: str
) -> tuple[float, float]:
    """What the one that does more takes more, and its own stages of it, as shares of the other."""

    def took(found: Found) -> float:
        seconds: float = getattr(found, of)
        return seconds

    usual = statistics.median(took(plain) for plain, _ in runs)
    more = statistics.median(took(other) / took(plain) for plain, other in runs) - 1
    own = [
        statistics.median(took(other[stage]) - took(plain[stage]) for plain, other in stages)
        for stage in _STAGES
    ]
    return more, sum(own) / usual
