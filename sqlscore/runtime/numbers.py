"""A query's rows for a model of numbers: fetched, scored and given back without Arrow.

Only what is plain comes this way: columns of numbers, each of exactly its feature's name. All else,
and what is wrong, is for `general`, which also says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sqlscore.runtime.arrays import matrix, row
from sqlscore.runtime.literals import COLUMN_TYPES, field, quoted
from sqlscore.runtime.records import Columns, carrying
from sqlscore.runtime.signals import without_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlscore.runtime.taken import Taken
    from sqlscore.session.numeric import NumericModel

#: PostgreSQL's numbers of the types that become a double: int8, int2, int4, real, double, numeric
_NUMBERS = frozenset({20, 21, 23, 700, 701, 1700})
#: texts that a process makes by Python before the import of what makes them six times as fast pays
_MANY = 100_000
_made = [0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """One query's rows for one model."""

    model: NumericModel
    text: str  #: the SELECT; the caller's query stands in it as it was written
    carried: Mapping[str, str]  #: column that feeds no feature -> the key of its field

    @classmethod
    def of(
        cls,
        model: NumericModel,
        query: str,
        columns: Mapping[str, int],
        quote: Callable[[str], str],
        carry: Collection[str] | None = None,
    ) -> Numbers | None:
        """For the query's columns and the numbers of their types; None where one is not plain.

        Those that feed no feature are carried along, or those of `carry`.
        """
        features, given = model.facts.features, model.facts.predictions
        if not all(columns.get(name) in _NUMBERS for name in features):
            return None
        inputs = {one.name for one in model.facts.inputs}
        if inputs.intersection(columns).difference(features):
            return None  # may hold a whole tensor a row
        taken = {*features, *(one.name for one in given)}
        others = {
            name: type_
            for name, type_ in columns.items()
            if (name not in taken if carry is None else name in carry)
        }
        carried, items = carrying(others, quote)
        doubles = ", ".join(f"q.{quote(name)}::pg_catalog.float8" for name in features)
        items = [*items, f"sqlscore.array_bytes(ARRAY[{doubles}]) AS d"]
        # the line's end: the query may end with a comment
        text = f"SELECT {', '.join(items)} FROM ({query}\n) AS q"  # noqa: S608
        return cls(model=model, text=text, carried=carried)

    @property
    def types(self) -> dict[str, str]:
        """The columns that the predictions take, with their types."""
        return {one.name: COLUMN_TYPES[one.element] for one in self.model.facts.predictions}

    def score(self, rows: Taken) -> Columns:
        """The rows with their predictions."""
        facts = self.model.facts
        return Columns(
            rows,
            self.carried,
            {one.name: one.name for one in facts.predictions},
            set(facts.features),
            self._of_row(rows.first["d"]) if len(rows) == 1 else self._of_rows(rows),
        )

    def _of_rows(self, rows: Taken) -> Callable[[str], list[str]]:
        given = matrix(rows.arrays("d"), len(self.model.facts.features))
        found, lost = self.model(*given)
        return lambda name: fields(found[name], lost)

    def _of_row(self, array: bytes) -> Callable[[str], list[str]]:
        """One row's predictions, by what is faster for one."""
        values = row(array, len(self.model.facts.features))
        places = {one.name: i for i, one in enumerate(self.model.facts.predictions)}
        return lambda name: [field(self.model.one(values, places[name]))]


def fields(values: np.ndarray, lost: np.ndarray | None) -> list[str]:
    """A prediction's values as fields of a record's text; nothing for the rows that are lost."""
    if values.dtype.kind == "f":
        texts = _float_texts(values.astype(np.float64))
    elif values.dtype.kind == "O":
        texts = list(map(quoted, values.tolist()))
    else:
        texts = list(map(field, values.tolist()))
    if lost is None:
        return texts
    whole = np.full(len(lost), "", object)
    whole[~lost] = texts
    every: list[str] = whole.tolist()
    return every


def _float_texts(values: np.ndarray) -> list[str]:
    _made[0] += len(values)
    if _made[0] < _MANY:
        return list(map(repr, values.tolist()))
    return _arrow()(values)


@cache
def _arrow() -> Callable[[np.ndarray], list[str]]:
    with without_signals():
        from sqlscore.runtime.wire import double_texts
    return double_texts
