"""The values of one row while a graph is read: constants, lines over a feature, and expressions.

A tensor is an array of cells with one row in it; operators take tensors and give tensors. A `Line`
is a feature after steps that keep the order of its values (rounding to float32, scaling, moving).
It stays apart from SQL as long as it can, so that scalers fold into weights, and thresholds move
to the column.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sqlscore.pushdown.domains import UNKNOWN, Domain
from sqlscore.pushdown.values.cuts import last_above, last_not_above

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import exp

    from sqlscore.pushdown.values.cuts import Steps

LARGEST = float(np.finfo(np.float32).max)
INFINITE = LARGEST + 2.0**103  #: the least double that rounds to an infinite float32
_EDGES = np.array([LARGEST])

#: ONNX's floating-point element types -> how the graph computes with them
DTYPES: dict[str, type[np.floating[Any]]] = {"float": np.float32, "double": np.float64}


ANYTHING = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A value as an expression."""

    sql: exp.Expression
    needs: frozenset[str] = frozenset()  #: the features of which a NULL makes this NULL by itself
    exact: bool = False  #: the very value that ONNX Runtime has, so that it may be compared
    real: bool = False  #: of the product's 4-byte type
    bounded: bool = False  #: past the largest float32 only as an infinity
    finite: bool = False  #: neither that nor an infinity; NaN only where NULL would be too
    coarse: bool = False  #: zero, or large enough not to be rounded to zero
    span: tuple[float, float] = ANYTHING  #: between which values it is for sure
    logit: Term | None = None  #: what this is the logistic function of, where it is that
    choice: Choice | None = None  #: the same value as it is looked up, where it is one of a few
    line: Line | None = None  #: the same value for comparisons, where it is one of a column


