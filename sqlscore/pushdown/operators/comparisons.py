"""Comparisons, and what is chosen by them; exact where the values are, else as labels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import (
    above,
    both,
    case,
    constant,
    either,
    expression,
    is_missing,
    is_number,
    operand,
    unless,
)
from sqlscore.pushdown.sql.decisions import ORDERS, decided
from sqlscore.pushdown.sql.stairs import COMPARE, against, bounds, merged, ranged
from sqlscore.pushdown.sql.texts import same_text
from sqlscore.pushdown.values.cells import Choice, Line, Term, comparable
from sqlscore.pushdown.values.cuts import last_above, last_not_above
from sqlscore.pushdown.values.spans import excludes, span_of
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def between(line: Line, low: float, high: float, facts: Expressions) -> exp.Expression:
    """Whether the graph's value of a line is from `low` to `high`; not where it is NaN or NULL."""
    move = last_not_above if line.slope > 0 else last_above
    with np.errstate(over="ignore"):
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


_MIRRORED = {"Less": "Greater", "LessOrEqual": "GreaterOrEqual", "Equal": "Equal"}
_MIRRORED |= {b: a for a, b in _MIRRORED.items()}
_TESTS: dict[str, type[exp.Binary]] = {**ORDERS, "Equal": exp.EQ}


