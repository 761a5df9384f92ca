"""The tables, as Markdown."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.averages import ALONE, WITHIN
from benchmarks.comparison import AVERAGE, TABLE, crossover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.alone import Answer
    from benchmarks.comparison import Comparison
    from benchmarks.extras import Cost
    from benchmarks.in_database import Figure
    from benchmarks.places import Place
    from benchmarks.planner import Choice, Gain
    from benchmarks.processes import Memory
    from benchmarks.suite import Case

_PACKAGES = ("onnxruntime", "pyarrow", "connectorx", "pgpq", "psycopg", "PyMySQL", "duckdb",
             "adbc-driver-sqlite", "SQLAlchemy", "pandas", "scikit-learn", "lightgbm")  # fmt: skip
_MEGA = 1_000_000

#: heading -> what stands under it
_COLUMNS: dict[str, Callable[[Case], str]] = {
    "database": lambda case: case.database,
    "model": lambda case: case.model,
    "today": lambda case: _thousands(case.rate("today")),
    "today, framework": lambda case: _thousands(case.rate("framework")),
    "**sqlscore**": lambda case: f"**{_thousands(case.rate('run'))}**",
    "times today": lambda case: f"{case.times('today'):.1f}",
    "times framework": lambda case: f"{case.times('framework'):.1f}",
    "read": lambda case: _thousands(case.rate("read")),
    "score": lambda case: _thousands(case.rate("score")),
    "write": lambda case: _thousands(case.rate("write")),
    "limit": lambda case: _thousands(case.limit),
    "share": lambda case: f"{case.share:.2f}",
    "MB": lambda case: _megabytes(case.own),
    "reading MB": lambda case: _megabytes(case.readers),
}


def speed(cases: Sequence[Case]) -> str:
    """Thousand rows a second, the ratios, and the share of the limit."""
    return _table(list(_COLUMNS), ([cell(case) for cell in _COLUMNS.values()] for case in cases))


def statements(cases: Sequence[Case]) -> str:
    """Thousand rows a second of a run, of a statement that does the same, and of averages."""
    heads = ["database", "model", "run", "statement", "statement / run", "MB", "reading MB",
             ALONE, WITHIN]  # fmt: skip
    return _table(
        heads,
        (
            [
                case.database, case.model, _thousands(case.rate("run")),
                _thousands(case.rate("statement")),
                f"{case.rate('statement') / case.rate('run'):.2f}",
                _megabytes(case.own), _megabytes(case.readers),
                *(_thousands(case.rate(average)) for average in (ALONE, WITHIN)),
            ]
            for case in cases
        ),
    )  # fmt: skip


def in_database(figures: Sequence[Figure]) -> str:
    """What was measured inside databases, a line each."""
    heads = ["database", "model", "what", "median", ""]
    return _table(
        heads, ([f.database, f.model, f.what, f"{f.value:,.2f}", f.unit] for f in figures)
    )


def planner(choices: Sequence[Choice]) -> str:
    """Both routes in seconds, measured and estimated, and how near to the faster the choice is."""
    heads = ["database", "model", "statement", "bridge s", "estimated", "push-down s", "estimated",
             "taken", "times the faster"]  # fmt: skip
    return _table(
        heads,
        (
            [
                one.database, one.model, one.statement,
                *(
                    f"{seconds[route]:.2f}" if route in seconds else ""
                    for route in ("bridge", "push-down")
                    for seconds in (one.seconds, one.estimated)
                ),
                one.taken, f"{one.times:.2f}",
            ]
            for one in choices
        ),
    )  # fmt: skip


def optimisations(gains: Sequence[Gain]) -> str:
    """How many times as fast each makes a statement: alone, and as the last of all."""
    heads = ["database", "model", "optimisation", "alone", "as the last"]
    return _table(
        heads,
        (
            [one.database, one.model, one.optimisation, f"{one.alone:.2f}", f"{one.left_out:.2f}"]
            for one in gains
        ),
    )


def extras(costs: Sequence[Cost]) -> str:
    """What each costs, in hundredths of a run without it: in all, and but for its own stages."""
    heads = ["database", "model", "what", "more %", "but for its own stages %",
             "processors: more %", "processors: but for its own stages %"]  # fmt: skip
    return _table(
        heads,
        (
            [
                cost.database, cost.model, cost.what,
                _hundredths(cost.more), _hundredths(cost.more - cost.own),
                _hundredths(cost.processor_more),
                _hundredths(cost.processor_more - cost.processor_own),
            ]
            for cost in costs
        ),
    )  # fmt: skip


def _hundredths(share: float) -> str:
    return f"{100 * share:.1f}"


def pushdown(cases: Sequence[Comparison]) -> list[str]:
    """Models as SQL: how fast, up to how many trees, how exact; nothing without any."""
    if not cases:
        return []
    return [
        "## As SQL: the average, thousand rows/s", _compared(cases, AVERAGE),
        "## As SQL: table to table, thousand rows/s", _compared(cases, TABLE),
        "## As SQL: up to how many trees of 31 leaves it is faster than the bridge",
        _crossovers(cases), "## As SQL: wrong scores", _wrong(cases),
    ]  # fmt: skip


def _compared(cases: Sequence[Comparison], ways: Sequence[str]) -> str:
    """Thousand rows a second of each way, and how many times as fast as the others the first is."""
    first, *others = ways
    heads = ["database", "model", *ways, *(f"times {other}" for other in others)]
    lines = []
    for case in cases:
        rates = [case.rate(way) for way in ways]
        ratios = [case.times(first, other) for other in others]
        lines.append([
            case.database, case.model, *("" if r is None else _thousands(r) for r in rates),
            *("" if r is None else f"{r:.1f}" for r in ratios),
        ])  # fmt: skip
    return _table(heads, lines)


def _crossovers(cases: Sequence[Comparison]) -> str:
    """Up to how many trees of 31 leaves push-down is faster than the bridge."""
    lines = []
    for database in dict.fromkeys(case.database for case in cases):
        own = [case for case in cases if case.database == database]
        found = [crossover(own, AVERAGE[0], AVERAGE[2]), crossover(own, TABLE[0], TABLE[1])]
        lines.append([database, *("none" if f is None else f"{f:.0f}" for f in found)])
    return _table(["database", "average", "table to table"], lines)


def _wrong(cases: Sequence[Comparison]) -> str:
    """How many rows at the thresholds get a score that is not ONNX Runtime's."""
    return _table(
        ["database", "model", "rows", "push-down", "orbital"],
        (
            [
                case.database, case.model, f"{case.edges:,}",
                *(f"{case.wrong[way]:,}" if way in case.wrong else ""
                  for way in ("push-down", "orbital")),
            ]
            for case in cases
        ),
    )  # fmt: skip


