"""Make one measurement in a process of its own: the question on standard input, JSON on output."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import reduce

from benchmarks import averages, compiled, measures
from benchmarks.measures import Asked, Found, Meter
from benchmarks.models import Model
from benchmarks.processes import Memory, memory, peak_bytes, tree

MEASURES = measures.MEASURES | compiled.MEASURES | averages.MEASURES
_LOOK = 0.05  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a measurement's process found, and the most memory that it and its children held.

    That of the children, which read for it, is the sum of each one's own. Anonymous memory is
    looked at every 50 ms.
    """

    parts: dict[str, Found]
    own: Memory
    readers: Memory


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
    held = _watch(process)
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{asked.what} of {asked.model.name} failed")
    answer = json.loads(said)
    at_its_end = Memory(peak_bytes=answer["peak_bytes"])
    return Answer(
        parts={name: Found(**found) for name, found in answer["parts"].items()},
        own=held.pop(process.pid, Memory()).more(at_its_end),
        readers=reduce(Memory.beside, held.values(), Memory()),
    )


def _watch(process: subprocess.Popen[str]) -> dict[int, Memory]:
    """Wait for the end; the most that the process and each of its children held."""
    held: dict[int, Memory] = {}
    while process.poll() is None:
        for pid in tree(process.pid):
            held[pid] = held.get(pid, Memory()).more(memory(pid))
        time.sleep(_LOOK)
    return held


def main() -> None:
    """Answer the one question."""
    given = json.load(sys.stdin)
    model = given.pop("model")
    for name in ("features", "text"):
        model[name] = tuple(model[name])
    asked = Asked(**given, model=Model(**model))
    meter = Meter(asked=asked)
    MEASURES[asked.what](asked, meter)
    parts = {name: dataclasses.asdict(found) for name, found in meter.parts.items()}
    json.dump({"parts": parts, "peak_bytes": peak_bytes(os.getpid())}, sys.stdout)


if __name__ == "__main__":
    main()
