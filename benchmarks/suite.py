"""The order of measurements, and their medians."""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import sqlscore
from benchmarks import flights, models, rows
from benchmarks.alone import Answer, ask
from benchmarks.measures import Asked, Found, add_model
from benchmarks.processes import Memory

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.models import Model
    from benchmarks.places import Place

_STAGES = ("read", "score", "write")


@dataclass(kw_only=True, slots=True)
class Case:
    """One model on one database: everything that was found out about it."""

    database: str
    model: str
    cores: int
    parts: dict[str, Found] = field(default_factory=dict)  #: medians
    own: Memory = field(default_factory=Memory)  #: what the run's process held at most
    readers: Memory = field(default_factory=Memory)  #: what its reading processes held

    def rate(self, part: str) -> float:
        """Rows a second."""
        found = self.parts[part]
        return found.rows / found.seconds

    @property
    def limit(self) -> float:
        """Rows a second that the machine allows: the slowest stage alone, or all its cores busy."""
        per_row = [
            (self.parts[stage].seconds, self.parts[stage].processor_seconds) for stage in _STAGES
        ]
        count = self.parts["read"].rows
        slowest = max(seconds for seconds, _ in per_row)
        return count / max(slowest, sum(used for _, used in per_row) / self.cores)

    @property
    def share(self) -> float:
        """The part of the limit that a run reaches."""
        return self.rate("run") / self.limit

    def times(self, part: str) -> float:
        """How many times as fast as another way a run is."""
        return self.rate("run") / self.rate(part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How much to measure."""

    rows: int
    todays_rows: int  #: of what people write today, which is slow and even
    repeat: int
    cores: int


def speed(place: Place, model: Model, settings: Settings, count: int) -> Case:
    """Measure a model on a database that has its rows and the model, in turns."""
    answers: dict[str, list[Answer]] = {}
    turns = ["stages", "run"]
    for turn in range(settings.repeat):
        for what in turns[turn % 2 :] + turns[: turn % 2]:
            answers.setdefault(what, []).append(measured(place, model, what, count))
    answers["today"] = [measured(place, model, "today", min(count, settings.todays_rows))]
    case = Case(database=place.name, model=model.name, cores=settings.cores)
    for several in answers.values():
        for part in several[0].parts:
            case.parts[part] = median([answer.parts[part] for answer in several])
    _keep_peaks(case, answers["run"])
    return case


def statements(place: Place, model: Model, settings: Settings) -> Case:
    """Measure a run, a PREDICT statement that does the same, and averages, in turns."""
    case = Case(database=place.name, model=model.name, cores=settings.cores)
    answers: dict[str, list[Answer]] = {"run": [], "statement": [], "averages": []}
    for _ in range(settings.repeat):
        for what, several in answers.items():
            several.append(measured(place, model, what, settings.rows))
    for several in answers.values():
        for part in several[0].parts:
            case.parts[part] = median([answer.parts[part] for answer in several])
    _keep_peaks(case, answers["statement"])
    return case


def memory(place: Place, model: Model, counts: list[int]) -> dict[int, Answer]:
    """A run, and so its peaks, by the number of rows; the table grows by doubling."""
    found = {}
    have = counts[0]
    for count in counts:
        while have < count:
            rows.double(place.url, have)
            have *= 2
        found[count] = measured(place, model, "run", count)
    return found


def keep_models(place: Place, several: list[Model]) -> None:
    """Keep the models in the database."""
    with ExitStack() as stack:
        database = stack.enter_context(sqlscore.connect(place.url))
        for model in several:
            add_model(database, model)


def real(place: Place, folder: Path, settings: Settings) -> Case:
    """The second benchmark: the flights."""
    model = flights.train(folder)
    flights.load(place.url)
    keep_models(place, [model])
    return speed(place, model, settings, flights.count())


def trained(names: list[str], folder: Path) -> list[Model]:
    """The models of those names."""
    return [models.train(name, folder) for name in names]


def measured(place: Place, model: Model, what: str, count: int) -> Answer:
    """One measurement, in a process of its own."""
    answer = ask(Asked(what=what, url=place.url, server=place.server, model=model, rows=count))
    for part, found in answer.parts.items():
        tell(
            f"{place.name} {model.name} {part}: {found.rows / found.seconds:,.0f} rows/s, "
            f"{found.processor_seconds:.2f} processor seconds in {found.seconds:.2f} s"
        )
    return answer


def _keep_peaks(case: Case, answers: list[Answer]) -> None:
    case.own = reduce(Memory.more, (answer.own for answer in answers))
    case.readers = reduce(Memory.more, (answer.readers for answer in answers))


def median(several: list[Found]) -> Found:
    """The median of several measurements of the same."""
    return Found(
        rows=several[0].rows,
        seconds=statistics.median(found.seconds for found in several),
        processor_seconds=statistics.median(found.processor_seconds for found in several),
    )


def tell(words: str) -> None:
    """Say on standard error how it goes; the tables have standard output."""
    print(words, file=sys.stderr, flush=True)
