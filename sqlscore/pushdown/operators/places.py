"""Values by their place: columns by constant places, and a constant's values by computed ones.

A place that a column gives is looked up as any number is, by its cuts; so embeddings are CASEs.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.shapes import inner_axis
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import case, constant, expression, operand
from sqlscore.pushdown.sql.stairs import place_in
from sqlscore.pushdown.values.cells import ANYTHING, Choice, Line, Term, settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell
    from sqlscore.pushdown.values.tensors import Tensor


def gather(node: Node, facts: Expressions, x: Tensor, index: Tensor) -> Tensor:
    """Gather of columns by constant places, or of a constant's values by computed places."""
    if x.is_constant and not index.is_constant:
        if node.integer("axis", 0) % x.cells.ndim:
            raise Refused("it looks up along another axis than the first")
        return _looked_up(x, np.moveaxis(x.cells, 0, -1), index, facts)
    axis = inner_axis(node.integer("axis", 0), x)
    places = index.values().astype(np.int64)
    rows = x.rows if axis > x.rows else x.rows - 1 + places.ndim
    return dataclasses.replace(x, cells=np.take(x.cells, places, axis=axis), rows=rows)


def array_feature_extractor(_node: Node, facts: Expressions, x: Tensor, index: Tensor) -> Tensor:
    """ArrayFeatureExtractor: columns by constant places, or a constant's values by computed ones.

    The latter come along the last axis, those of all rows one after the other.
    """
    if x.is_constant and not index.is_constant:
        table = np.atleast_2d(x.cells)
        made = _looked_up(x, table, index, facts)
        before, after = index.around
        kept = np.moveaxis(made.cells.reshape(before * after, *table.shape[:-1]), 0, -1)
        return dataclasses.replace(made, cells=kept, rows=kept.ndim - 1, outer=before, inner=after)
    places = index.values().astype(np.int64).ravel()
    return dataclasses.replace(x, cells=np.take(x.cells, places, axis=inner_axis(-1, x)))


def _looked_up(table: Tensor, lists: np.ndarray, index: Tensor, facts: Expressions) -> Tensor:
    """For each place a value of each list, which lie along the last axis."""
    if lists.size > facts.most_leaves:
        raise Refused(f"a table of {lists.size:,} values (the most is {facts.most_leaves:,})")
    count = lists.shape[-1]
    places = [_place(cell, count, facts) for cell in index.row]
    found = np.empty((index.cells.size, lists.size // count), object)
    for row, place in zip(found, places, strict=True):
        row[:] = [_at(list(one), place, facts) for one in lists.reshape(-1, count)]
    columns = [cell for cell in index.row if isinstance(cell, Line)]
    known = [place for place in places if isinstance(place, Choice)] if columns else []
    lost = [expression(place.mapped(lambda at: at < 0), facts) for place in known]
    cells = found.reshape(*index.cells.shape, *lists.shape[:-1])
    return dataclasses.replace(index, cells=cells, element=table.element, lost=tuple(lost))


def _place(cell: Cell, count: int, facts: Expressions) -> Cell:
    cell = settled(cell)
    if isinstance(cell, Line):
        return place_in(cell, count, facts)
    if isinstance(cell, Term) and not cell.exact:
        raise Refused("it looks up the place of a computed number")
    return cell


def _at(values: Sequence[Cell], place: Cell, facts: Expressions) -> Cell:
    """The value at a place; the last one at -1, which is no place."""
    if isinstance(place, Choice):
        return place.mapped(lambda at: np.array([values[int(i)] for i in at], object))
    if not isinstance(place, Term):
        return values[int(place)]  # type: ignore[arg-type]
    *made, last = [constant(value, facts) for value in values]  # type: ignore[arg-type]
    tests = [
        (exp.EQ(this=operand(place.sql), expression=literals.integer(i)), value)
        for i, value in enumerate(made)
    ]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not math.isnan(v)]
    span = (min(numbers), max(numbers)) if len(numbers) == len(values) else ANYTHING
    sql = case(*tests, otherwise=last) if tests else last
    return Term(sql=sql, exact=True, bounded=True, finite=True, span=span)
