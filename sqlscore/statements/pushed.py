"""PREDICT as a query of the database's own: its model compiled to SQL over DATA."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore import pushdown
from sqlscore.errors import DatabaseError
from sqlscore.graph.size import size_of
from sqlscore.predict.asked import Cut, Largest
from sqlscore.predict.classes import longest_label
from sqlscore.products.expressions import Expressions, expressions_for
from sqlscore.pushdown import literals
from sqlscore.pushdown.labels import label_of
from sqlscore.signature import InputKind
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.binding import BoundFeature
    from sqlscore.predict.asked import Output
    from sqlscore.products.product import Product
    from sqlscore.statements.ready import Ready


_MOST_TERMS = 200  #: of a sum that is computed twice
_CURVES = 2  #: classes, each with a score


def refusals(ready: Ready, product: Product) -> tuple[str, ...]:
    """Why a PREDICT cannot be a query of the database's own; nothing where it can."""
    try:
        facts = expressions_for(product.dialect)
    except DatabaseError:
        return (f"no SQL is known to be right on {product.name}",)
    binding = ready.plan.binding
    if any(one.kind is InputKind.TENSOR for one in binding.signature.inputs):
        return ("a column that holds an array has no SQL form",)
    found = [str(one) for one in pushdown.missing(ready.model.graph, binding.signature, facts)]
    found += [_unfed(bound) for bound in binding.features if _fed(bound) is None]
    types = {p.name: p.type for p in binding.signature.predictions}
    for output in ready.plan.outputs:
        longest = longest_label(binding.signature, output.prediction)
        found += _unchecked(output, types[output.prediction], longest)
    kept = {column.name.casefold() for column in ready.plan.kept}
    twice = [o.name for o in ready.plan.outputs if o.name.casefold() in kept]
    found += [f"DATA has a column {name!r} too: give one of the two another name" for name in twice]
    return tuple(found)


def query(ready: Ready, product: Product) -> exp.Select:
    """DATA's columns that are kept, and the predictions, as one query; there are no refusals."""
    facts = dataclasses.replace(expressions_for(product.dialect), folding=ready.folds)
    plan = ready.plan
    kept = [column.name for column in plan.kept]
    fed = _feeding(ready)
    values = [
        exp.alias_(_fed(bound) or exp.Null(), fed[bound.feature.name], quoted=True)
        for bound in plan.binding.features
    ]
    rows = exp.select(*map(_named, kept), *values).from_(_inside(ready.query.copy(), "rows"))
    signature = plan.binding.signature
    names = {p.name: f"sqlscore_p{n}" for n, p in enumerate(signature.predictions)}
    rows = _above(rows, turned(ready, facts, fed))
    compiled = pushdown.select(
        ready.model.graph, signature, facts, relation=_inside(rows, "fed"), columns=fed,
        names=names, passed=kept, domains=ready.domains,
    )  # fmt: skip
    given = [
        exp.alias_(_typed(_value(o, names, facts), o, facts), o.name, quoted=True)
        for o in plan.outputs
    ]
    return exp.select(*map(_named, kept), *given).from_(_inside(compiled, "predicted"))


def _feeding(ready: Ready) -> dict[str, str]:
    """Feature -> the name that its column gets."""
    features = enumerate(ready.plan.binding.features)
    return {bound.feature.name: f"sqlscore_f{n}" for n, bound in features}


def told(ready: Ready, product: Product) -> tuple[str, ...]:
    """What is done about the statement's conditions on scores, in words; there are no refusals."""
    if not turned(ready, expressions_for(product.dialect), _feeding(ready)):
        return ()
    parts = []
    for name, (low, high) in ready.sums.items():
        parts += [f"the sum of {name} is more than {low:.6g}"] * math.isfinite(low)
        parts += [f"the sum of {name} is less than {high:.6g}"] * math.isfinite(high)
    return (f"thresholds: rows go on only where {' and '.join(parts)}",)


def _above(rows: exp.Select, tests: list[exp.Expression]) -> exp.Select:
    """The rows that may satisfy the statement's conditions on scores."""
    if not tests:
        return rows
    whole = exp.select(*map(_named, rows.named_selects)).from_(_inside(rows, "summed"))
    return whole.where(*tests, copy=False)


