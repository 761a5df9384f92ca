"""``python -m benchmarks.gpu``: what a GPU gives beside the processor, or that there is none here.

Each model runs on the processor, one thread a core as a run has it, and on the device: alone by
batch size, and table to table on DuckDB. ``--provider`` names one that is no GPU's, to try it all.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import sqlscore
from benchmarks import rows
from benchmarks.networks import NETWORKS
from benchmarks.processes import cores
from sqlscore.errors import SqlscoreError
from sqlscore.session import PROVIDERS, Session, available, install

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCHES = (1024, 4096, 16_384, 65_536)
_SECONDS = 1.0  #: that a measurement takes at least


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Rows a second of one model on one provider, or why there are none."""

    model: str
    what: str
    provider: str
    rate: float | None = None
    refused: str | None = None

    def __str__(self) -> str:
        found = self.refused if self.rate is None else f"{self.rate / 1000:,.0f}"
        return f"| {self.model} | {self.what} | {self.provider} | {found} |"


def main(words: list[str] | None = None) -> int:
    """Measure what is here, and print it as Markdown."""
    asked = _arguments().parse_args(words)
    devices = [name for name in available() if PROVIDERS[name].device]
    provider = asked.provider or next(iter(devices), None)
    if provider is None:
        print(absent())
        return 0
    print("| model | what | provider | thousand rows/s |\n|---|---|---|--:|")
    for name in asked.model or NETWORKS:
        for figure in measured(name, provider, count=asked.rows, repeat=asked.repeat):
            print(figure, flush=True)
    return 0


def absent() -> str:
    """That nothing can be measured here, and what to install where there is a GPU."""
    ways = [f"  {name}: {install(p)}" for name, p in PROVIDERS.items() if p.device]
    return "\n".join(
        [
            f"No GPU here: the onnxruntime that is installed has {', '.join(available())}. "
            "Nothing was measured. Where there is a GPU:",
            *ways,
        ]
    )


def measured(name: str, provider: str, *, count: int, repeat: int) -> list[Figure]:
    """One network on the processor and on a provider: alone, then table to table."""
    model = NETWORKS[name]()
    found = []
    for each in ("cpu", provider):
        try:
            session = Session(model, provider=each)
            found += [_alone(name, session, size, repeat) for size in _BATCHES]
            found.append(_table_to_table(name, model, each, count))
        except SqlscoreError as error:
            found.append(
                Figure(model=name, what="it is refused", provider=each, refused=str(error))
            )
    return found


def _alone(name: str, session: Session, size: int, repeat: int) -> Figure:
    """Batches in memory; on the processor by as many threads as there are cores."""
    threads = 1 if session.device else cores()
    (one,) = session.inputs
    draw = np.random.default_rng(0)
    batch = draw.standard_normal((size, *(d or 1 for d in one.shape[1:])), dtype=np.float32)
    with ThreadPoolExecutor(threads) as pool:

        def run() -> None:
            list(pool.map(lambda _: session.run({one.name: batch}), range(threads)))

        seconds = statistics.median(_timed(run) for _ in range(repeat))
    rate = threads * size / seconds
    return Figure(model=name, what=f"batches of {size:,}", provider=session.provider, rate=rate)


def _timed(run: Callable[[], None]) -> float:
    """Seconds of one run, once it is warm."""
    run()
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < _SECONDS:
        run()
        times += 1
    return (time.perf_counter() - began) / times


def _table_to_table(name: str, model: bytes, provider: str, count: int) -> Figure:
    with tempfile.TemporaryDirectory(prefix="sqlscore-bench-") as folder:
        url = f"duckdb:///{Path(folder) / 'gpu.duckdb'}"
        rows.load(url, count)
        with sqlscore.connect(url) as db:
            db.models.add(name, model, features=rows.NUMBERS)
            run = db.score(name, source=rows.TABLE, target="scored", provider=provider)
    assert run.seconds is not None  # it is done
    return Figure(
        model=name, what=f"table to table, {count:,} rows", provider=provider,
        rate=run.rows / run.seconds,
    )  # fmt: skip


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--provider", choices=PROVIDERS, help="the first GPU's, if not given")
    parser.add_argument("--model", action="append", choices=NETWORKS, help="repeatable")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="medians of so many (%(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
