"""The rows that a set-returning function gives: columns by name, as texts of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.errors import SignatureError, nearest
from sqlscore.runtime.wire import unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlscore.binding import Binding
    from sqlscore.runtime.selecting import Selecting


class Columns:
    """The columns of some scored rows that can be asked for by name."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        selecting: Selecting,
        binding: Binding,
        predicted: Callable[[str, slice], list[str]],
    ) -> None:
        """`predicted` gives the fields of a prediction for a part of the rows."""
        self._rows = rows
        self._predicted = predicted
        self.carried = {name: f"c{i}" for i, name in enumerate(selecting.carried)}
        self.predictions = {one.column: one.prediction.name for one in binding.predictions}
        self.fed = {one.column.name for one in binding.features}

    def first(self, name: str) -> str | None:
        """The first row's value, as text; None also for a name that is none of ours."""
        return unquoted(self._fields(name, slice(1))[0])

    def records(self, names: Sequence[str], start: int = 0) -> list[str]:
        """The rows from `start` on as texts of records with these columns."""
        if start >= len(self._rows):
            return []
        columns = [self._fields(name, slice(start, None)) for name in names]
        if len(columns) == 1:
            return [f"({a})" for a in columns[0]]
        if len(columns) == 2:
            return [f"({a},{b})" for a, b in zip(*columns, strict=True)]
        return [f"({','.join(values)})" for values in zip(*columns, strict=True)]

    def _fields(self, name: str, part: slice) -> list[str]:
        if name in self.carried:
            return carried(self._rows[part], self.carried[name])
        if name in self.predictions:
            return self._predicted(self.predictions[name], part)
        return [""] * len(self._rows[part])


def carried(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """The fields of a column that is carried along, fetched under this name."""
    return [row[key][1:-1] for row in rows]


class Asked(dict[str, Any]):
    """The first row, which notes the names by which the server asks for its columns.

    The server asks each name of ``AS p(…)`` once, and takes the rows after it as texts of records
    in that order, several times faster than by name.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.names: list[str] = []
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        self.names.append(name)
        return self._columns.first(name)

    def refuse_unknown(self) -> None:
        """Raise SignatureError for a name that is no column to carry, and no prediction."""
        known = [*self._columns.carried, *self._columns.predictions]
        for name in self.names:
            if name in self._columns.fed:
                raise SignatureError(
                    f"{name!r} feeds the model, and its own value is not kept. SELECT it a second "
                    f"time under another name: {name} AS {name}_given"
                )
            if name not in known:
                raise SignatureError(
                    f"AS p(…) names {name!r}, which is neither a prediction nor another column of "
                    f"the query.{nearest(name, known)} There are: {', '.join(known)}"
                )
