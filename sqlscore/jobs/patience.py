"""Trying again what passes by itself: lost connections, deadlocks, conflicts, restarting servers.

What is tried again is a step of a run that asks the database first what is left to do, so nothing
is done or counted twice: of the ranges, those that have no mark.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, TypeVar

from sqlscore.errors import DatabaseError
from sqlscore.products.transient import transient_cause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.jobs.brake import Brake
    from sqlscore.jobs.limits import Limits
    from sqlscore.products.product import Product

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  #: seconds; each wait is about twice the one before
logger = logging.getLogger("sqlscore")


class Patience:
    """How often a run has failed since it last got on, and what it bears."""

    def __init__(self, limits: Limits, brake: Brake, products: Sequence[Product]) -> None:
        self._retries, self._brake = limits.retries, brake
        self._transient = [product.transient for product in products]
        self._failed, self._reached = 0, -1
        self.run = ""  #: named in what is logged, once it is known

    def reached(self, rows: int) -> None:
        """Note how many rows are committed: a run that gets on has failed no more."""
        if rows > self._reached:
            self._failed, self._reached = 0, rows

    def through(self, step: Callable[[], T]) -> T:
        """What a step returns, in the end; it may be called again."""
        while True:
            try:
                return step()
            except DatabaseError as error:
                self.bear(error)

    def bear(self, error: DatabaseError) -> None:
        """Wait until it is time to try again, or raise the error where that is no use."""
        reason = transient_cause(error, self._transient)
        if reason is None or self._failed >= self._retries:
            raise error
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._failed)
        self._failed += 1
        seconds = longest * random.uniform(0.5, 1.0)  # those who fail together wait apart
        logger.warning(
            "%s: %s (%s): trying again in %.1f s (%d of %d)",
            f"run {self.run}" if self.run else "before the run", reason, error.code or "no code",
            seconds, self._failed, self._retries,
        )  # fmt: skip
        self._brake.wait(seconds)
