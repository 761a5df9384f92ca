"""Tensors of a graph for a batch of one row: cells in their shape, and where the rows are in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.values.cells import DTYPES, Choice, Line, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlglot import exp

    from sqlscore.pushdown.values.cells import Cell

#: stands in a shape for the number of rows, which is not known
ROWS = -(2**62) - 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """Cells in the shape that a batch of one row has."""

    cells: np.ndarray  #: of objects
    element: str  #: ONNX element type, a key of `types.ARROW_TYPES`
    rows: int = 0  #: which axis is that of the rows
    outer: int = 1  #: how many times all rows come one after the other along it
    inner: int = 1  #: how many values of a row lie together along it
    lost: tuple[exp.Expression, ...] = ()  #: where ONNX Runtime has an error instead of a value

    @classmethod
    def of(
        cls, cells: Iterable[Cell], element: str, shape: tuple[int, ...] | None = None
    ) -> Tensor:
        """Cells in a row; of the shape ``(1, n)`` unless told."""
        listed = list(cells)
        array = np.empty(len(listed), object)
        array[:] = listed
        return cls(array.reshape(shape or (1, len(listed))), element)

    @classmethod
    def constant(cls, value: np.ndarray) -> Tensor:
        """A constant tensor; its cells are Python's own values."""
        array = np.empty(value.shape, object)
        flat = [_plain(one) for one in value.ravel().tolist()]
        array.reshape(-1)[:] = flat
        return cls(array, element_of(value.dtype))

    @property
    def layout(self) -> tuple[int, int, int, int]:
        """Where the rows are: the number of axes, the rows' own, and what else lies along it."""
        return self.cells.ndim, self.rows, self.outer, self.inner

    @property
    def is_plain(self) -> bool:
        """Whether the first axis is that of the rows, and nothing else."""
        return self.layout[1:] == (0, 1, 1)

    @property
    def around(self) -> tuple[int, int]:
        """How many values lie before the rows' index, and behind it."""
        shape = self.cells.shape
        before = math.prod(shape[: self.rows]) * self.outer
        return before, self.inner * math.prod(shape[self.rows + 1 :])

    def shaped(self, sizes: Sequence[int], *, rows: int, outer: int, inner: int) -> Tensor:
        """The same cells along other axes."""
        return Tensor(self.cells.reshape(sizes), self.element, rows, outer, inner)

    @property
    def is_constant(self) -> bool:
        """Whether nothing in it depends on a row."""
        return not any(isinstance(cell, Term | Line | Choice) for cell in self.row)

    @property
    def is_cut(self) -> bool:
        """Whether a computed number in it was cut to a whole one: only its bounds are sure."""
        return self.element not in {*DTYPES, "bool"} and any(
            isinstance(cell, Term) and not cell.exact for cell in self.row
        )

    @property
    def row(self) -> list[Cell]:
        """The cells one after the other."""
        return list(self.cells.ravel())

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """How the graph computes with it; refused where it is no floating-point type."""
        if self.element not in DTYPES:
            raise Refused(f"it computes with {self.element}")
        return DTYPES[self.element]

    def values(self) -> np.ndarray:
        """The constant as an array; refused where it depends on the row."""
        if not self.is_constant:
            raise Refused("an input has to be a constant of the model, and depends on the row")
        return np.array(self.cells.tolist(), dtype=_NUMPY.get(self.element, object))


_NUMPY: dict[str, Any] = {
    "float": np.float32, "double": np.float64, "bool": np.bool_,
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64")},
    **{name: np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
}  # fmt: skip
_ELEMENTS = {np.dtype(type_): name for name, type_ in _NUMPY.items()}


def element_of(dtype: np.dtype[Any]) -> str:
    """ONNX's name of a numpy type."""
    return _ELEMENTS.get(dtype, "string")


def _plain(value: object) -> Any:
    return value.decode() if isinstance(value, bytes) else value
