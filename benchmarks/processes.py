"""What processes used, from Linux's /proc: processor seconds and peak memory, with their children.

Memory is the high-water mark of a process since its program began (VmHWM). The `ru_maxrss` that
resource usage gives would do for a program alone, but begins with what its parent held.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK = os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it now."""
    yield pid
    for thread in _found(f"/proc/{pid}/task"):
        for child in _text(f"/proc/{pid}/task/{thread}/children").split():
            yield from tree(int(child))


def processor_seconds(pid: int) -> float:
    """What a process, its children that ended and those that live have used so far."""
    return sum(own_seconds(one) for one in tree(pid))


def own_seconds(pid: int) -> float:
    """What a process and its children that ended have used so far, in user and system time."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK if fields else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """The most that was held: in all, and without pages of files, as libraries are, which share."""

    peak_bytes: int = 0
    anonymous_bytes: int = 0

    def beside(self, other: Memory) -> Memory:
        """What two processes held; a library that both use counts twice in all."""
        return Memory(
            peak_bytes=self.peak_bytes + other.peak_bytes,
            anonymous_bytes=self.anonymous_bytes + other.anonymous_bytes,
        )

    def more(self, other: Memory) -> Memory:
        """The larger of two peaks."""
        return Memory(
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
            anonymous_bytes=max(self.anonymous_bytes, other.anonymous_bytes),
        )


def memory(pid: int) -> Memory:
    """The most that a process has held by now, and its anonymous memory of this moment."""
    return Memory(peak_bytes=peak_bytes(pid), anonymous_bytes=anonymous_bytes(pid))


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held; 0 where it has ended."""
    return _bytes(pid, "VmHWM")


def anonymous_bytes(pid: int) -> int:
    """What a process holds now but for pages of files, as its libraries are, which it shares."""
    return _bytes(pid, "RssAnon")


def _bytes(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", _text(f"/proc/{pid}/status"))
    return int(found[1]) * 1024 if found else 0


def _text(path: str) -> str:
    with suppress(OSError):  # it ended meanwhile
        return Path(path).read_text()
    return ""


def _found(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []
