"""Small expressions, and how a cell becomes one that never raises.

A double stands for a float32 of the graph: past the largest float32 it means infinity. PostgreSQL
and MariaDB raise where a double overflows, PostgreSQL also where a product underflows; a feature's
value is therefore brought into float32's range before anything is computed with it.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.searches import searched
from sqlscore.pushdown.values.cells import Choice, Line, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.values.cells import Cell

TINY = 2.0**-150  #: the largest double that rounds to a float32 of zero


def expression(cell: Cell, facts: Expressions) -> exp.Expression:
    """The cell's value, with infinities, NaN and NULL where the graph has them."""
    if isinstance(cell, Term):
        return cell.sql
    if isinstance(cell, Line):
        return careful(cell, facts)
    if isinstance(cell, Choice):
        return looked_up(cell, facts)
    return constant(cell, facts)


def constant(value: float | int | bool | str, facts: Expressions) -> exp.Expression:
    """A value of the graph's own as a literal; a condition for a truth value."""
    if isinstance(value, str):
        return literals.text(value)
    if isinstance(value, bool):
        one = literals.integer(1)
        return exp.EQ(this=one, expression=literals.integer(int(value)))
    return literals.integer(value) if isinstance(value, int) else literals.number(value, facts)


def looked_up(choice: Choice, facts: Expressions) -> exp.Expression:
    """The value as one CASE; a simple one where every test is an equality of the same value.

    Truth values are a condition.
    """
    if isinstance(choice.otherwise, bool):
        return _as_condition(choice, facts)
    otherwise = constant(choice.otherwise, facts)
    if choice.grown is not None:
        return choice.grown([*(constant(value, facts) for value in choice.values), otherwise])
    pairs = [
        (test, constant(value, facts))
        for test, value in zip(choice.tests, choice.values, strict=True)
        if value != choice.otherwise
    ]
    if not pairs:
        return otherwise
    if all(isinstance(test, exp.EQ) and test.this is pairs[0][0].this for test, _ in pairs):
        keys = [(test.expression, value) for test, value in pairs]
        return searched(pairs[0][0].this, keys, otherwise, facts)
    return case(*pairs, otherwise=otherwise)


def _as_condition(choice: Choice, facts: Expressions) -> exp.Expression:
    """Whether the value that is looked up is true."""
    one = literals.integer(1)
    flags = choice.mapped(lambda values: values.astype(np.int64))
    if len({*flags.values, flags.otherwise}) == 1:
        return constant(bool(flags.otherwise), facts)
    return exp.EQ(this=looked_up(flags, facts), expression=one)


def lifted(cell: Cell, facts: Expressions) -> Cell:
    """The cell as an expression that others may share, if it is a line; else the cell itself."""
    if not isinstance(cell, Line):
        return cell
    return Term(sql=careful(cell, facts), needs=cell.needs, bounded=True)


def needs(cells: Iterable[Cell]) -> frozenset[str]:
    """The features of which a NULL makes an expression of all the cells NULL."""
    return frozenset().union(*(c.needs for c in cells if isinstance(c, Term | Line | Choice)))


def operand(value: exp.Expression) -> exp.Expression:
    """The expression as an operand: in parentheses where it is an operation itself."""
    if isinstance(value, exp.Binary | exp.Unary | exp.Between) and not isinstance(value, exp.Paren):
        return exp.Paren(this=value)
    return value


def truth(condition: exp.Expression, facts: Expressions) -> exp.Expression:
    """A condition as a value of the product's own, never NULL."""
    yes, no = (
        (exp.Boolean(this=flag) if facts.boolean else literals.integer(int(flag)))
        for flag in (True, False)
    )
    return case((condition, yes), otherwise=no)


def added(parts: Sequence[exp.Expression]) -> exp.Expression:
    """A sum from left to right."""
    return reduce(
        lambda total, part: exp.Add(
            this=total, expression=part if isinstance(part, exp.Mul) else operand(part)
        ),
        parts,
    )


def divided(value: exp.Expression, by: exp.Expression) -> exp.Expression:
    """A quotient of values that are no whole numbers."""
    return exp.Div(this=operand(value), expression=operand(by), typed=True)


def greatest(values: Sequence[exp.Expression], facts: Expressions) -> exp.Expression:
    """The largest of several numbers."""
    return _extreme(values, facts.extremes[0] if facts.extremes else None, exp.GT)


def least(values: Sequence[exp.Expression], facts: Expressions) -> exp.Expression:
    """The smallest of several numbers."""
    return _extreme(values, facts.extremes[1] if facts.extremes else None, exp.LT)


