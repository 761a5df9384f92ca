"""What a run may take: time, memory, speed, patience. None of it changes what a run writes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

from sqlscore.errors import SqlscoreError

RETRIES = 8  #: with waits that grow up to half a minute: a minute and a half in all


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a run may take; times are seconds or a `timedelta`."""

    deadline: timedelta | float | None = None  #: the run stops when so long has passed
    memory: int | None = None  #: bytes that this process may hold
    max_rows_per_second: float | None = None
    #: for a lock that another session holds, and for each statement, where the product has that
    lock_timeout: timedelta | float | None = None
    statement_timeout: timedelta | float | None = None
    #: how often what passes by itself is tried again, since the last range that was done
    retries: int = RETRIES

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise SqlscoreError(f"retries= takes 0 or a greater number, not {self.retries!r}")
        for name in (field.name for field in fields(self) if field.name != "retries"):
            value = getattr(self, name)
            least = timedelta() if isinstance(value, timedelta) else 0
            if value is not None and not value > least:
                raise SqlscoreError(f"{name}= takes what is greater than 0, not {value!r}")

    def seconds(self, name: str) -> float | None:
        """One of the times, in seconds."""
        value = getattr(self, name)
        return value.total_seconds() if isinstance(value, timedelta) else value


_LEAST = 16 * 2**20  #: bytes for rows with which a run gets on at all


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of a source's rows a run may hold at once."""

    bytes: int | None  #: for rows on their way; None: as much as is fast
    rows_per_second: float | None

    @classmethod
    def of(cls, limits: Limits) -> Share:
        """What the limits leave. `SqlscoreError` where the process alone is past its memory."""
        left = None
        if limits.memory is not None:
            held = _resident()
            left = limits.memory - held
            if left < _LEAST:
                raise SqlscoreError(
                    f"memory= is {limits.memory / 1e6:,.0f} MB, and this process holds "
                    f"{held / 1e6:,.0f} MB before the first row is read. "
                    f"Allow it {(held + 4 * _LEAST) / 1e6:,.0f} MB or more"
                )
        return cls(bytes=left, rows_per_second=limits.max_rows_per_second)

    def range_rows(self, usual: int, columns: int) -> int:
        """Rows of a range: what is read, scored and kept of it takes a quarter at most."""
        rows = usual
        if self.bytes is not None:
            rows = min(rows, self.bytes // 4 // (_COPIES * 8 * columns))
        if self.rows_per_second is not None:  # a slow range would keep its query open for long
            rows = min(rows, int(self.rows_per_second * _SLOW_RANGE))
        return max(1, rows)

    def batch_rows(self, usual: int, columns: int, batches: int) -> int:
        """Rows of a batch, of which so many may be on their way: they take a quarter at most."""
        rows = usual
        if self.bytes is not None:
            rows = min(rows, self.bytes // 4 // (_COPIES * 8 * columns * batches))
        if self.rows_per_second is not None:
            rows = min(rows, int(self.rows_per_second))
        return max(min(16, usual), rows)


_COPIES = 2  #: of a row while it is worked on, about
_SLOW_RANGE = 10.0  #: seconds that a range may take because of a limit of speed


def _resident() -> int:
    """Bytes of memory that this process holds now; where only the most is known, that."""
    with suppress(OSError):  # Linux
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource
    except ImportError:  # Windows: the limit then counts rows alone
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
