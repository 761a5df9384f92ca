"""Runs of such sizes that a row's bits do not depend on the rows beside it.

How much company a graph's rows need is what `predictor/kernels.py` found; a run never has more than
`MOST_ROWS`. A row of a large tensor (an image, a second of sound) gains nothing from company, and
costs 16 times its time in copies of itself: where rows would be padded to 16, it runs alone.
"""

from __future__ import annotations

import numpy as np

VECTOR = 16  #: floats in the widest vector register
MOST_ROWS = 255 * VECTOR  #: a run's rows: steady, in cache, and as fast as any larger number
_MOST_BYTES = 32 * 2**20  #: of the tensors of a run
_LARGE = 16_384  #: bytes of the tensors of a row that runs alone


def rows_at_once(width: int, *, company: int) -> int:
    """How many rows run together whose tensors have `width` bytes each: 1, or a multiple of 16.

    It depends on nothing but the row's own shapes.
    """
    if width >= _LARGE and company == VECTOR:
        return 1
    return min(MOST_ROWS, max(1, _MOST_BYTES // (VECTOR * max(width, 1))) * VECTOR)


def rows_to_run(rows: int, *, company: int) -> int:
    """How many rows to run in place of `rows`, which are at most `MOST_ROWS`."""
    return -(-rows // VECTOR) * VECTOR if company == VECTOR else max(rows, company)


def padded(feeds: dict[str, np.ndarray], more: int) -> dict[str, np.ndarray]:
    """The rows of each tensor, and its last one so many times more."""
    if not more:
        return feeds
    return {
        name: np.concatenate([tensor, np.repeat(tensor[-1:], more, axis=0)])
        for name, tensor in feeds.items()
    }
