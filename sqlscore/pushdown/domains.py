"""What values a column can hold, as far as it is known: branches that nothing reaches fall away."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """The numbers from `low` to `high`, both included, and what is no number."""

    low: float = -math.inf
    high: float = math.inf
    nan: bool = True  #: it can be NaN
    null: bool = True  #: it can be NULL
    tiny: bool = True  #: a number may be so small that float32 has it as zero

    @property
    def missing(self) -> bool:
        """Whether a value may be NaN or NULL."""
        return self.nan or self.null

    @property
    def point(self) -> float | None:
        """The only number that it can be; None where there are several, or NaN."""
        return self.low if self.low == self.high and not self.nan else None

    def side(self, cut: float) -> bool | None:
        """Whether all numbers are at most a cut (True) or more (False); None: some of each.

        A cut of NaN has no number at most it.
        """
        if math.isnan(cut) or self.low > cut:
            return False
        return True if self.high <= cut else None

    def within(self, low: float, high: float) -> bool:
        """Whether all values are numbers from `low` to `high`, or NULL."""
        return low <= self.low and self.high <= high and not self.nan

    def __and__(self, other: Domain) -> Domain:
        """What both allow."""
        return Domain(
            low=max(self.low, other.low), high=min(self.high, other.high),
            nan=self.nan and other.nan, null=self.null and other.null,
            tiny=self.tiny and other.tiny,
        )  # fmt: skip


UNKNOWN = Domain()
