"""Processes that read for this one, and send what they read as Arrow batches.

Why: connectorx holds Python's lock while it waits for rows, which stops the scoring, the lease's
heartbeat and Ctrl-C; and ADBC brings a second SQLite library, which must not meet Python's own in
one process (`adbc.py`). In a process of its own a reader does neither, and uses another core.

The processes are kept for the next reader, and end with this one. `reading_process.py` is what
they run.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

#: one arena of glibc's malloc: a reader of MariaDB holds 110 MB then, else 140 and ever more
_SPARING = {"MALLOC_ARENA_MAX": "1"}
_SCRIPT = Path(__file__).with_name("reading_process.py")


class ReaderFailed(Exception):
    """The reading process could not read, or ended; the message is the library's own."""


def missing() -> str | None:
    """Why no process can be started here; None where one can."""
    return None if sys.executable else "there is no Python interpreter to start"


def read(request: Mapping[str, Any]) -> Generator[pa.RecordBatch]:
    """The batches that a reader of `reading_process.py` gives for a request.

    Raises `ReaderFailed`, from the iterator, for whatever ends the stream too soon. Closing the
    iterator early ends the process, and so its connection, at once.
    """
    worker = _take()
    try:
        yield from worker.read(request)
    finally:
        if worker.ready:
            _give_back(worker)
        else:  # closed early, or broken: what it would send on is for nobody
            worker.end()


class _Worker:
    """One reading process."""

    ready = True  #: it has answered all that it was asked

    def __init__(self) -> None:
        # -P: the folder of the script, which has modules of any name, is not searched by imports
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**_SPARING, **os.environ},
        )
        with suppress(ImportError, AttributeError, OSError):  # Linux alone, and not beyond limits
            import fcntl

            # the least wait for each other; by default a pipe holds 64 KiB
            fcntl.fcntl(self._pipes[1], fcntl.F_SETPIPE_SZ, 1 << 20)

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def read(self, request: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        to, answer = self._pipes
        self.ready = False
        try:
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
            yield from pa.ipc.open_stream(answer)
            outcome = json.loads(answer.readline())
            self.ready = True
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ReaderFailed(f"the reading process ended in the middle: {error}") from error
        if "error" in outcome:
            raise ReaderFailed(outcome["error"])

    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.close()
        self._process.wait()


_idle: list[_Worker] = []
_lock = threading.Lock()


def _take() -> _Worker:
    while True:
        with _lock:
            worker = _idle.pop() if _idle else None
        if worker is None:
            return _Worker()
        if worker.alive():
            return worker
        worker.end()


def _give_back(worker: _Worker) -> None:
    with _lock:
        _idle.append(worker)


def _forget() -> None:
    """A forked process shares the pipes, and must neither use nor close them."""
    global _idle, _lock
    _left.append(_idle)
    _idle, _lock = [], threading.Lock()


_left: list[list[_Worker]] = []  # of the parent, in a forked process
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end_idle() -> None:
    with _lock:
        while _idle:
            _idle.pop().end()
