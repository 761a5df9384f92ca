"""SQLite files read as Arrow batches by ADBC, in a process of its own.

Why another process: ADBC brings its own copy of the SQLite library beside the one of Python's
sqlite3, and two copies in one process do not see each other's locks. Worse, when one copy closes
the file, the system drops the locks of both, and closing the last connection of a WAL database
deletes the log that the other copy goes on writing: another process's committed rows are then
lost without an error. See https://www.sqlite.org/howtocorrupt.html (2.2.1) and
tests/unit/test_sqlite_product.py. Across processes the locks work as they should.

Why a row that is not in the result: ADBC takes a column's type from the values of its first batch
(NULL counts as integer), so the query is made to begin with one row of the right kinds.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORKER = Path(__file__).with_name("adbc_worker.py")

#: Arrow's name of what ADBC gives for each of SQLite's kinds of values -> a value of that kind
_FIRST = {"int64": "0", "double": "0.5", "string": "''", "binary": "x'00'"}


class ReaderFailed(Exception):
    """The reading process could not read, or ended; the message is SQLite's or ADBC's own."""


def missing() -> str | None:
    """Why this transport cannot be used here; None where it can."""
    if find_spec("adbc_driver_sqlite") is None:
        return "the package adbc-driver-sqlite is not installed"
    return None if sys.executable else "there is no Python interpreter to start"


def read_file(
    path: str, query: str, schema: pa.Schema, *, batch_rows: int, busy_ms: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a query on a SQLite file, as batches of exactly `schema`.

    The schema's types are int64, double, string and binary; a value of another kind, and every
    other failure, is a `ReaderFailed`. A query with an ORDER BY needs a LIMIT (-1 is none) beside
    it: without one SQLite may leave out the order of a query inside a query. Closing the iterator
    early ends the query at once.
    """
    kinds = [_kind(field.type) for field in schema]
    first = ", ".join(_FIRST[kind] for kind in kinds)
    request = {
        "path": path,
        "query": f"SELECT {first} UNION ALL SELECT * FROM ({query})",  # noqa: S608 - a whole query
        "columns": list(zip(schema.names, kinds, strict=True)),
        "batch_rows": batch_rows,
        "busy_ms": busy_ms,
    }
    worker = _take()
    try:
        yield from worker.read(request)
    finally:
        if worker.ready:
            _give_back(worker)
        else:  # closed early, or broken: what it would send on is for nobody
            worker.end()


def _kind(type_: pa.DataType) -> str:
    return {pa.int64(): "int64", pa.float64(): "double", pa.binary(): "binary"}.get(type_, "string")


class _Worker:
    """One reading process."""

    ready = True  #: it has answered all that it was asked

    def __init__(self) -> None:
        # -P: the folder of the script, which has modules of any name, is not searched by imports
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
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

    def read(self, request: dict[str, Any]) -> Iterator[pa.RecordBatch]:
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


if hasattr(os, "register_at_fork"):  # a forked process shares the pipes, and must not use them
    os.register_at_fork(after_in_child=_idle.clear)


@atexit.register
def _end_idle() -> None:
    with _lock:
        while _idle:
            _idle.pop().end()
