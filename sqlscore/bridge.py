"""The loop: a range's rows stream in as batches, each is scored, the range's results are written.

    read(range) -> batches --> predict(batch), on the workers --> write(range, results), in order

Reading, scoring and writing overlap, with a bounded number of batches on the way. A range is
written only when all of its batches are scored, and ranges are written in their order. Bits do not
depend on the number of workers: each batch is scored by one thread.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    import pyarrow as pa

    from sqlscore.relations.ranges import KeyRange

Result = TypeVar("Result")

#: enough batches to go on reading while a range of the usual size is written
AHEAD = 8


class Overlap(Enum):
    """What may happen while a range is written; scoring always may."""

    READING = "reading"
    READING_UNTIL_COMMIT = "reading until commit"  #: where a reader would stand in its way
    NOTHING = "nothing"  #: where reader and writer share one connection


#: called by whoever writes a range just before it commits; returns when nothing is read
Ready = Callable[[], object]
Write = Callable[["KeyRange", "list[Result]", Ready], None]


def workers() -> int:
    """One scoring thread a core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    ranges: Iterable[KeyRange],
    *,
    read: Callable[[KeyRange], Generator[pa.RecordBatch]],
    predict: Callable[[pa.RecordBatch], Result],
    write: Write[Result],
    overlap: Overlap = Overlap.READING,
    ahead: int = AHEAD,
) -> None:
    """Score the ranges. What any stage raises is raised here, when the other stages have ended.

    `write` calls its third argument just before it commits. `ahead` is for `Overlap.READING`: as
    many batches are read and not yet taken, beside those that the workers hold.
    """
    loops: dict[Overlap, Callable[..., None]] = {
        Overlap.READING: partial(_overlapped, ahead=ahead),
        Overlap.READING_UNTIL_COMMIT: _meeting,
        Overlap.NOTHING: _alternating,
    }
    with ThreadPoolExecutor(workers(), thread_name_prefix="sqlscore-predict") as pool:
        try:
            loops[overlap](ranges, read, lambda batch: pool.submit(predict, batch), write)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _alternating(
    ranges: Iterable[KeyRange],
    read: Callable[[KeyRange], Generator[pa.RecordBatch]],
    submit: Callable[[pa.RecordBatch], Future[Result]],
    write: Write[Result],
) -> None:
    """Read a range to its end, then write the one before it, which was scored meanwhile."""
    before: tuple[KeyRange, list[Future[Result]]] | None = None
    for range_ in ranges:
        with closing(read(range_)) as batches:
            futures = [submit(batch) for batch in batches]
        if before is not None:
            write(before[0], [future.result() for future in before[1]], _nothing)
        before = range_, futures
    if before is not None:
        write(before[0], [future.result() for future in before[1]], _nothing)


def _meeting(
    ranges: Iterable[KeyRange],
    read: Callable[[KeyRange], Generator[pa.RecordBatch]],
    submit: Callable[[pa.RecordBatch], Future[Result]],
    write: Write[Result],
) -> None:
    """Read a range while the one before it is written; that commits when the reader is closed.

    A write begins when the reader has begun, as its first batch says, an empty one too: a reader
    that came later might wait for the write's end, and the write for its.
    """
    before: tuple[KeyRange, list[Future[Result]]] | None = None

    def read_all(range_: KeyRange, begun: threading.Event) -> list[Future[Result]]:
        futures = []
        try:
            with closing(read(range_)) as batches:
                for batch in batches:
                    begun.set()
                    if batch.num_rows:
                        futures.append(submit(batch))
        finally:
            begun.set()
        return futures

    with ThreadPoolExecutor(1, thread_name_prefix="sqlscore-read") as reader:
        for range_ in ranges:
            begun = threading.Event()
            reading = reader.submit(read_all, range_, begun)
            if before is not None:
                results = [future.result() for future in before[1]]
                begun.wait()
                write(before[0], results, partial(wait, [reading]))
            before = range_, reading.result()
    if before is not None:
        write(before[0], [future.result() for future in before[1]], _nothing)


def _overlapped(
    ranges: Iterable[KeyRange],
    read: Callable[[KeyRange], Generator[pa.RecordBatch]],
    submit: Callable[[pa.RecordBatch], Future[Result]],
    write: Write[Result],
    *,
    ahead: int,
) -> None:
    """Read in a thread of its own; write here, in the order of the ranges."""
    reader = _Reader(ranges, read, submit, ahead)
    reader.start()
    results: list[Result] = []
    try:
        while (item := reader.next()) is not None:
            if isinstance(item, Future):
                results.append(item.result())
            else:
                write(item, results, _nothing)
                results = []
    finally:
        reader.stop()


def _nothing() -> None:
    """Nothing to wait for: readers do not stand in the way of a commit, or there is none."""


class _Stopped(Exception):
    """Nobody takes batches any more."""


class _Reader(Generic[Result]):
    """A thread that reads ahead: futures of a range's batches, then the range, then None."""

    def __init__(
        self,
        ranges: Iterable[KeyRange],
        read: Callable[[KeyRange], Generator[pa.RecordBatch]],
        submit: Callable[[pa.RecordBatch], Future[Result]],
        ahead: int,
    ) -> None:
        self._ranges, self._read, self._submit = ranges, read, submit
        self._items: queue.Queue[Future[Result] | KeyRange | BaseException | None]
        self._items = queue.Queue(ahead + workers())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sqlscore-read", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next(self) -> Future[Result] | KeyRange | None:
        """The next item; what the reader raised is raised here."""
        item = self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self) -> None:
        """End the thread, and with it the query that it reads."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(_Stopped):
            try:
                self._read_all()
            except _Stopped:
                raise
            except BaseException as error:  # noqa: BLE001 - raised again by next()
                self._put(error)

    def _read_all(self) -> None:
        for range_ in self._ranges:
            with closing(self._read(range_)) as batches:
                for batch in batches:
                    self._put(self._submit(batch))
            self._put(range_)
        self._put(None)

    def _put(self, item: Future[Result] | KeyRange | BaseException | None) -> None:
        while True:
            if self._stop.is_set():
                raise _Stopped
            try:
                return self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
