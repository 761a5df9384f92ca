"""Make one measurement in a process of its own: the question on standard input, JSON on output."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks import compiled, measures
from benchmarks.measures import Asked, Found, Meter
from benchmarks.models import Model
from benchmarks.processes import anonymous_bytes, peak_bytes, tree

_LOOK = 0.05  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a measurement's process found, and the most memory that it and its children held.

    The peak is the sum of each one's own, so a library that two of them use counts twice; anonymous
    memory is looked at every 50 ms, all of them together.
    """

    parts: dict[str, Found]
    peak_bytes: int
    anonymous_bytes: int


def ask(asked: Asked) -> Answer:
    """Make a measurement in a new process; `RuntimeError` with its words where it fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.alone"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(dataclasses.asdict(asked)))
    process.stdin.close()
    process.stdin = None
    children, anonymous = _watch(process)
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{asked.what} of {asked.model.name} failed")
    answer = json.loads(said)
    return Answer(
        parts={name: Found(**found) for name, found in answer["parts"].items()},
        peak_bytes=answer["peak_bytes"] + children,
        anonymous_bytes=anonymous,
    )


def _watch(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Wait for the end; the peaks of the children, and of the anonymous memory of them all."""
    peaks: dict[int, int] = {}
    anonymous = 0
    while process.poll() is None:
        pids = list(tree(process.pid))
        for pid in pids:
            peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))
        anonymous = max(anonymous, sum(map(anonymous_bytes, pids)))
        time.sleep(_LOOK)
    return sum(peak for pid, peak in peaks.items() if pid != process.pid), anonymous


def main() -> None:
    """Answer the one question."""
    given = json.load(sys.stdin)
    model = given.pop("model")
    for name in ("features", "text"):
        model[name] = tuple(model[name])
    asked = Asked(**given, model=Model(**model))
    meter = Meter(asked=asked)
    (measures.MEASURES | compiled.MEASURES)[asked.what](asked, meter)
    parts = {name: dataclasses.asdict(found) for name, found in meter.parts.items()}
    json.dump({"parts": parts, "peak_bytes": peak_bytes(os.getpid())}, sys.stdout)


if __name__ == "__main__":
    main()
