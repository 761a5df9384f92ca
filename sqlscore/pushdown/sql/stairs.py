"""Values that change only at some places of one column: comparisons, bins, quantiles, their places.

Such a value is a choice whose pieces are the numbers up to each of its cuts, and those above the
last. What is computed from several of one column is one of them again, so a binary search over a
thousand quantiles becomes one CASE of depth ten.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import case, is_number
from sqlscore.pushdown.values.cells import Choice, Line, Term, settled
from sqlscore.pushdown.values.cuts import last_above, last_not_above

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell


def stair(
    line: Line, cuts: Sequence[float], values: Sequence[Any], missing: Any, facts: Expressions
) -> Choice:
    """The value of each piece of a line's column, one more than there are cuts."""
    kept = [i for i in range(len(cuts)) if not _same(values[i], values[i + 1])]
    cuts = tuple(cuts[i] for i in kept)
    values = (*(values[i] for i in kept), values[-1])
    column, can_miss = line.column, line.domain.missing

    def grown(made: Sequence[exp.Expression]) -> exp.Expression:
        *pieces, gone = made
        whole = _searched(column, cuts, pieces, facts)
        if not can_miss or gone == pieces[-1]:  # a comparison with NULL is not true
            return whole
        return case((is_number(column, facts), whole), otherwise=gone)

    return Choice(
        feature=line.feature, tests=(), values=values, otherwise=missing, grown=grown, cuts=cuts,
        line=line,
    )  # fmt: skip


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))


def _searched(
    column: exp.Expression, cuts: Sequence[float], pieces: Sequence[Any], facts: Expressions
) -> exp.Expression:
    """The piece that a column is in, by halves."""
    if not cuts:
        return pieces[0]  # type: ignore[no-any-return]
    at = len(cuts) // 2
    lower = _searched(column, cuts[:at], pieces[: at + 1], facts)
    upper = _searched(column, cuts[at + 1 :], pieces[at + 1 :], facts)
    test = exp.LTE(this=column, expression=literals.number(cuts[at], facts))
    return case((test, lower), otherwise=upper)


def ranged(line: Line, low: float, high: float, facts: Expressions) -> Choice:
    """Whether the graph's value of a line is from `low` to `high`; not where it is NaN or NULL."""
    ((cuts, values),) = _ranges(line, np.array([low]), np.array([high]))
    missing = line.missing is not None and low <= line.missing <= high
    return stair(line, cuts, values, missing, facts)


_Pieces = tuple[list[float], list[Any]]


def _ranges(line: Line, low: np.ndarray, high: np.ndarray) -> list[_Pieces]:
    """For each pair of bounds the cuts between which they hold."""
    dtype, rising = line.dtype, line.slope > 0
    move = last_not_above if rising else last_above
    with np.errstate(all="ignore"):
        below = np.nextafter(low.astype(dtype), dtype(-np.inf)).astype(np.float64)
    one, other = move(line.steps, below), move(line.steps, high)
    one = np.where(low == -np.inf, np.nan if rising else np.inf, one)
    pairs = (one, other) if rising else (other, one)
    return [_between(first, last) for first, last in zip(*(p.tolist() for p in pairs), strict=True)]


def _between(first: float, last: float) -> _Pieces:
    """True above `first` and up to `last`, each of which may be NaN: before everything."""
    if np.isnan(last) or first >= last:
        return [], [False]
    cuts = [cut for cut in (first, last) if cut < np.inf]  # not where it is NaN
    values = [True] if np.isnan(first) else [False, True]
    return cuts, values if last == np.inf else [*values, False]


def place_in(line: Line, count: int, facts: Expressions) -> Choice:
    """Which of the places from 0 on a column of whole numbers is; -1 where it is none."""
    if not line.whole or line.slope <= 0:
        raise Refused("a place that is no column of whole numbers")
    cuts = last_not_above(line.steps, np.arange(-1.0, count)).tolist()
    values = [-1, *range(count), -1]
    known = [i for i, cut in enumerate(cuts) if not np.isnan(cut)]
    missing = -1 if line.missing is None or not 0 <= line.missing < count else int(line.missing)
    kept = [*(values[i] for i in known), values[-1]]
    return stair(line, [cuts[i] for i in known], kept, missing, facts)