def compared(node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """Less, Greater, Equal, …: of two tensors, or of one and constants."""
    if (a.is_cut and not b.is_constant) or (b.is_cut and not a.is_constant):
        raise Refused("it compares a computed number that was cut to a whole one")
    left, right = np.broadcast_arrays(a.cells, b.cells)
    pairs = zip(left.ravel(), right.ravel(), strict=True)
    cells = [compare(node.operator, one, other, facts) for one, other in pairs]
    return Tensor.of(cells, "bool", left.shape)


def compare(name: str, a: Cell, b: Cell, facts: Expressions) -> Cell:
    """A comparison by ONNX's name of it."""
    a, b = comparable(a), comparable(b)
    if not isinstance(a, Term | Line | Choice) and isinstance(b, Term | Line | Choice):
        return compare(_MIRRORED[name], b, a, facts)
    plain = _plain(b)
    if plain is not None:
        found = _with_constant(name, a, plain, facts)
        return _of_values(name, a, plain, facts) if found is None else found
    found = _with_choice(name, a, b, facts) if isinstance(b, Choice) else None
    return _of_values(name, a, b, facts) if found is None else found


def _of_values(name: str, a: Cell, b: Cell, facts: Expressions) -> Cell:
    """The comparison of two expressions; exact where both are, else as of labels."""
    moving = [cell for cell in (a, b) if isinstance(cell, Term | Line | Choice)]
    if not all(isinstance(cell, Term) and cell.exact for cell in moving):
        return decided(name, a, b, facts)
    one, other = expression(a, facts), expression(b, facts)
    if isinstance(b, str) and name == "Equal":
        (test,) = same_text(one, [b], facts)
    else:
        test = _TESTS[name](this=operand(one), expression=operand(other))  # type: ignore[assignment]
    return Term(sql=test, exact=True, bounded=True, finite=True)


def _with_choice(name: str, a: Cell, b: Choice, facts: Expressions) -> Cell | None:
    """The comparison with what is looked up, where it is another lookup, or one a value."""
    if isinstance(a, Choice) and a.key == b.key:
        return a.joined(b, COMPARE[name])
    if isinstance(a, Choice):
        return merged([a, b], COMPARE[name], facts)
    found = against(name, a, b, facts) if isinstance(a, Line) else None
    if found is None and b.grown is None:
        return _by_piece(name, a, b, facts)
    return found


def _with_constant(name: str, a: Cell, b: float | str, facts: Expressions) -> Cell | None:
    """The comparison with a constant, where it needs no value to be computed."""
    if isinstance(a, Choice):
        return a.mapped(lambda values: COMPARE[name](values, b))
    if isinstance(b, float) and np.isnan(b):
        return False
    if isinstance(a, Line):
        return _of_line(name, a, float(b), facts)
    if isinstance(a, Term):
        return None if a.exact or isinstance(b, str) else _known(name, a, float(b))
    return bool(COMPARE[name](a, b))


def _known(name: str, a: Term, b: float) -> bool | None:
    """The answer, where the bounds of a computed value leave no doubt."""
    if not excludes(a.span, b):
        return None
    answer = bool(COMPARE[name](a.span[0], b))
    return None if answer and not a.finite else answer  # NaN would not be


def _of_line(name: str, line: Line, bound: float, facts: Expressions) -> Term:
    if not line.slope or (line.cut and line.whole and name != "Equal"):
        raise Refused("it compares a column times zero, or without its fraction")
    low, high = (float(end[0]) for end in bounds(name, np.array([bound]), line.dtype))
    test = between(line, low, high, facts)
    if line.missing is not None and COMPARE[name](line.missing, bound):
        test = either([test, is_missing(line.column, facts)])
    choice = ranged(line, low, high, facts)
    return Term(sql=test, exact=True, bounded=True, finite=True, choice=choice)


def _by_piece(name: str, a: Cell, choice: Choice, facts: Expressions) -> Cell:
    """A comparison with what is looked up: with each of its values where that is the one."""
    found: list[exp.Expression] = []
    exact = True
    none: exp.Expression = unless(either(choice.tests)) if choice.tests else constant(True, facts)
    pairs = [*zip(choice.tests, choice.values, strict=True), (none, choice.otherwise)]
    for test, value in pairs:
        answer = compare(name, a, value, facts)
        if isinstance(answer, Term):
            exact = exact and answer.exact
            found.append(exp.Paren(this=both([operand(test), operand(answer.sql)])))
        elif answer:
            found.append(operand(test))
    if not found:
        return False
    return Term(sql=either(found), exact=exact, bounded=True, finite=True)


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
    if yes is no:
        return yes
    if not isinstance(test, Term | Choice):
        return yes if test else no
    known = merged([test, yes, no], np.where, facts)
    if known is not None:
        return known
    one, other = _plain(yes), _plain(no)
    if isinstance(one, float | int) and isinstance(other, float | int):
        return _one_of(test, one, other, facts)
    sql = case((expression(test, facts), expression(yes, facts)), otherwise=expression(no, facts))
    sides = [c for c in (yes, no) if isinstance(c, Term | Line | Choice)]
    exact = all((isinstance(c, Term) and c.exact) or isinstance(c, Choice) for c in sides)
    sure = isinstance(test, Choice) or test.exact
    low, high = zip(*(span_of(cell) for cell in (yes, no)), strict=True)
    return Term(sql=sql, exact=exact and sure, bounded=not sides, span=(min(low), max(high)))


def _one_of(test: Term | Choice, yes: float | int, no: float | int, facts: Expressions) -> Cell:
    """One of two numbers; where rounding decides which, no tree may go by it."""
    if isinstance(test, Choice):
        return test.mapped(lambda flags: np.where(flags, yes, no))
    if test.exact:
        return Choice(feature="", tests=(test.sql,), values=(yes,), otherwise=no)
    one, other = (constant(value, facts) for value in (yes, no))
    sql = case((test.sql, one), otherwise=other)
    low, high = sorted((float(yes), float(no)))
    return Term(sql=sql, exact=True, bounded=True, finite=True, span=(low, high))


def _plain(cell: Cell) -> float | int | str | None:
    """The value that a cell is in every row, if it is one."""
    if isinstance(cell, Choice) and cell.is_constant:
        return cell.otherwise
    return None if isinstance(cell, Term | Line | Choice) else cell


def binarizer(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Binarizer: 1 where the value is more than the threshold, else 0."""
    bound = float(np.float32(node.float("threshold", 0.0)))
    cells = [numbered(compare("Greater", cell, bound, facts), facts) for cell in x.row]
    return Tensor.of(cells, "float", x.cells.shape)


def numbered(cell: Cell, facts: Expressions) -> Cell:
    """A truth value as 1 or 0; a comparison of a column as a choice, which folds into weights."""
    return chosen(cell, 1.0, 0.0, facts)


def truth_column(column: exp.Expression, feature: str, facts: Expressions) -> Term:
    """A column of truth values, as a condition."""
    test = column if facts.boolean else exp.NEQ(this=column, expression=literals.integer(0))
    return Term(sql=test, needs=frozenset({feature}), exact=True, bounded=True, finite=True)