def turned(ready: Ready, facts: Expressions, columns: dict[str, str]) -> list[exp.Expression]:
    """The statement's conditions on scores, as tests of the sums that they are made of.

    None where the sum costs more than exp: it is computed a second time for the rows that stay.
    """
    size = size_of(ready.model.graph.proto)
    if not ready.sums or size.leaves or not size.terms <= _MOST_TERMS or size.calls > _CURVES:
        return []
    signature = ready.plan.binding.signature
    found = pushdown.sums(ready.model.graph, signature, facts, columns, ready.domains)
    tests: list[exp.Expression] = []
    for output in ready.plan.outputs:
        low, high = ready.sums.get(output.name, (-math.inf, math.inf))
        value = found.get(output.prediction) if output.rule is None else None
        if value is None or not pa.types.is_floating(output.type):
            continue
        for bound, test in ((low, exp.GT), (high, exp.LT)):
            if math.isfinite(bound):
                number = literals.number(bound, facts)
                tests.append(test(this=exp.Paren(this=value.copy()), expression=number))
    return tests


def _value(output: Output, names: dict[str, str], facts: Expressions) -> exp.Expression:
    """What fills a column: a prediction, or what its rule makes of some."""
    rule = output.rule
    if isinstance(rule, Largest):
        return _largest([_named(names[name]) for name in rule.of])
    if isinstance(rule, Cut):
        score = _named(names[rule.score])
        threshold = literals.number(rule.threshold, facts)
        above = exp.GT(this=literals.as_double(score), expression=threshold)
        return exp.Case(
            ifs=[
                exp.If(this=exp.Is(this=score.copy(), expression=exp.Null()), true=exp.Null()),
                exp.If(this=above, true=label_of(rule.above)),
            ],
            default=label_of(rule.below),
        )
    return _named(names[output.prediction])


def _largest(values: list[exp.Column]) -> exp.Expression:
    """The largest of some values; NULL where they are, which they are together."""
    ifs = []
    for number, value in enumerate(values[:-1]):
        others = [exp.GTE(this=value.copy(), expression=o.copy()) for o in values[number + 1 :]]
        ifs.append(exp.If(this=exp.and_(*others), true=value.copy()))
    return exp.Case(ifs=ifs, default=values[-1]) if ifs else values[0]


def _named(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _inside(query: exp.Expression, what: str) -> exp.Subquery:
    alias = exp.TableAlias(this=exp.to_identifier(f"sqlscore_{what}", quoted=True))
    return exp.Subquery(this=query, alias=alias)


def _fed(bound: BoundFeature) -> exp.Expression | None:
    """A column as its feature's expression takes it: numbers as doubles; None: it has no form."""
    column, given, wanted = _named(bound.column.name), bound.column.type, bound.feature.type
    if is_text(wanted):
        return column if is_text(given) else None
    if not pa.types.is_floating(wanted):
        return column if given == wanted or (_whole(given) and _whole(wanted)) else None
    if pa.types.is_float64(given):
        return column
    if pa.types.is_boolean(given):
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        return exp.Case(
            ifs=[exp.If(this=column, true=one), exp.If(this=exp.not_(column.copy()), true=zero)]
        )
    if _whole(given) or pa.types.is_floating(given) or pa.types.is_decimal(given):
        return exp.cast(column, "double")
    return None


def _whole(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_))


def _unfed(bound: BoundFeature) -> str:
    return f"the column {bound.column.name!r} ({bound.cast}) has no SQL form as a feature"


def _unchecked(output: Output, given: pa.DataType, longest: int | None) -> Iterator[str]:
    """What the WITH list asks for and SQL would not check; `longest` is known of a label."""
    if output.required:
        yield f"{output.name} is NOT NULL, which only the bridge checks"
    if output.length and (longest is None or longest > output.length):
        yield f"{output.name} has a length, which only the bridge checks: nvarchar(max) has none"
    if not _holds(output.type, given):
        yield f"{output.name} is {output.type}, whose values only the bridge makes of {given}"


def _holds(asked: pa.DataType, given: pa.DataType) -> bool:
    """Whether a type takes every value of another as it is, but for its last bits."""
    if asked == given or (is_text(asked) and is_text(given)):
        return True
    if pa.types.is_floating(asked):
        return pa.types.is_floating(given) or _whole(given)
    signed = pa.types.is_signed_integer(asked)
    return _whole(given) and signed and asked.bit_width >= given.bit_width


def _typed(value: exp.Expression, output: Output, facts: Expressions) -> exp.Expression:
    """A prediction in the type that is asked for, where the database has it as a type of values."""
    if pa.types.is_float64(output.type):
        return exp.cast(value, "double")
    if pa.types.is_float32(output.type) and facts.real:
        return exp.cast(value, "float")
    return value
