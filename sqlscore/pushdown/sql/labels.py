"""Which class has the highest score, as its label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import above, both, case, expression, operand
from sqlscore.pushdown.values.cells import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell


def label_of(label: int | float | str) -> exp.Expression:
    """A class label as a literal; one that a model keeps as a float is a whole number."""
    return literals.text(label) if isinstance(label, str) else literals.integer(int(label))


def beyond(cell: Cell, bound: float, more: int | str, less: int | str, facts: Expressions) -> Term:
    """One label where the score is more than `bound`, the other one else, also for NaN."""
    score = expression(cell, facts)
    test = above(score, bound, facts)
    if isinstance(cell, Term) and (cell.real or cell.exact):
        test = exp.GT(this=operand(score), expression=literals.number(bound, facts))
    return Term(
        sql=case((test, label_of(more)), otherwise=label_of(less)),
        exact=True,
        bounded=True,
        finite=True,
    )


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
    if not branches:
        return Term(sql=label_of(labels[0]), exact=True, bounded=True, finite=True)
    whole = case(*branches, otherwise=label_of(labels[0]))
    if facts.nan and not all(isinstance(c, Term) and c.real for c in cells):
        number = _all_numbers(values, facts)
        whole = case((number, whole), otherwise=label_of(labels[0]))
    return Term(sql=whole, exact=True, bounded=True, finite=True)


def _all_numbers(values: Sequence[exp.Expression], facts: Expressions) -> exp.Expression:
    infinity = literals.number(float("inf"), facts)
    return both([exp.LTE(this=operand(v), expression=infinity.copy()) for v in values])
