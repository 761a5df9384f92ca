"""The thresholds of a forest's branches, moved to the columns."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.trees.branches import EQUALITIES, ORDERS, Branch
from sqlscore.pushdown.values.cells import Choice, Line
from sqlscore.pushdown.values.cuts import last_above, last_not_above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.pushdown.trees.branches import Forest
    from sqlscore.pushdown.values.cells import Cell


def moved(
    forest: Forest, cells: Sequence[Cell], dtype: type[np.floating[Any]]
) -> dict[int, tuple[float, ...]]:
    """The cuts of every branch by its node's index: one, or two for each value of an equality."""
    asked: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for index, node in enumerate(forest.nodes):
        if not isinstance(node, Branch):
            continue
        for at in node.values:
            with np.errstate(over="ignore"):
                before = float(np.nextafter(dtype(at), dtype(-np.inf)))
            if node.mode in EQUALITIES:
                asked[node.feature] += [(index, before), (index, at)]
            else:
                asked[node.feature].append((index, at if ORDERS[node.mode][0] else before))
    found: dict[int, tuple[float, ...]] = {}
    for feature, wanted in asked.items():
        for (index, _), cut in zip(wanted, _cuts(cells, feature, wanted), strict=True):
            found[index] = (*found.get(index, ()), cut)
    return found


def _cuts(
    cells: Sequence[Cell], feature: int, wanted: Sequence[tuple[int, float]]
) -> Sequence[float]:
    if feature >= len(cells):
        raise Refused(f"it asks for feature {feature} of {len(cells)}")
    cell = cells[feature]
    thresholds = np.array([threshold for _, threshold in wanted])
    if isinstance(cell, int | float | Choice):
        return thresholds.tolist()  # type: ignore[no-any-return]
    if not isinstance(cell, Line) or not cell.slope:
        raise Refused(
            f"it compares feature {feature}, which is computed on the way: rounded otherwise it "
            "could take another branch"
        )
    move = last_not_above if cell.slope > 0 else last_above
    return move(cell.steps, thresholds).tolist()  # type: ignore[no-any-return]
