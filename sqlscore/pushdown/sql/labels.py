"""Which class has the highest score, as its label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import above, both, case, expression, needs, operand
from sqlscore.pushdown.values.cells import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell


_SEVERAL = 2  #: features from which on a look at the score is cheaper


def label_of(label: int | float | str) -> exp.Expression:
    """A class label as a literal; one that a model keeps as a float is a whole number."""
    return literals.text(label) if isinstance(label, str) else literals.integer(int(label))


def beyond(cell: Cell, bound: float, more: int | str, less: int | str, facts: Expressions) -> Term:
    """One label where the score is more than `bound`, the other one else, also for NaN."""
    score = expression(cell, facts)
    test = above(score, bound, facts)
    if isinstance(cell, Term) and (cell.real or cell.exact):
        test = exp.GT(this=operand(score), expression=literals.number(bound, facts))
    return _label([(test, label_of(more))], less, [cell], facts)


def highest(cells: Sequence[Cell], labels: Sequence[int | str], facts: Expressions) -> Term:
    """The label of the first of the highest scores; of the first of all, where it is NaN."""
    values = [expression(cell, facts) for cell in cells]
    if len(values) == 2 and isinstance(values[0], exp.Neg) and values[0].this.unnest() is values[1]:
        return beyond(cells[1], 0.0, labels[1], labels[0], facts)
    branches = []
    for i in range(1, len(values)):
        # later ones must not be larger, earlier ones must be smaller
        tests: list[exp.Expression] = [
            exp.GT(this=operand(values[i]), expression=operand(values[j])) for j in range(i)
        ]
        tests += [
            exp.GTE(this=operand(values[i]), expression=operand(values[j]))
            for j in range(i + 1, len(values))
        ]
        branches.append((both(tests), label_of(labels[i])))
    if branches and facts.nan and not all(isinstance(c, Term) and c.real for c in cells):
        whole = case(*branches, otherwise=label_of(labels[0]))
        branches = [(_all_numbers(values, facts), whole)]
    return _label(branches, labels[0], cells, facts)


def _label(
    branches: list[tuple[exp.Expression, exp.Expression]],
    otherwise: int | str,
    cells: Sequence[Cell],
    facts: Expressions,
) -> Term:
    """A label by conditions, none of which holds for a score of NULL or NaN.

    Where NULL is not NaN, one score tells of a NULL in all features that each of them needs: that
    is one test in place of one a feature.
    """
    first, *others = cells
    needed = needs([first]) if facts.nan and isinstance(first, Term) else frozenset()
    if any(needs([other]) != needed for other in others) or len(needed) < _SEVERAL:
        needed = frozenset()
    if needed:
        null = exp.Is(this=operand(expression(first, facts)), expression=exp.Null())
        branches = [*branches, (null, exp.Null())]
    value = label_of(otherwise)
    sql = case(*branches, otherwise=value) if branches else value
    return Term(sql=sql, needs=needed, exact=True, bounded=True, finite=True)


def _all_numbers(values: Sequence[exp.Expression], facts: Expressions) -> exp.Expression:
    infinity = literals.number(float("inf"), facts)
    return both([exp.LTE(this=operand(v), expression=infinity.copy()) for v in values])
