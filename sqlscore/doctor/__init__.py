"""What works here: the packages, the execution providers, the databases, and one database itself.

A check never changes anything that stays: a table that is made to see whether it may be made is
gone when the check is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.doctor.check import Check, State
from sqlscore.doctor.database import database
from sqlscore.doctor.installed import databases, providers, python, runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Check", "State", "examined"]


def examined(url: str | None = None) -> Iterator[Check]:
    """Check what is installed, and with a URL that database too."""
    yield python()
    yield from runtime()
    yield from providers()
    yield from databases()
    if url is not None:
        yield from database(url)
