"""Threads beside the server's own: they score batches while that one fetches the next.

A thread in a server process must get no signal, for the server's handlers are not made for it, and
must never call the server. The process must not end while one is inside ONNX Runtime either: its
libraries would be taken down under it, and a crash of one process restarts the whole server.

They need Python's lock around each batch, and the server's own thread holds it while it fetches and
while it takes a row. So it fetches few rows at a time (`queries`) and is given them in a loop of
Python's (`records`), where another thread can have the lock between any two.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from sqlscore.runtime.signals import without_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from threading import Barrier

Given = TypeVar("Given")
Result = TypeVar("Result")

_GIVE_WAY = 5  #: how much nicer they are than the server's own thread
_pools: dict[int, ThreadPoolExecutor] = {}  #: by the number of threads
_running: set[Future[Any]] = set()


def overlapped(
    given: Iterable[Given],
    work: Callable[[Given], Result],
    *,
    threads: Callable[[], int],
    small: Callable[[Given], bool],
) -> Iterator[Result]:
    """What `work` makes of each, in order; while it works, the next ones are got.

    A single small one is worked on at once, without a thread; `threads` is asked after that.
    """
    waiting: list[Future[Result]] = []
    count = 0
    try:
        for one in given:
            if not waiting and small(one):
                yield work(one)
                continue
            count = count or threads()
            waiting.append(_submit(count, work, one))
            if len(waiting) > count:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        for future in waiting:  # of a statement that ended early
            future.cancel()


def _submit(threads: int, work: Callable[[Given], Result], one: Given) -> Future[Result]:
    if threads not in _pools:
        _pools[threads] = _started(threads)
    future = _pools[threads].submit(work, one)
    _running.add(future)
    future.add_done_callback(_running.discard)
    return future


def _started(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor, wait  # a call for few rows needs it not
    from threading import Barrier

    pool = ThreadPoolExecutor(threads, thread_name_prefix="sqlscore-predict")
    all_there = Barrier(threads)
    with without_signals():
        # each waits for the others, so as many are started
        wait([pool.submit(_begun, all_there) for _ in range(threads)])
    # The server calls exit() and never ends Python, so Python's own atexit would not be called; and
    # what ONNX Runtime makes when it first runs goes before whatever was registered with C by now.
    ctypes.CDLL(None).on_proc_exit(_at_exit, None)
    return pool


def _begun(all_there: Barrier) -> None:
    # The server's own thread has Python's lock most of the time: they all wait while it waits for
    # a core. Elsewhere than on Linux this would be for the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + _GIVE_WAY)
    all_there.wait()


def _wait(_code: int, _argument: int | None) -> None:
    from concurrent.futures import wait

    wait([future for future in list(_running) if not future.cancel()])


#: kept here: C holds no reference
_at_exit = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)(_wait)
