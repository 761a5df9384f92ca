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
from sqlscore.plan import feeding
from sqlscore.plan.feeding import holds, named
from sqlscore.predict.asked import Cut, Largest
from sqlscore.predict.classes import longest_label
from sqlscore.products.expressions import Expressions, expressions_for
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.labels import label_of
from sqlscore.pushdown.text import Compilation, is_kept, written
from sqlscore.signature import InputKind
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.predict.asked import Output
    from sqlscore.products.product import Product
    from sqlscore.pushdown.text import Text
    from sqlscore.statements.ready import Ready


_MOST_TERMS = 200  #: of a sum that is computed twice
_CURVES = 2  #: classes, each with a score


def refusals(ready: Ready, product: Product) -> tuple[str, ...]:
    """Why a PREDICT cannot be a query of the database's own; nothing where it can."""
    try:
        expressions_for(product.dialect)
    except DatabaseError:
        return (f"no SQL is known to be right on {product.name}",)
    binding = ready.plan.binding
    if any(one.kind is InputKind.TENSOR for one in binding.signature.inputs):
        return ("a column that holds an array has no SQL form",)
    found = [str(one) for one in _written(ready, product).refusals]
    found += [feeding.unfed(b) for b in binding.features if feeding.value(b) is None]
    types = {p.name: p.type for p in binding.signature.predictions}
    for output in ready.plan.outputs:
        longest = longest_label(binding.signature, output.prediction)
        found += _unchecked(output, types[output.prediction], longest)
    kept = {column.name.casefold() for column in ready.plan.kept}
    twice = [o.name for o in ready.plan.outputs if o.name.casefold() in kept]
    found += [f"DATA has a column {name!r} too: give one of the two another name" for name in twice]
    return tuple(found)


def query(ready: Ready, product: Product, write: Callable[[exp.Expression], str]) -> str:
    """DATA's columns that are kept, and the predictions, as one query; there are no refusals.

    `write` gives the text of a tree in the database's own words.
    """
    facts = _facts(ready, product)
    plan = ready.plan
    kept = [column.name for column in plan.kept]
    fed = _feeding(ready)
    values = [
        exp.alias_(feeding.value(bound) or exp.Null(), fed[bound.feature.name], quoted=True)
        for bound in plan.binding.features
    ]
    rows = exp.select(*map(named, kept), *values).from_(_inside(ready.query.copy(), "rows"))
    rows = _above(rows, turned(ready, facts, fed))
    given = [
        exp.alias_(_typed(_value(o, _names(ready), facts), o, facts), o.name, quoted=True)
        for o in plan.outputs
    ]
    select = write(exp.select(*map(named, kept), *given))
    return f"{select} FROM ({_written(ready, product).over(write(rows))}) AS sqlscore_predicted"


def outline(ready: Ready, product: Product, write: Callable[[exp.Expression], str]) -> str | None:
    """NULLs of the predictions' types in their place; None where their types are not so sure."""
    facts = _facts(ready, product)
    types = [_words(output.type, facts) for output in ready.plan.outputs]
    if not facts.casts or not all(types):
        return None
    kept = [named(column.name) for column in ready.plan.kept]
    given = [
        exp.alias_(exp.cast(exp.Null(), words), output.name, quoted=True)
        for output, words in zip(ready.plan.outputs, types, strict=True)
        if words is not None
    ]
    return write(exp.select(*kept, *given).from_(_inside(ready.query.copy(), "rows")))


def is_compiled(ready: Ready, product: Product) -> bool:
    """Whether this process has compiled it before."""
    return is_kept(_compilation(ready, product))


def _written(ready: Ready, product: Product) -> Text:
    return written(_compilation(ready, product))


def _compilation(ready: Ready, product: Product) -> Compilation:
    """The model over the columns that are fed."""
    return Compilation(
        graph=ready.model.graph, signature=ready.plan.binding.signature,
        facts=_facts(ready, product), columns=_feeding(ready), names=_names(ready),
        passed=[column.name for column in ready.plan.kept], domains=ready.domains,
    )  # fmt: skip


def _facts(ready: Ready, product: Product) -> Expressions:
    return dataclasses.replace(expressions_for(product.dialect), folding=ready.folds)


def _names(ready: Ready) -> dict[str, str]:
    """Prediction -> the name that its column gets."""
    predictions = enumerate(ready.plan.binding.signature.predictions)
    return {p.name: f"sqlscore_p{n}" for n, p in predictions}


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
    whole = exp.select(*map(named, rows.named_selects)).from_(_inside(rows, "summed"))
    return whole.where(*tests, copy=False)


def turned(ready: Ready, facts: Expressions, columns: dict[str, str]) -> list[exp.Expression]:
    """The statement's conditions on scores, as tests of the sums that they are made of.

    None where the sum costs more than exp: it is computed a second time for the rows that stay.
    """
    size = size_of(ready.model.graph.proto)
    terms = size.weights + size.terms
    if not ready.sums or size.leaves or terms > _MOST_TERMS or size.calls > _CURVES:
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
        return _largest([named(names[name]) for name in rule.of])
    if isinstance(rule, Cut):
        score = named(names[rule.score])
        threshold = literals.number(rule.threshold, facts)
        above = exp.GT(this=literals.as_double(score), expression=threshold)
        return exp.Case(
            ifs=[
                exp.If(this=exp.Is(this=score.copy(), expression=exp.Null()), true=exp.Null()),
                exp.If(this=above, true=label_of(rule.above)),
            ],
            default=label_of(rule.below),
        )
    return named(names[output.prediction])


def _largest(values: list[exp.Column]) -> exp.Expression:
    """The largest of some values; NULL where they are, which they are together."""
    ifs = []
    for number, value in enumerate(values[:-1]):
        others = [exp.GTE(this=value.copy(), expression=o.copy()) for o in values[number + 1 :]]
        ifs.append(exp.If(this=exp.and_(*others), true=value.copy()))
    return exp.Case(ifs=ifs, default=values[-1]) if ifs else values[0]


def _inside(query: exp.Expression, what: str) -> exp.Subquery:
    alias = exp.TableAlias(this=exp.to_identifier(f"sqlscore_{what}", quoted=True))
    return exp.Subquery(this=query, alias=alias)


def _unchecked(output: Output, given: pa.DataType, longest: int | None) -> Iterator[str]:
    """What the WITH list asks for and SQL would not check; `longest` is known of a label."""
    if output.required:
        yield f"{output.name} is NOT NULL, which only the bridge checks"
    if output.length and (longest is None or longest > output.length):
        yield f"{output.name} has a length, which only the bridge checks: nvarchar(max) has none"
    if not holds(output.type, given):
        yield f"{output.name} is {output.type}, whose values only the bridge makes of {given}"


def _typed(value: exp.Expression, output: Output, facts: Expressions) -> exp.Expression:
    """A prediction in the type that is asked for, where the database has it as a type of values."""
    words = _words(output.type, facts)
    return value if words is None else exp.cast(value, words)


def _words(type_: pa.DataType, facts: Expressions) -> str | None:
    """What a prediction of a type is cast to; None: it stays as it is."""
    if pa.types.is_float64(type_):
        return "double"
    if pa.types.is_float32(type_) and facts.real:
        return "float"
    if not facts.casts:
        return None
    if is_text(type_):
        return "text"
    return _CASTS.get(type_)


#: what values are cast to where a query's columns have the types that it gives them
_CASTS = {pa.int64(): "bigint", pa.int32(): "int", pa.int16(): "smallint", pa.bool_(): "boolean"}
