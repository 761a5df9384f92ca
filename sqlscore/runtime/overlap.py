"""One thread beside the server's own: it scores a batch while that one fetches the next.

A thread in a server process must get no signal, for the server's handlers are not made for it, and
must never call the server. The process must not end while the thread is inside ONNX Runtime either:
its libraries would be taken down under it, and a crash of one process restarts the whole server.
"""

from __future__ import annotations

import ctypes
import signal
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Given = TypeVar("Given")
Result = TypeVar("Result")

_pool: list[ThreadPoolExecutor] = []
_running: set[Future[Any]] = set()
_AHEAD = 2  #: batches that are given to the thread and not taken back


def overlapped(
    given: Iterable[Given], work: Callable[[Given], Result], *, small: Callable[[Given], bool]
) -> Iterator[Result]:
    """What `work` makes of each, in order; while it works, the next one is got.

    A single small one is worked on at once, without a thread.
    """
    waiting: list[Future[Result]] = []
    for one in given:
        if not waiting and small(one):
            yield work(one)
            continue
        waiting.append(_submit(work, one))
        if len(waiting) >= _AHEAD:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()


def _submit(work: Callable[[Given], Result], one: Given) -> Future[Result]:
    if not _pool:
        _start()
    future = _pool[0].submit(work, one)
    _running.add(future)
    future.add_done_callback(_running.discard)
    return future


def _start() -> None:
    pool = ThreadPoolExecutor(1, thread_name_prefix="sqlscore-predict")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pool.submit(int).result()  # starts the thread, which keeps this mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _pool.append(pool)
    # Handlers run in the reverse order: this one before those of every library that is loaded now.
    # The server calls exit() and never ends Python, so Python's own atexit would not be called.
    ctypes.CDLL(None).__cxa_atexit(_at_exit, None, None)


def _wait(_: int | None) -> None:
    wait(list(_running), timeout=10)


_at_exit = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_wait)  # kept here: C holds no reference
