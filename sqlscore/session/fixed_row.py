"""One row of numbers through tensors that stay where they are, for callers of one row at a time.

Making arrays and looking up names takes longer than a small model. What is not plain (NULL, text,
a number that the type does not hold) is left to the ordinary way, and so is a second thread.
"""

from __future__ import annotations

import struct
import threading
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlscore.session.fixed import Fixed

#: dtype -> as `struct` has it, which takes numbers alone, rounds a double to float32 to even, and
#: refuses what does not fit
_FORMATS: dict[np.dtype[Any], str] = {
    np.dtype(np.float32): "f", np.dtype(np.float64): "d",
    np.dtype(np.int8): "b", np.dtype(np.int16): "h", np.dtype(np.int32): "i",
    np.dtype(np.int64): "q", np.dtype(np.uint8): "B", np.dtype(np.uint16): "H",
    np.dtype(np.uint32): "I", np.dtype(np.uint64): "Q",
}  # fmt: skip


class FixedRow:
    """One prediction of one row."""

    def __init__(
        self,
        fixed: Fixed,
        writes: Sequence[Callable[..., None]],
        places: Collection[Sequence[int]],
        place: int,
    ) -> None:
        self._writes = writes
        self._run = fixed.run
        self._item = fixed.output.reshape(-1).item
        self._count = sum(map(len, places))
        self._place = place
        self._lock = threading.Lock()

    @classmethod
    def of(
        cls, fixed: Fixed | None, places: Mapping[str, Sequence[int]], position: int | None
    ) -> FixedRow | None:
        """For a run whose inputs take the values at these places; None where it cannot be.

        `position` is the prediction's among the columns of the output.
        """
        if fixed is None:
            return None
        writes = [_write(fixed.feeds[name], taken, places) for name, taken in places.items()]
        if None in writes:
            return None
        return cls(fixed, [w for w in writes if w], places.values(), position or 0)

    def __call__(self, values: Sequence[Any]) -> Any:
        """The prediction; None where the ordinary way is to be taken."""
        if len(values) != self._count or not self._lock.acquire(blocking=False):
            return None
        try:
            for write in self._writes:
                write(values)
            self._run()
            return self._item(self._place)
        except (struct.error, OverflowError, ModelError):
            return None
        finally:
            self._lock.release()


def _write(
    tensor: np.ndarray, taken: Sequence[int], places: Mapping[str, Sequence[int]]
) -> Callable[[Sequence[Any]], None] | None:
    """What writes an input's values into all rows of its tensor: rows are padded with copies."""
    if tensor.dtype not in _FORMATS or tensor.size != len(tensor) * len(taken):
        return None
    pack = struct.Struct(f"{len(taken)}{_FORMATS[tensor.dtype]}").pack_into
    memory = tensor.reshape(-1).view(np.uint8).data
    first, others = tensor[0], tensor[1:]
    pick = None if len(places) == 1 else _picked(taken)

    def write(values: Sequence[Any]) -> None:
        pack(memory, 0, *(values if pick is None else pick(values)))
        if len(others):
            others[...] = first

    return write


def _picked(taken: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(taken) > 1:
        return itemgetter(*taken)
    place = taken[0]
    return lambda values: (values[place],)