def processor(cases: Sequence[Case]) -> str:
    """Wall-clock and processor seconds of the stages alone and of the run."""
    parts = ("read", "score", "write", "run")
    heads = ["database", "model", *(f"{part}: wall / processor s" for part in parts)]
    return _table(
        heads,
        ([case.database, case.model, *(_seconds(case, part) for part in parts)] for case in cases),
    )


def _seconds(case: Case, part: str) -> str:
    found = case.parts[part]
    return f"{found.seconds:.2f} / {found.processor_seconds:.2f}"


def memory(found: dict[str, dict[int, Answer]]) -> str:
    """Peak megabytes by database and rows: of the run's process, and of those that read for it."""
    counts = sorted({count for by_count in found.values() for count in by_count})
    return _table(
        ["database", "process", *(f"{count:,} rows" for count in counts)],
        (
            [name, who, *(_megabytes(held(by_count[count])) for count in counts)]
            for name, by_count in found.items()
            for who, held in _WHO.items()
        ),
    )


_WHO: dict[str, Callable[[Answer], Memory]] = {
    "sqlscore": lambda answer: answer.own,
    "reading": lambda answer: answer.readers,
}


def machine(cores: int, places: Iterable[Place]) -> str:
    """What it ran on."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        f"- {cores} cores ({_processor()}), {total:.0f} GiB of memory",
        f"- {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "- " + ", ".join(f"{place.name} {place.version}" for place in places),
        "- " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    ]
    return "\n".join(lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def _megabytes(held: Memory) -> str:
    if not held.peak_bytes:
        return ""
    return f"{held.peak_bytes / _MEGA:.0f} ({held.anonymous_bytes / _MEGA:.0f})"


def _thousands(rate: float) -> str:
    return f"{rate / 1000:,.0f}"


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    marks = ["---" if i < 1 else "--:" for i in range(len(heads))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, marks, *lines))
