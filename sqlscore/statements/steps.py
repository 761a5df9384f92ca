"""The steps of a statement that ran: how many rows each took, and how long."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(kw_only=True, slots=True)
class Step:
    """One step, as it went."""

    name: str
    rows: int | None = None  #: None: nobody counted
    seconds: float = 0.0


class Steps(list[Step]):
    """The steps so far, in their order."""

    @contextmanager
    def timed(self, name: str) -> Iterator[Step]:
        """A step that takes as long as the block; the block says how many rows."""
        step = Step(name=name)
        self.append(step)
        began = time.perf_counter()
        try:
            yield step
        finally:
            step.seconds = time.perf_counter() - began