def _extreme(
    values: Sequence[exp.Expression], function: str | None, better: type[exp.GT] | type[exp.LT]
) -> exp.Expression:
    if len(values) == 1:
        return values[0]
    if function:
        return exp.Anonymous(this=function, expressions=list(values))

    def pick(best: exp.Expression, value: exp.Expression) -> exp.Expression:
        test: exp.Expression = better(this=operand(value), expression=operand(best))
        null = exp.Is(this=operand(value), expression=exp.Null())
        return case((either([test, null]), value), otherwise=best)

    return reduce(pick, values)


def times(value: exp.Expression, by: float, facts: Expressions) -> exp.Expression:
    """The expression times a number."""
    if by == 1.0:
        return value
    return exp.Mul(this=operand(value), expression=literals.number(by, facts))


def sloped(column: exp.Expression, by: float, facts: Expressions) -> exp.Expression:
    """A column times a number; itself as a double, where a CASE of it and doubles is neither."""
    if by == 1.0 and facts.variants:
        return exp.cast(column, exp.DataType.Type.DOUBLE)
    return times(column, by, facts)


def either(tests: Sequence[exp.Expression]) -> exp.Expression:
    """Whether one of the conditions holds."""
    return reduce(lambda whole, test: exp.Or(this=whole, expression=test), tests)


def both(tests: Sequence[exp.Expression]) -> exp.Expression:
    """Whether all of the conditions hold."""
    return reduce(lambda whole, test: exp.And(this=whole, expression=test), tests)


def unless(test: exp.Expression) -> exp.Expression:
    """Whether a condition does not hold: true also where it is NULL."""
    one, zero = literals.integer(1), literals.integer(0)
    return exp.EQ(this=case((test, zero), otherwise=one), expression=one)


def case(
    *branches: tuple[exp.Expression, exp.Expression], otherwise: exp.Expression
) -> exp.Expression:
    """``CASE WHEN test THEN value … ELSE otherwise END``."""
    ifs = [exp.If(this=test, true=value) for test, value in branches]
    return exp.Case(ifs=ifs, default=otherwise)


def within(value: exp.Expression, low: float, high: float, facts: Expressions) -> exp.Expression:
    """Whether a value is a number from `low` to `high`."""
    return exp.Between(
        this=operand(value), low=literals.number(low, facts), high=literals.number(high, facts)
    )


def above(value: exp.Expression, bound: float, facts: Expressions) -> exp.Expression:
    """Whether a value is more than `bound`, and not NaN."""
    more = exp.GT(this=operand(value), expression=literals.number(bound, facts))
    return both([more, is_number(value, facts)]) if facts.nan and not facts.unordered else more


def is_number(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """Whether a value is neither NaN nor NULL."""
    if facts.nan:
        infinity = literals.number(float("inf"), facts)
        return exp.LTE(this=operand(value), expression=infinity)
    return exp.Not(this=exp.Is(this=operand(value), expression=exp.Null()))


def is_missing(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """Whether a value is NaN or NULL; never NULL itself."""
    if not facts.nan:
        return exp.Is(this=operand(value), expression=exp.Null())
    one, zero = literals.integer(1), literals.integer(0)
    return exp.EQ(this=case((is_number(value, facts), zero), otherwise=one), expression=one)


def careful(line: Line, facts: Expressions) -> exp.Expression:
    """The line's value, by a comparison with each edge of float32's range."""
    if line.cut:
        raise Refused("it computes with a column that was cut to whole numbers")
    finite = line.finite
    column, domain = line.column, line.domain
    if domain.within(finite.low, finite.high) and (line.missing is None or not domain.null):
        value = _value(line, facts)
        if not domain.tiny:
            return value
        zero = literals.number(line.at(0.0), facts)
        return case((within(column, -TINY, TINY, facts), zero), otherwise=value)
    branches = [
        (within(column, -TINY, TINY, facts), literals.number(line.at(0.0), facts)),
        (within(column, finite.low, finite.high, facts), _value(line, facts)),
        (above(column, finite.high, facts), literals.number(finite.above, facts)),
        (
            exp.LT(this=column, expression=literals.number(finite.low, facts)),
            literals.number(finite.below, facts),
        ),
    ]
    if line.missing is None:
        return case(*branches, otherwise=sloped(column, 1.0, facts))
    return case(*branches, otherwise=literals.number(line.missing, facts))


def _value(line: Line, facts: Expressions) -> exp.Expression:
    value = sloped(line.column, line.slope, facts)
    return added([value, literals.number(line.offset, facts)]) if line.offset else value
