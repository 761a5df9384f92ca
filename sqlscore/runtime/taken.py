"""Fetched rows by column: what the server's own thread leaves of them for those that score."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlscore.runtime.arrays import packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ARRAYS = frozenset({"d", "i"})  #: keys under which a row's features come in an array's memory


class Taken:
    """Rows of one query, as many as are scored together."""

    def __init__(self) -> None:
        self.first: Mapping[str, Any] = {}
        self._count = 0
        self._pieces: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take some more rows, at least one. A dict a row costs memory, so none is kept."""
        self.first = self.first or rows[0]
        self._count += len(rows)
        for key in self.first:
            values = list(map(itemgetter(key), rows))
            piece = packed(values) if key in _ARRAYS else values
            self._pieces.setdefault(key, []).append(piece)

    def arrays(self, key: str) -> Sequence[bytes | Sequence[bytes]]:
        """The memory of the rows' arrays, in the pieces that `arrays.matrix` takes."""
        return self._pieces[key]

    def values(self, key: str) -> list[Any]:
        """One column's values."""
        return [value for piece in self._pieces[key] for value in piece]
