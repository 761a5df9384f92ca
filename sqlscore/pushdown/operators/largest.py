"""The place of the largest value, and of the smallest: labels, bins, nearest neighbours."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import case, looked_up
from sqlscore.pushdown.sql.labels import highest
from sqlscore.pushdown.sql.stairs import merged
from sqlscore.pushdown.sql.sums import negative
from sqlscore.pushdown.values.cells import Choice, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def arg_max(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """ArgMax: the place of the largest value, of the first one where there are several."""
    return _place(node, facts, x, x.row)


def arg_min(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """ArgMin: the place of the smallest value."""
    return _place(node, facts, x, [negative(cell) for cell in x.row])


def _place(node: Node, facts: Expressions, x: Tensor, cells: Sequence[Cell]) -> Tensor:
    if x.cells.ndim != 2 or node.integer("axis", 0) not in {1, -1}:
        raise Refused("another axis than the features'")
    if node.integer("select_last_index", 0):
        raise Refused("select_last_index")
    best = (
        merged(cells, _first_largest, facts)
        or _beside_another(cells, facts)
        or highest(cells, range(len(cells)), facts)
    )
    return Tensor.of([best], "int64", (1, 1) if node.integer("keepdims", 1) else (1,))


def _beside_another(cells: Sequence[Cell], facts: Expressions) -> Choice | None:
    """The place among values of one column, and a single one that another column gives."""
    found = [settled(cell) for cell in cells]
    stairs = [cell for cell in found if isinstance(cell, Choice) and cell.cuts is not None]
    counts = Counter(cell.feature for cell in stairs)
    others = [cell for cell in stairs if counts[cell.feature] == 1]
    if len(counts) != 2 or len(others) != 1:
        return None
    other, flags = others[0], {}
    for value in {repr(v): v for v in (*other.values, other.otherwise)}.values():
        side = merged([value if c is other else c for c in found], _first_largest, facts)
        if side is None:
            return None
        flags[value] = side
    first, *places = sorted({v for side in flags.values() for v in (*side.values, side.otherwise)})
    tests = tuple(_at_place(other, flags, place, facts) for place in places)
    return Choice(feature="", tests=tests, values=tuple(places), otherwise=first)


def _at_place(
    other: Choice, sides: dict[Any, Choice], place: Any, facts: Expressions
) -> exp.Expression:
    """Whether the largest is at a place, by the value that the other column gives."""
    branches = [
        (
            looked_up(other.mapped(partial(_same, value)), facts),
            looked_up(side.mapped(lambda at: (at == place).astype(np.int64)), facts),
        )
        for value, side in sides.items()
    ]
    *some, (_, last) = branches
    return exp.EQ(this=case(*some, otherwise=last), expression=literals.integer(1))


def _same(value: float, values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if np.isnan(value) else np.asarray(values == value)


def _first_largest(*columns: np.ndarray) -> np.ndarray:
    """The place of the first of the largest; NaN is passed over, unless it comes first."""
    whole = np.stack(columns)
    best = np.argmax(np.where(np.isnan(whole), -np.inf, whole), axis=0)
    return np.where(np.isnan(whole[0]), 0, best)
