"""Ways to do one thing, measured in turns; and ONNX Runtime by itself, to hold them against."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from benchmarks import rows
from benchmarks.processes import own_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.models import Model
    from benchmarks.suite import Settings

    Found = tuple[str, float, str]  #: what was measured, the median, its unit
    Ways = dict[str, tuple[int, Callable[[], object]]]  #: what -> how many rows, what does it

RATE, PROCESSOR = "thousand rows/s", "processor microseconds/row"
_BATCH = 20_000  #: rows that ONNX Runtime alone is given at once


def rates(ways: Ways, settings: Settings, server: int | None = None) -> Iterator[Found]:
    """Thousand rows a second of each way, measured in turns, and what a row takes of processors.

    That is of this process and of the server's process for it, and says more than the rate where
    other work keeps the cores busy.
    """

    def used() -> float:
        # not what descends from this process: the server does, and would be counted twice
        return sum(own_seconds(one) for one in (os.getpid(), server) if one)

    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
    for _ in range(settings.repeat):
        for what, (_, call) in ways.items():
            before = used()
            taken[what].append((seconds(call), used() - before))
    for what, (count, _) in ways.items():
        yield what, count / statistics.median(wall for wall, _ in taken[what]) / 1000, RATE
        yield what, 1e6 * statistics.median(used for _, used in taken[what]) / count, PROCESSOR


def alone(model: Model, settings: Settings) -> Ways:
    """ONNX Runtime itself, on one thread and on all cores, over rows in memory."""
    table = rows.made(settings.rows)
    columns = [table[name].to_numpy() for name in model.features]
    block = np.column_stack(columns).astype(np.float32)

    def way(threads: int) -> Callable[[], object]:
        session = session_of(model, threads)
        name = session.get_inputs()[0].name

        def run() -> None:
            for first in range(0, len(block), _BATCH):
                session.run(None, {name: block[first : first + _BATCH]})

        return run

    return {
        f"ONNX Runtime alone, threads: {threads}": (settings.rows, way(threads))
        for threads in threads_of(settings)
    }


def threads_of(settings: Settings) -> list[int]:
    """One, and as many as there are cores."""
    return sorted({1, settings.cores})


def session_of(model: Model, threads: int) -> onnxruntime.InferenceSession:
    """The model, as people load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.plain, options, providers=["CPUExecutionProvider"])


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
