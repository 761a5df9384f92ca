"""``python -m benchmarks``: measure, and print the tables as Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    comparison,
    extras,
    in_database,
    models,
    places,
    planner,
    queue,
    report,
    rows,
    suite,
)
from benchmarks.processes import cores
from tests.fixtures.servers import Unavailable

if TYPE_CHECKING:
    from benchmarks.alone import Answer
    from benchmarks.places import Place
    from benchmarks.planner import Choice, Gain


@dataclass(kw_only=True, slots=True)
class Results:
    """All that was found."""

    places: list[Place] = field(default_factory=list)
    speed: list[suite.Case] = field(default_factory=list)
    flights: list[suite.Case] = field(default_factory=list)
    statements: list[suite.Case] = field(default_factory=list)
    in_database: list[in_database.Figure] = field(default_factory=list)
    extras: list[extras.Cost] = field(default_factory=list)
    pushdown: list[comparison.Comparison] = field(default_factory=list)
    planner: list[Choice] = field(default_factory=list)
    optimisations: list[Gain] = field(default_factory=list)
    memory: dict[str, dict[int, Answer]] = field(default_factory=dict)


def main() -> None:
    """Parse, measure, print."""
    asked = _arguments().parse_args()
    settings = suite.Settings(
        rows=asked.rows, todays_rows=asked.todays_rows, repeat=asked.repeat, cores=cores()
    )
    results = Results()
    with tempfile.TemporaryDirectory(prefix="sqlscore-bench-") as name:
        folder = Path(name)
        only = set(asked.only or _PARTS)
        usual = models.COMPILED if only == {_PUSHDOWN} else models.NAMES
        trained = suite.trained(asked.model or list(usual), folder)
        for database in asked.database or places.NAMES:
            try:
                measure(database, folder, trained, settings, only, results)
            except Unavailable as reason:
                suite.tell(f"{database} is left out: {reason}")
    print(_text(results, settings))
    if asked.json:
        Path(asked.json).write_text(_json(results, settings))


def measure(
    database: str,
    folder: Path,
    trained: list[models.Model],
    settings: suite.Settings,
    only: set[str],
    results: Results,
) -> None:
    """Measure one database, and note what was found."""
    with ExitStack() as stack:
        place = stack.enter_context(places.opened(database, folder))
        results.places.append(place)
        if only & {
            "speed", "memory", "statement", "indb", "extras", "queue", "planner", _PUSHDOWN,
        }:  # fmt: skip
            suite.tell(f"{database}: loading {settings.rows:,} rows")
            rows.load(place.url, settings.rows)
            suite.keep_models(place, trained)
        if "planner" in only:
            planner.calibrate(place)
        for model in trained:
            measure_model(place, model, settings, only, results)
        if "flights" in only:
            results.flights.append(suite.real(place, folder, settings))
        if "memory" in only:
            counts = [settings.rows * times for times in (1, 2, 4)]
            results.memory[database] = suite.memory(place, trained[0], counts)


def measure_model(
    place: Place, model: models.Model, settings: suite.Settings, only: set[str], results: Results
) -> None:
    """Measure one model on a database that has its rows."""
    if "speed" in only:
        results.speed.append(suite.speed(place, model, settings, settings.rows))
    if "statement" in only:
        results.statements.append(suite.statements(place, model, settings))
    if "indb" in only:
        results.in_database += in_database.measure(place, model, settings)
    if _PUSHDOWN in only:
        results.pushdown.append(comparison.compare(place, model, settings))
    if "queue" in only:
        results.in_database += queue.measure(place, model, settings)
    if "extras" in only:
        results.extras += extras.measure(place, model, settings)
    if "planner" in only:
        results.planner += planner.choices(place, model, settings)
        results.optimisations += planner.gains(place, model, settings)


def _text(results: Results, settings: suite.Settings) -> str:
    parts = [report.machine(settings.cores, results.places)]
    for title, cases in (("Table to table", results.speed), ("Flights", results.flights)):
        if cases:
            parts += [f"## {title}, thousand rows/s", report.speed(cases)]
            parts += [f"## {title}, seconds", report.processor(cases)]
    if results.statements:
        parts += ["## INSERT … SELECT FROM PREDICT", report.statements(results.statements)]
    if results.in_database:
        parts += ["## In the database", report.in_database(results.in_database)]
    if results.extras:
        parts += ["## Quarantine, lineage, a second model", report.extras(results.extras)]
    parts += report.pushdown(results.pushdown)
    if results.planner:
        parts += ["## The planner's choice", report.planner(results.planner)]
        parts += ["## Each optimisation", report.optimisations(results.optimisations)]
    if results.memory:
        parts += ["## Peak memory, MB", report.memory(results.memory)]
    return "\n\n".join(parts)


def _json(results: Results, settings: suite.Settings) -> str:
    whole = {"settings": dataclasses.asdict(settings), **dataclasses.asdict(results)}
    for place in whole["places"]:
        del place["url"]
    return json.dumps(whole, indent=1)


_PARTS = ("speed", "flights", "memory", "statement", "indb", "extras", "queue", "planner")
_PUSHDOWN = "pushdown"  #: only where it is asked for: it has models of its own


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table (%(default)s)")
    parser.add_argument(
        "--todays-rows", type=int, default=200_000,
        help="as many of them by what people write today: it is slow and even (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--database", action="append", choices=places.NAMES, help="repeatable")
    parser.add_argument("--model", action="append", choices=models.ALL, help="repeatable")
    parser.add_argument("--only", action="append", choices=(*_PARTS, _PUSHDOWN), help="repeatable")
    parser.add_argument("--repeat", type=int, default=3, help="medians of so many (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write everything there too")
    return parser


if __name__ == "__main__":
    main()
