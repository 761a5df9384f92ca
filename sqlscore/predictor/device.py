"""How many rows run together on a device: many, to keep it busy, and no more than it can hold."""

from __future__ import annotations

_ROWS = 65_536  #: at most; as many are read at once
_BYTES = 256 * 2**20  #: of the tensors of a run, where nobody limits the device's memory
_SHARE = 16  #: the part of its limit that they take: what the model makes of them comes on top


class Room:
    """The rows that a device has room for: as many as are thought, fewer where it was full.

    Several threads may ask; what one of them finds out counts for all.
    """

    def __init__(self, memory: int | None) -> None:
        """`memory` is the limit of bytes of the device that a session may take, if it has one."""
        self._bytes = _BYTES if memory is None else memory // _SHARE
        self._most = _ROWS

    def rows(self, width: int) -> int:
        """How many rows to run whose tensors have `width` bytes each."""
        return max(1, min(self._most, self._bytes // max(width, 1)))

    def was_full(self, rows: int) -> int:
        """Half of the rows that were too many; so many at most from now on."""
        self._most = min(self._most, max(1, rows // 2))
        return self._most
