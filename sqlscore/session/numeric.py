"""A model of numbers alone, as a database's own process runs it: without Arrow and without onnx.

To import these two takes a new process nearly as long as numpy and ONNX Runtime take. So a version
whose features are floating-point columns, and whose predictions are one value a row, is stored with
what a process needs to run it: `Numeric`. What a NULL means, and the bits, are those of a
`Predictor`; nothing is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.session.company import MOST_ROWS, padded, rows_to_run
from sqlscore.session.fixed_row import FixedRow
from sqlscore.session.outputs import part, refuse_other_rows
from sqlscore.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.session.fixed import Fixed


class NumericInput(NamedTuple):
    """One input of the graph, fed from one feature or from several side by side."""

    name: str
    element: str  #: ONNX element type
    rank: int  #: number of its dimensions: 1 or 2
    places: tuple[int, ...]  #: of its features among all


class NumericPrediction(NamedTuple):
    """One prediction, which is one value a row."""

    name: str
    output: str
    position: int | None  #: column of the output; None: the whole output
    element: str  #: ONNX element type


@dataclass(frozen=True, kw_only=True, slots=True)
class Numeric:
    """What is to be known of a model of numbers, beside the bytes that run."""

    company: int  #: how many rows give each row's bits; see `predictor/kernels.py`
    features: tuple[str, ...]
    missing: tuple[bool, ...]  #: of each feature: NULL is NaN; else it leaves no prediction
    inputs: tuple[NumericInput, ...]
    predictions: tuple[NumericPrediction, ...]

    def stored(self) -> dict[str, Any]:
        """As JSON's values."""
        return {
            "company": self.company, "features": self.features, "missing": self.missing,
            "inputs": self.inputs, "predictions": self.predictions,
        }  # fmt: skip

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> Numeric:
        """What `stored` gave."""
        return cls(
            company=stored["company"],
            features=tuple(stored["features"]),
            missing=tuple(stored["missing"]),
            inputs=tuple(
                NumericInput(name, element, rank, tuple(places))
                for name, element, rank, places in stored["inputs"]
            ),
            predictions=tuple(NumericPrediction(*one) for one in stored["predictions"]),
        )


class NumericModel:
    """A loaded model of numbers; may be called by several threads at once."""

    def __init__(self, facts: Numeric, model: bytes) -> None:
        """Load the bytes that run. Raises ModelError as `Session` does."""
        self.facts = facts
        self._session = Session(model)
        self._wanted = list(dict.fromkeys(one.output for one in facts.predictions))
        self._missing = np.array(facts.missing)
        every = tuple(range(len(facts.features)))
        #: of each input: which columns it takes; a slice copies nothing
        self._taken: dict[str, Any] = {
            one.name: slice(None) if one.places == every else list(one.places)
            for one in facts.inputs
        }
        self._fixed: dict[int, FixedRow | None] = {}  # by the prediction's place

    def __call__(
        self, values: np.ndarray, nulls: np.ndarray | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """The predictions of rows of doubles, a column for each feature, and which have none.

        `nulls` is true where a value is NULL (None: nowhere); such values are written over. The
        second is true for rows whose predictions are NULL (None: there is none), and the first has
        each prediction's values for the others. Raises ModelError.
        """
        lost: np.ndarray | None = None
        if nulls is not None:
            values[nulls] = np.nan
            without = np.any(nulls[:, ~self._missing], axis=1)
            if without.any():
                lost, values = without, values[~without]
        starts = range(0, len(values), MOST_ROWS)
        found = [self._run(values[start : start + MOST_ROWS]) for start in starts]
        if len(found) == 1:
            return found[0], lost
        names = [one.name for one in self.facts.predictions]
        if not found:
            return {name: np.empty(0) for name in names}, lost
        return {name: np.concatenate([part[name] for part in found]) for name in names}, lost

    def one(self, values: Sequence[float | None], place: int) -> Any:
        """The prediction at that place for one value a feature; None is NULL."""
        fixed = self._fixed.get(place)
        found = None if fixed is None else fixed(values)
        return self._ordinarily(values, place) if found is None else found

    def row(self, values: Sequence[float | None]) -> tuple[Any, ...]:
        """All predictions for one value a feature; None is NULL."""
        nulls = np.array([[value is None for value in values]])
        given = np.array([[0.0 if value is None else value for value in values]], np.float64)
        found, lost = self(given, nulls if nulls.any() else None)
        if lost is not None:
            return (None,) * len(found)
        return tuple(column.tolist()[0] for column in found.values())

    def _ordinarily(self, values: Sequence[float | None], place: int) -> Any:
        found = self.row(values)[place]
        if found is not None and place not in self._fixed:
            one = self.facts.predictions[place]
            places = {given.name: given.places for given in self.facts.inputs}
            self._fixed[place] = FixedRow.of(self._fixed_run(one), places, one.position)
        return found

    def _fixed_run(self, one: NumericPrediction) -> Fixed | None:
        feeds = self._feeds(np.zeros((1, len(self.facts.features))))
        run = rows_to_run(1, company=self.facts.company)
        return self._session.fixed(padded(feeds, run - 1), one.output)

    def _run(self, values: np.ndarray) -> dict[str, np.ndarray]:
        rows = len(values)
        run = rows_to_run(rows, company=self.facts.company)
        found = self._session.run(padded(self._feeds(values), run - rows), self._wanted)
        for name, array in found.items():
            refuse_other_rows(name, array, run)
        return {one.name: part(found[one.output], one)[:rows] for one in self.facts.predictions}

    def _feeds(self, values: np.ndarray) -> dict[str, np.ndarray]:
        feeds = {}
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow to ±inf is the rule
            for one in self.facts.inputs:
                taken = values[:, self._taken[one.name]]
                tensor = np.ascontiguousarray(taken, DTYPES[one.element])
                feeds[one.name] = tensor if one.rank == 2 else tensor.reshape(-1)
        return feeds