def against(name: str, line: Line, choice: Choice, facts: Expressions) -> Choice | None:
    """A comparison of a line with what is looked up by the same column; None for another one."""
    if choice.cuts is None or choice.feature != line.feature or not line.slope:
        return None
    numbers = np.array(choice.values, np.float64)
    asked = np.where(np.isnan(numbers), 0.0, numbers)
    low, high = bounds(name, asked, line.dtype)
    answers = _ranges(line, low, high)
    ends = sorted({*choice.cuts, *(cut for cuts, _ in answers for cut in cuts)})
    values = []
    for end in (*ends, np.inf):
        place = bisect_left(choice.cuts, end)
        cuts, flags = answers[place]
        values.append(bool(flags[bisect_left(cuts, end)]) and not np.isnan(numbers[place]))
    stands = (np.nan if line.missing is None else line.missing, choice.otherwise)
    return stair(line, ends, values, bool(COMPARE[name](*stands)), facts)


COMPARE: dict[str, Callable[..., Any]] = {
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
}


def bounds(
    name: str, at: np.ndarray, dtype: type[np.floating[Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value for which a comparison with a constant holds."""
    at = at.astype(dtype)
    with np.errstate(all="ignore"):
        before, after = (np.nextafter(at, dtype(end)) for end in (-np.inf, np.inf))
    least, most = np.full_like(at, -np.inf), np.full_like(at, np.inf)
    low, high = {
        "Less": (least, before),
        "LessOrEqual": (least, at),
        "Greater": (after, most),
        "GreaterOrEqual": (at, most),
        "Equal": (at, at),
    }[name]
    return low.astype(np.float64), high.astype(np.float64)


def merged(
    cells: Sequence[Cell], function: Callable[..., np.ndarray], facts: Expressions
) -> Choice | None:
    """A function of values that change with one column alone; None where one is anything else.

    The function takes an array for each cell, which has its values in all pieces.
    """
    found = [_as_stair(cell, facts) for cell in cells]
    stairs = [c for c in found if isinstance(c, Choice) and c.cuts is not None]
    numbers = [c for c in found if not isinstance(c, Term | Line | Choice)]
    if not stairs or len(stairs) + len(numbers) < len(found):
        return None
    line = stairs[0].line
    if line is None or any(one.feature != line.feature for one in stairs):
        return None
    ends = sorted({cut for one in stairs for cut in one.cuts or ()})
    columns = [_values(cell, [*ends, np.inf]) for cell in found]
    with np.errstate(all="ignore"):
        *values, missing = function(*columns).tolist()
    return stair(line, ends, values, missing, facts)


def _values(cell: Cell, ends: Sequence[float]) -> np.ndarray:
    """The values of a cell in the pieces up to each end, and what stands for what is missing."""
    if isinstance(cell, Choice):
        places = [bisect_left(cell.cuts or (), end) for end in ends]
        return np.array([*(cell.values[place] for place in places), cell.otherwise])
    return np.full(len(ends) + 1, cell)


def _as_stair(cell: Cell, facts: Expressions) -> Cell:
    """The cell with what it is by one column; a column times zero is a number where it is one."""
    cell = settled(cell)
    if isinstance(cell, Choice) and cell.is_constant:
        return cell.otherwise
    if isinstance(cell, Line) and not cell.slope:
        low, high = cell.finite.low, cell.finite.high
        values = (cell.at(-np.inf), cell.at(0.0), cell.at(np.inf))
        missing = np.nan if cell.missing is None else cell.missing
        return stair(cell, (float(np.nextafter(low, -np.inf)), high), values, missing, facts)
    return cell
