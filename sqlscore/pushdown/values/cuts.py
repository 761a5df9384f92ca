"""Comparisons of a float32 value, moved to the column that it is computed from.

A feature is a double column rounded to float32, and maybe scaled after that; ONNX compares the
float32 result. All these steps keep the order of values, so ``f(x) <= t`` is the same as
``x <= h`` with `h` the largest double for which it is true. Found by bisection over all doubles,
this is exact whatever the steps are: the same branch is taken on every database, without any
4-byte arithmetic there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Steps = Callable[[np.ndarray], np.ndarray]  #: doubles in, the graph's own values out

_LEAST = np.int64(-(2**63))


def last_not_above(steps: Steps, thresholds: np.ndarray) -> np.ndarray:
    """For each threshold the largest double that `steps`, rising, takes to at most it.

    NaN where there is none: not even -inf.
    """
    return _bisect(lambda x: _at_most(steps, x, thresholds), len(thresholds))


def last_above(steps: Steps, thresholds: np.ndarray) -> np.ndarray:
    """For each threshold the largest double that `steps`, falling, takes to more than it."""
    return _bisect(lambda x: ~_at_most(steps, x, thresholds), len(thresholds))


def _at_most(steps: Steps, x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(steps(x) <= thresholds)


def _bisect(true: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
    """The last double for which `true` holds; it holds up to there and never after."""
    low = np.full(count, _ordered(np.array([-np.inf]))[0])
    high = np.full(count, _ordered(np.array([np.inf]))[0])
    never = ~true(_doubles(low))
    always = true(_doubles(high))
    for _ in range(64):
        # no overflow: half the difference is taken as unsigned
        middle = low + ((high - low).view(np.uint64) // np.uint64(2)).view(np.int64)
        holds = true(_doubles(middle))
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    found = np.where(always, np.inf, _doubles(low))
    return np.where(never, np.nan, found) + 0.0


def _ordered(doubles: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the doubles."""
    bits = doubles.astype(np.float64).view(np.int64)
    return np.where(bits < 0, _LEAST - bits, bits)


def _doubles(ordered: np.ndarray) -> np.ndarray:
    bits: np.ndarray = np.where(ordered < 0, _LEAST - ordered, ordered)
    return bits.view(np.float64)
