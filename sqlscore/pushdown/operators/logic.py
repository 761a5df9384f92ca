"""Operators on conditions, and those that ask what kind of number a value is.

A condition may be NULL where a value is; it then counts as not true.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    above,
    both,
    case,
    either,
    expression,
    is_missing,
    operand,
    unless,
)
from sqlscore.pushdown.sql.stairs import merged
from sqlscore.pushdown.values.cells import Choice, Line, Term, settled
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def negated(_node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Not: true also where a comparison is NULL."""
    return Tensor.of([opposite(cell) for cell in x.row], "bool", x.cells.shape)


def opposite(cell: Cell) -> Cell:
    """The opposite of a condition."""
    if isinstance(cell, Choice):
        return cell.mapped(np.logical_not)
    if not isinstance(cell, Term):
        return not cell
    choice = cell.choice and cell.choice.mapped(np.logical_not)
    return _condition(unless(cell.sql), exact=cell.exact, choice=choice)


def conjunction(_node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """And."""
    return _combined(a, b, facts, both, absorbing=False)


def disjunction(_node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """Or."""
    return _combined(a, b, facts, either, absorbing=True)


def _combined(
    a: Tensor,
    b: Tensor,
    facts: Expressions,
    join: Callable[[Sequence[exp.Expression]], exp.Expression],
    *,
    absorbing: bool,
) -> Tensor:
    """Pairs of conditions joined; `absorbing` is the constant that decides alone."""
    left, right = np.broadcast_arrays(a.cells, b.cells)
    cells: list[Cell] = []
    for one, other in zip(left.ravel(), right.ravel(), strict=True):
        moving = [cell for cell in (one, other) if isinstance(cell, Term | Choice)]
        if absorbing in (c for c in (one, other) if not isinstance(c, Term | Choice)):
            cells.append(absorbing)
        elif moving:
            exact = all(isinstance(cell, Choice) or cell.exact for cell in moving)
            tests = [operand(expression(cell, facts)) for cell in moving]
            choice = merged([one, other], np.logical_or if absorbing else np.logical_and, facts)
            cells.append(_condition(join(tests), exact=exact, choice=choice))
        else:
            cells.append(not absorbing)
    return Tensor.of(cells, "bool", left.shape)


def exclusive(node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """Xor."""
    one = conjunction(node, facts, a, negated(node, facts, b))
    other = conjunction(node, facts, negated(node, facts, a), b)
    return disjunction(node, facts, one, other)


def is_nan(_node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """IsNaN: true for NaN, which a NULL of such a feature is."""
    cells = [_is_nan(cell, facts) for cell in x.row]
    return Tensor.of(cells, "bool", x.cells.shape)


def _is_nan(cell: Cell, facts: Expressions) -> Cell:
    if isinstance(cell, Line):
        if cell.missing is not None:
            return math.isnan(cell.missing)
        return _condition(is_missing(cell.column, facts))
    cell = settled(cell)
    if isinstance(cell, Choice):
        return cell.mapped(np.isnan)
    if isinstance(cell, Term):
        raise Refused("it asks whether a computed value is NaN")
    return math.isnan(float(cell))  # type: ignore[arg-type]


def sign(_node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Sign: 1, 0 or -1; of a computed value as a label, which a score near zero decides."""
    return Tensor.of([_sign(cell, facts) for cell in x.row], x.element, x.cells.shape)


def _sign(cell: Cell, facts: Expressions) -> Cell:
    if isinstance(cell, Choice):
        return cell.mapped(np.sign)
    if not isinstance(cell, Term | Line):
        return float(np.sign(cell))
    value, zero = expression(cell, facts), literals.number(0.0, facts)
    one = literals.number(1.0, facts)
    sql = case(
        (above(value, 0.0, facts), one),
        (exp.LT(this=operand(value), expression=zero), literals.number(-1.0, facts)),
        otherwise=value,
    )
    return Term(sql=sql, needs=cell.needs, exact=True, bounded=True, finite=True)


def _condition(sql: exp.Expression, *, exact: bool = True, choice: Choice | None = None) -> Term:
    return Term(sql=sql, exact=exact, bounded=True, finite=True, choice=choice)
