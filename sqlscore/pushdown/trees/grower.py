"""Trees as nested CASE expressions, whose thresholds are moved to the columns.

Every mode of a branch is one question: is the value of a feature at most `cut`, and on which side
are NaN and NULL? (Equality is two of them.) A comparison with NULL is not true, so the side of
what is missing is the ELSE; only where that has to be the lower side does NaN, which counts as
more than everything, need a test of its own.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.domains import UNKNOWN
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import above, both, either, is_missing, is_number, looked_up
from sqlscore.pushdown.trees.branches import EQUALITIES, ORDERS, Branch, Leaf, holds
from sqlscore.pushdown.trees.thresholds import moved
from sqlscore.pushdown.values.cells import Choice, Line, comparable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.domains import Domain
    from sqlscore.pushdown.trees.branches import Forest
    from sqlscore.pushdown.values.cells import Cell


class Grower:
    """Makes the expression of each tree of a forest, over one tensor of features."""

    def __init__(
        self,
        forest: Forest,
        cells: Sequence[Cell],
        dtype: type[np.floating[Any]],
        facts: Expressions,
    ) -> None:
        """Move all thresholds. Refused where a feature's exact value is not known."""
        self._forest = forest
        self._facts = facts
        self._cells = [comparable(cell) for cell in cells]
        self._cuts = moved(forest, self._cells, dtype)

    def grow(self, root: int, leaf: Callable[[Leaf], exp.Expression]) -> exp.Expression:
        """The tree below a root; no recursion, since trees may be deeper than Python's stack."""
        done: dict[int, exp.Expression] = {}
        pending = [root]
        while pending:
            index = pending[-1]
            node = self._forest.nodes[index]
            if isinstance(node, Leaf):
                done[index] = leaf(node)
                pending.pop()
                continue
            known = self._known(index, node)
            children = (node.true, node.false) if known is None else (known,)
            missing = [child for child in children if child not in done]
            if missing:
                pending += missing
                continue
            done[index] = (
                self._branch(index, node, done[node.true], done[node.false])
                if known is None
                else done[known]
            )
            pending.pop()
        return done[root]

    def _known(self, index: int, node: Branch) -> int | None:
        """The child that every row goes to, by what the column can hold; None: to either."""
        cell = self._cells[node.feature]
        if not isinstance(cell, Line) or cell.domain is UNKNOWN:
            return None
        true = self._all_true(index, node, cell)
        missing = node.missing_true or node.mode == "BRANCH_NEQ"
        if cell.missing is not None:
            missing = holds(node, cell.missing)
        if true is None or (cell.domain.missing and missing != true):
            return None
        return node.true if true else node.false

    def _all_true(self, index: int, node: Branch, line: Line) -> bool | None:
        """Whether a branch is true, or false, for all numbers that the column can hold."""
        cuts = self._cuts[index]
        if node.mode not in EQUALITIES:
            lower = line.domain.side(cuts[0])
            return None if lower is None else lower == (ORDERS[node.mode][1] == (line.slope > 0))
        inside = [_inside(line.domain, *pair) for pair in zip(cuts[::2], cuts[1::2], strict=True)]
        if True in inside:
            return EQUALITIES[node.mode]
        return None if None in inside else not EQUALITIES[node.mode]

    def _branch(
        self, index: int, node: Branch, true: exp.Expression, false: exp.Expression
    ) -> exp.Expression:
        cell = self._cells[node.feature]
        if isinstance(cell, Choice):
            return _chosen(node, cell, true, false, self._facts)
        if not isinstance(cell, Line):
            return true if holds(node, float(cell)) else false  # type: ignore[arg-type]
        missing_true = node.missing_true or node.mode == "BRANCH_NEQ"
        if cell.missing is not None:
            missing_true = holds(node, cell.missing)
        if node.mode in EQUALITIES:
            equal_true = EQUALITIES[node.mode]
            equal, other = (true, false) if equal_true else (false, true)
            return self._equal(index, cell, equal, other, missing_equal=missing_true == equal_true)
        lower_true = ORDERS[node.mode][1] == (cell.slope > 0)
        lower, upper = (true, false) if lower_true else (false, true)
        cut = self._cuts[index][0]
        return self._split(cell, cut, lower, upper, missing_lower=missing_true == lower_true)

    def _split(
        self,
        line: Line,
        cut: float,
        lower: exp.Expression,
        upper: exp.Expression,
        *,
        missing_lower: bool,
    ) -> exp.Expression:
        """`lower` where the column is at most the cut."""
        column, facts = line.column, self._facts
        if np.isnan(cut):  # nothing is at most it
            if not missing_lower:
                return upper
            return _case((is_number(column, facts), upper), otherwise=lower)
        if np.isposinf(cut):
            if missing_lower:
                return lower
            return _case((is_number(column, facts), lower), otherwise=upper)
        if missing_lower:
            return _case((above(column, cut, facts), upper), otherwise=lower)
        return _case((_at_most(column, cut, facts), lower), otherwise=upper)

    def _equal(
        self,
        index: int,
        line: Line,
        equal: exp.Expression,
        other: exp.Expression,
        *,
        missing_equal: bool,
    ) -> exp.Expression:
        """`equal` where the column is between the two cuts of one of the values."""
        facts = self._facts
        cuts = self._cuts[index]
        pairs = [
            sorted(pair, key=lambda cut: -np.inf if np.isnan(cut) else cut)
            for pair in zip(cuts[::2], cuts[1::2], strict=True)
        ]
        if missing_equal and len(pairs) == 1:
            ((low, high),) = pairs
            inner = self._split(line, low, other, equal, missing_lower=False)
            return self._split(line, high, inner, other, missing_lower=True)
        tests = [self._between(line, low, high) for low, high in pairs]
        if missing_equal:
            tests.append(is_missing(line.column, facts))
        return _case((either(tests), equal), otherwise=other)

    def _between(self, line: Line, low: float, high: float) -> exp.Expression:
        """Whether the column is more than `low` and at most `high`."""
        facts = self._facts
        tests = [] if np.isposinf(high) else [_at_most(line.column, high, facts)]
        tests += [] if np.isnan(low) else [above(line.column, low, facts)]
        return both(tests or [is_number(line.column, facts)])


