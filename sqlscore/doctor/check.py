"""A check: what was found about one thing, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    SLOW = "slow"  #: it works, and could be faster
    ABSENT = "-"  #: not installed, and not needed unless you want it
    BAD = "BAD"  #: what you asked for does not work


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What was found about one thing."""

    subject: str
    state: State
    found: str
    remedy: str | None = None  #: what to do about it, where there is something
