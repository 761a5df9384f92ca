"""Comparisons, and what is chosen by them. They need exact values, or could go the other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown import literals
from sqlscore.pushdown.arithmetic import (
    above,
    both,
    case,
    either,
    expression,
    is_missing,
    is_number,
    operand,
)
from sqlscore.pushdown.cells import Choice, Line, Tensor, Term
from sqlscore.pushdown.cuts import last_above, last_not_above
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.spans import excludes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.node import Node


def between(line: Line, low: float, high: float, facts: Expressions) -> exp.Expression:
    """Whether the graph's value of a line is from `low` to `high`; not where it is NaN or NULL."""
    move = last_not_above if line.slope > 0 else last_above
    below = None if low == -np.inf else np.nextafter(line.dtype(low), line.dtype(-np.inf))
    lower, upper = (below, high) if line.slope > 0 else (high, below)
    tests: list[exp.Expression] = []
    if lower is not None and lower < np.inf:
        cut = float(move(line.steps, np.array([lower]))[0])
        if not np.isnan(cut):  # else nothing is cut off
            tests.append(above(line.column, cut, facts))
    if upper is not None and upper < np.inf:
        cut = float(move(line.steps, np.array([upper]))[0])
        bound = literals.number(cut, facts)
        tests.append(exp.LTE(this=line.column, expression=bound))
    return both(tests) if tests else is_number(line.column, facts)


_COMPARE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
}
_MIRRORED = {"Less": "Greater", "LessOrEqual": "GreaterOrEqual", "Equal": "Equal"}
_MIRRORED |= {b: a for a, b in _MIRRORED.items()}
_TESTS: dict[str, type[exp.Binary]] = {
    "Less": exp.LT, "LessOrEqual": exp.LTE, "Greater": exp.GT, "GreaterOrEqual": exp.GTE,
    "Equal": exp.EQ,
}  # fmt: skip


def compared(node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """Less, Greater, Equal, …: of two tensors, or of one and constants."""
    left, right = np.broadcast_arrays(a.cells, b.cells)
    pairs = zip(left.ravel(), right.ravel(), strict=True)
    cells = [compare(node.operator, one, other, facts) for one, other in pairs]
    return Tensor.of(cells, "bool", left.shape)


def compare(name: str, a: Cell, b: Cell, facts: Expressions) -> Cell:
    """A comparison by ONNX's name of it; refused where rounding could decide it."""
    computed = Term | Line | Choice
    if not isinstance(a, computed) and isinstance(b, computed):
        return compare(_MIRRORED[name], b, a, facts)
    if not isinstance(b, computed):
        found = _with_constant(name, a, b, facts)
        if found is not None:
            return found
    if not all((isinstance(c, Term) and c.exact) or not isinstance(c, computed) for c in (a, b)):
        raise Refused("it compares a value that is computed on the way: rounding could decide it")
    test = _TESTS[name](
        this=operand(expression(a, facts)), expression=operand(expression(b, facts))
    )
    return Term(sql=test, exact=True, bounded=True, finite=True)  # type: ignore[arg-type]


def _with_constant(name: str, a: Cell, b: float | str, facts: Expressions) -> Cell | None:
    """The comparison with a constant, where it needs no value to be computed."""
    if isinstance(a, Choice):
        return _of_choice(name, a, b)
    if isinstance(a, Line):
        test = _of_line(name, a, float(b), facts)
        return Term(sql=test, exact=True, bounded=True, finite=True)
    if isinstance(a, Term):
        return None if a.exact or isinstance(b, str) else _known(name, a, float(b))
    return bool(_COMPARE[name](a, b))  # type: ignore[arg-type]


def _known(name: str, a: Term, b: float) -> bool | None:
    """The answer, where the bounds of a computed value leave no doubt."""
    if not excludes(a.span, b):
        return None
    answer = bool(_COMPARE[name](a.span[0], b))  # type: ignore[arg-type]
    return None if answer and not a.finite else answer  # NaN would not be


def _of_line(name: str, line: Line, bound: float, facts: Expressions) -> exp.Expression:
    if not line.slope:
        raise Refused("it compares a column times zero")
    least, most = -np.inf, np.inf
    dtype, step = line.dtype, np.nextafter
    low, high = {
        "Less": (least, float(step(dtype(bound), dtype(least)))),
        "LessOrEqual": (least, bound),
        "Greater": (float(step(dtype(bound), dtype(most))), most),
        "GreaterOrEqual": (bound, most),
        "Equal": (bound, bound),
    }[name]
    test = between(line, low, high, facts)
    if line.missing is None:
        return test
    stands = bool(_COMPARE[name](line.missing, bound))  # type: ignore[arg-type]
    return either([test, is_missing(line.column, facts)]) if stands else test


def _of_choice(name: str, choice: Choice, other: Cell) -> Cell:
    compare = _COMPARE[name]
    default = bool(compare(choice.otherwise, other))  # type: ignore[arg-type]
    pairs = zip(choice.tests, choice.values, strict=True)
    tests = [test for test, value in pairs if bool(compare(value, other)) != default]  # type: ignore[arg-type]
    if not tests:
        return default
    one, zero = literals.integer(1), literals.integer(0)
    chosen = case((either(tests), zero if default else one), otherwise=one if default else zero)
    return Term(sql=exp.EQ(this=chosen, expression=one), exact=True, bounded=True, finite=True)


def where(_node: Node, facts: Expressions, test: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Where: one or the other, by a condition."""
    tests, ones, others = np.broadcast_arrays(test.cells, yes.cells, no.cells)
    cells = [
        chosen(*three, facts)
        for three in zip(tests.ravel(), ones.ravel(), others.ravel(), strict=True)
    ]
    return Tensor.of(cells, yes.element, tests.shape)


def chosen(test: Cell, yes: Cell, no: Cell, facts: Expressions) -> Cell:
    """One cell or the other, by a condition."""
    if not isinstance(test, Term):
        return yes if test else no
    plain = [_plain(cell) for cell in (yes, no)]
    if all(isinstance(value, float) for value in plain):
        return Choice(feature="", tests=(test.sql,), values=(plain[0],), otherwise=plain[1])  # type: ignore[arg-type]
    sql = case((test.sql, expression(yes, facts)), otherwise=expression(no, facts))
    sides = [c for c in (yes, no) if isinstance(c, Term | Line | Choice)]
    exact = all((isinstance(c, Term) and c.exact) or isinstance(c, Choice) for c in sides)
    return Term(sql=sql, exact=exact, bounded=not sides)


def _plain(cell: Cell) -> Cell | None:
    """The number that a cell is in every row, if it is one."""
    if isinstance(cell, Choice) and not cell.tests:
        return cell.otherwise
    return None if isinstance(cell, Term | Line | Choice) else cell


def binarizer(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Binarizer: 1 where the value is more than the threshold, else 0."""
    bound = float(np.float32(node.float("threshold", 0.0)))
    cells = [numbered(compare("Greater", cell, bound, facts)) for cell in x.row]
    return Tensor.of(cells, "float", x.cells.shape)


def numbered(cell: Cell) -> Cell:
    """A truth value as 1 or 0; a comparison of a column as a choice, which folds into weights."""
    if isinstance(cell, Term):
        return Choice(feature="", tests=(cell.sql,), values=(1.0,), otherwise=0.0)
    return float(bool(cell))


def truth_column(column: exp.Expression, feature: str, facts: Expressions) -> Term:
    """A column of truth values, as a condition."""
    test = column if facts.boolean else exp.NEQ(this=column, expression=literals.integer(0))
    return Term(sql=test, needs=frozenset({feature}), exact=True, bounded=True, finite=True)