def _chosen(
    node: Branch,
    choice: Choice,
    true: exp.Expression,
    false: exp.Expression,
    facts: Expressions,
) -> exp.Expression:
    """The branch of a value that is looked up: known for each of the values."""
    default = holds(node, float(choice.otherwise))
    if choice.grown is not None:
        flags = [holds(node, float(value)) for value in choice.values]
        asked = dataclasses.replace(choice, values=tuple(flags), otherwise=default)
        return _case((looked_up(asked, facts), true), otherwise=false)
    pairs = zip(choice.tests, choice.values, strict=True)
    others = [test for test, value in pairs if holds(node, float(value)) != default]
    if not others:
        return true if default else false
    usual, other = (true, false) if default else (false, true)
    return _case((either(others), other), otherwise=usual)


def _inside(domain: Domain, one: float, other: float) -> bool | None:
    """Whether all numbers of a domain are between two cuts, or none is."""
    low, high = sorted((one, other), key=lambda cut: -np.inf if np.isnan(cut) else cut)
    above_low, at_most_high = domain.side(low), domain.side(high)
    if above_low is False and at_most_high is True:
        return True
    return False if above_low is True or at_most_high is False else None


def _case(
    branch: tuple[exp.Expression, exp.Expression], *, otherwise: exp.Expression
) -> exp.Expression:
    """A CASE. Another one in its ELSE becomes more of its WHENs.

    DuckDB copies the value of a row out of each level of CASE, and depth is limited everywhere.
    """
    test, value = branch
    own = exp.If(this=test, true=value)
    if isinstance(otherwise, exp.Case) and otherwise.this is None:
        return exp.Case(ifs=[own, *otherwise.args["ifs"]], default=otherwise.args["default"])
    return exp.Case(ifs=[own], default=otherwise)


def _at_most(column: exp.Expression, cut: float, facts: Expressions) -> exp.Expression:
    return exp.LTE(this=column, expression=literals.number(cut, facts))