@dataclass(frozen=True, slots=True)
class Finite:
    """Between which values of a column a line is a finite float32, and what it is beyond them."""

    low: float
    high: float
    below: float
    above: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """``slope * column + offset``, and by `steps` the value that the graph has, bit for bit."""

    feature: str
    column: exp.Expression
    steps: Steps = field(compare=False, repr=False)
    slope: float = 1.0
    offset: float = 0.0
    missing: float | None = None  #: what stands for NaN and NULL; None: they stay
    dtype: type[np.floating[Any]] = np.float32  #: of its values; whole numbers are doubles
    domain: Domain = UNKNOWN  #: what the column can hold
    whole: bool = False  #: its values are whole numbers
    cut: bool = False  #: by steps that are not straight: it is known by comparisons alone

    @property
    def needs(self) -> frozenset[str]:
        """A NULL stays NULL, unless something stands for it."""
        return frozenset({self.feature} if self.missing is None else ())

    def divided(self, by: float, dtype: type[np.floating[Any]]) -> Line:
        """Divided by a number, rounded as the graph rounds."""
        divisor = dtype(by)
        return self._after(
            lambda x: x / divisor, self.slope / float(divisor), self.offset / float(divisor)
        )

    def scaled(self, by: float, dtype: type[np.floating[Any]]) -> Line:
        """Multiplied by a number, rounded as the graph rounds."""
        factor = dtype(by)
        return self._after(
            lambda x: x * factor, self.slope * float(factor), self.offset * float(factor)
        )

    def moved(self, by: float, dtype: type[np.floating[Any]]) -> Line:
        """With a number added, rounded as the graph rounds."""
        added = dtype(by)
        return self._after(lambda x: x + added, self.slope, self.offset + float(added))

    def cast(self, dtype: type[np.floating[Any]]) -> Line:
        """Rounded to a type."""
        line = self._after(lambda x: x.astype(dtype), self.slope, self.offset)
        return dataclasses.replace(line, dtype=dtype, whole=self.whole)

    def clipped(self, low: float, high: float) -> Line:
        """Between two bounds."""
        line = self._after(lambda x: np.clip(x, low, high), self.slope, self.offset)
        return dataclasses.replace(line, cut=True)

    def truncated(self) -> Line:
        """Without its fraction, as a whole number."""
        if self.whole:
            return self.cast(np.float64)
        line = self._after(np.trunc, self.slope, self.offset)
        return dataclasses.replace(line, dtype=np.float64, whole=True, cut=True)

    def imputed(self, value: float) -> Line:
        """With a value in the place of NaN and NULL."""
        if self.missing is not None or not self.domain.missing:
            return self
        return dataclasses.replace(self, missing=float(value))

    @cached_property
    def finite(self) -> Finite:
        """Where the graph's value is finite."""
        edge = float(np.nextafter(INFINITE, 0))
        low, high = _finite(self.steps, self.slope > 0) if self.slope else (-edge, edge)
        return Finite(
            max(float(np.nextafter(low, np.inf)), -edge),
            min(high, edge),
            self.at(-np.inf),
            self.at(np.inf),
        )

    def at(self, x: float) -> float:
        """The graph's value where the column has `x`."""
        with np.errstate(all="ignore"):
            return float(self.steps(np.array([x]))[0])

    def _after(self, step: Callable[[np.ndarray], np.ndarray], slope: float, offset: float) -> Line:
        before, missing = self.steps, self.missing
        if missing is not None:
            with np.errstate(all="ignore"):
                missing = float(step(np.array([missing]))[0])
        return dataclasses.replace(
            self, steps=lambda x: step(before(x)), slope=slope, offset=offset, missing=missing,
            whole=False,
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _finite(steps: Steps, rising: bool) -> tuple[float, float]:
    """The last double that steps take below what is finite, and the last one that they do not."""
    down = np.nextafter(-_EDGES, -np.inf)  # the largest float32 that is not finite
    if rising:
        low, high = last_not_above(steps, np.concatenate([down, _EDGES]))
    else:
        low, high = last_above(steps, np.concatenate([_EDGES, down]))
    return float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value looked up by a column: what encoders give, and what weights and scales fold into."""

    feature: str
    tests: tuple[exp.Expression, ...]  #: of the column, at most one of which is true
    values: tuple[float | int | str, ...]  #: one a test
    otherwise: float | int | str  #: where none is true, as with NULL
    #: makes the lookup of other values, and what there is otherwise, where it is no list of tests
    grown: Callable[[Sequence[exp.Expression]], exp.Expression] | None = None
    cuts: tuple[float, ...] | None = None  #: of a column, between which each of the values is
    line: Line | None = None  #: that column

    @property
    def needs(self) -> frozenset[str]:
        """Of no feature: what NULL is looked up as is `otherwise`."""
        return frozenset()

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Choice:
        """With a function of each value."""
        with np.errstate(all="ignore"):
            *values, otherwise = function(np.array([*self.values, self.otherwise])).tolist()
        return dataclasses.replace(self, values=tuple(values), otherwise=otherwise)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in every row, as a tensor of as many rows as there are has it."""
        return not self.tests and self.grown is None

    @property
    def key(self) -> tuple[int, ...]:
        """The same for two that look up by the same tests or leaves."""
        return (id(self.grown),) if self.grown else tuple(id(test) for test in self.tests)

    def joined(self, other: Choice, function: Callable[[np.ndarray, np.ndarray], Any]) -> Choice:
        """A function of the values of both, which have the same key."""
        with np.errstate(all="ignore"):
            *values, otherwise = function(
                np.array([*self.values, self.otherwise]), np.array([*other.values, other.otherwise])
            ).tolist()
        return dataclasses.replace(self, values=tuple(values), otherwise=otherwise)


Computed: TypeAlias = "Term | Line | Choice"
Cell: TypeAlias = "Computed | float | int | bool | str"


def comparable(cell: Cell) -> Cell:
    """The cell as what comparisons move to its column, or as a choice, where it is that."""
    return cell.line or cell.choice or cell if isinstance(cell, Term) else cell


def settled(cell: Cell) -> Cell:
    """The cell as a choice, where it is an expression that is one of a few values."""
    return cell.choice or cell if isinstance(cell, Term) else cell
