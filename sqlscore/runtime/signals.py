"""What begins threads in a server's process begins them without signals.

The server's handlers are made for its own thread alone, and a thread keeps the mask that it began
with: libraries may begin some when they are imported.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_signals() -> Iterator[None]:
    """Threads that begin in this block get no signal, ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
