"""Distances to the training rows that a model keeps: Gaussian processes, kernel components.

Converters write them as a Scan over these rows, whose body gives the distances of one of them to
the batch. Other bodies have no SQL form.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import added, expression, lifted, operand
from sqlscore.pushdown.sql.functions import computed, root
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell

#: training rows, and support vectors of one machine: each distance may be a column of a derived
#: table, of which PostgreSQL takes 1,664
MOST_ROWS = 1000
#: the operators of a body, and what is done with each difference and with their sum
_SQUARES = ("Sub", "ReduceSumSquare")
_BODIES = {_SQUARES: False, (*_SQUARES, "Sqrt"): True}


def scan(node: Node, facts: Expressions, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Scan over the rows of a constant that gives each one's distance to all rows of a table."""
    body = node.given["body"]
    operators = tuple(n.op_type for n in body.node if n.op_type != "Identity")
    if operators not in _BODIES or len(inputs) != 2 or not inputs[1].is_constant:
        raise Refused(f"a loop by {', '.join(operators)}")
    x, kept = inputs
    rows = kept.values()
    if len(rows) > MOST_ROWS:
        raise Refused(f"distances to {len(rows):,} rows (the most is {MOST_ROWS:,})")
    cells = [lifted(cell, facts) for cell in x.row]
    made = [_distance(cells, row, facts, euclidean=_BODIES[operators]) for row in rows]
    distances = Tensor.of(made, x.element, (len(made), 1))
    return x, dataclasses.replace(distances, rows=1)


def _distance(
    cells: Sequence[Cell], row: np.ndarray, facts: Expressions, *, euclidean: bool
) -> Cell:
    whole = squared_distance(cells, row, facts)
    span = (0.0, np.inf)
    return computed(cells, root(whole, facts) if euclidean else whole, span=span)


def squared_distance(cells: Sequence[Cell], row: np.ndarray, facts: Expressions) -> exp.Expression:
    """The sum of the squared differences."""
    squares = []
    for cell, at in zip(cells, row.tolist(), strict=True):
        value = expression(cell, facts)
        distance = exp.Sub(this=operand(value), expression=literals.number(at, facts))
        squares.append(exp.Mul(this=operand(distance), expression=operand(distance)))
    return added(squares)
