"""What a session gives, as one value a row: an output must belong to the rows that were run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlscore.errors import ModelError

if TYPE_CHECKING:
    import numpy as np


class OfOutput(Protocol):
    """A prediction's place: a column of an output, or the whole of it."""

    @property
    def name(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def position(self) -> int | None: ...


def refuse_other_rows(name: str, array: np.ndarray, rows: int) -> None:
    """Raise ModelError for an output that has not a row for each of those that were run."""
    if array.ndim == 0 or len(array) != rows:
        raise ModelError(
            f"the output {name!r} has the shape {array.shape} for {rows} rows, so it does "
            f"not belong to rows. Leave it out: drop=[{name!r}]"
        )


def part(array: np.ndarray, one: OfOutput) -> np.ndarray:
    """The values of a prediction that is one plain column, one a row."""
    if one.position is None or array.ndim == 1:
        if array.size != len(array):
            raise _shape_error(array, one)
        return array.reshape(-1)
    if array.ndim != 2 or one.position >= array.shape[1]:
        raise _shape_error(array, one)
    column: np.ndarray = array[:, one.position]
    return column


def _shape_error(array: np.ndarray, one: OfOutput) -> ModelError:
    return ModelError(
        f"the output {one.output!r} has the shape {array.shape}, which does not give the "
        f"prediction {one.name!r} one value a row. Name its predictions with outputs=."
    )
