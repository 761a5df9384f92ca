"""Whether a run's models can be SQL in its database: everything that is in the way, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import DatabaseError
from sqlscore.jobs.null_values import policy_of
from sqlscore.jobs.pushed import facts_of, text_of
from sqlscore.plan import feeding
from sqlscore.predictor.nulls import NullRule
from sqlscore.predictor.type_rules import TypeRule
from sqlscore.products.expressions import expressions_for
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.binding import BoundFeature
    from sqlscore.graph import Graph
    from sqlscore.jobs.engines import Engines
    from sqlscore.jobs.job import Job
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.products.expressions import Expressions
    from sqlscore.products.product import Product


def refusals(
    prepared: Prepared, engines: Engines, product: Product, graphs: Sequence[Graph]
) -> tuple[str, ...]:
    """Why a run cannot be pushed down; nothing where it can. `product` is the target's."""
    if engines.source is not engines.target:
        return ("source and target are two databases",)
    try:
        expressions_for(product.dialect)
    except DatabaseError:
        return (f"no SQL is known to be right on {product.name}",)
    if product.fill is None:
        return (f"{product.name} is not known to write the rows of a query",)
    found = [*_of_job(prepared.job), *_of_columns(prepared)]
    facts = facts_of(prepared)
    for number, (model, graph) in enumerate(zip(prepared.models, graphs, strict=True)):
        if model.rowwise:
            found.append(f"{model.version} runs row by row: its rows depend on each other")
        found += map(str, text_of(prepared, number, graph, facts).refusals)
        for bound in model.binding.features:
            found += _of_feature(bound, prepared.job, facts)
    return tuple(dict.fromkeys(found))


def _of_job(job: Job) -> Iterator[str]:
    """What only the bridge does."""
    if job.quarantine:
        yield "quarantine= looks at rows one by one, which only the bridge does"
    if job.finite:
        yield "finite= looks at each prediction, which only the bridge does"
    if job.provider not in ("cpu", "auto"):
        yield f"the provider {job.provider} was asked for, and no provider runs SQL"
    for name, rule in job.types.items():
        if rule != TypeRule.SAFE:
            yield f"types= has {rule!r} for {name!r}, which only the bridge checks"


def _of_feature(bound: BoundFeature, job: Job, facts: Expressions) -> Iterator[str]:
    given, wanted = bound.column.type, bound.feature.type
    narrower = pa.types.is_integer(wanted) and not feeding.holds(wanted, given)
    if feeding.value(bound) is None or (narrower and given != wanted):
        yield feeding.unfed(bound)
    rule = policy_of(bound, job).rule
    if rule is NullRule.ERROR:
        yield f"nulls= has 'error' for {bound.feature.name!r}, which only the bridge checks"
    if rule is NullRule.NAN and not facts.nan and not bound.feature.missing:
        yield f"nulls= has 'nan' for {bound.feature.name!r}, and {facts.dialect} has no NaN"


def _of_columns(prepared: Prepared) -> Iterator[str]:
    """Columns of the target that would make other values of what is written."""
    wanted, there = prepared.wanted, {c.name: c for c in prepared.target.columns}
    sources = dict(
        zip(
            (column.name for column in (*wanted.key, *wanted.passed)),
            (*prepared.key, *prepared.passed),
            strict=True,
        )
    )
    for column in (*wanted.key, *wanted.passed, *wanted.predictions):
        given, takes = sources.get(column.name, column), there[column.name]
        same = (takes.declared or "?").casefold() == (given.declared or "").casefold()
        if not same and not _takes(takes.type, given.type, passed=column.name in sources):
            yield (
                f"the target's column {takes.name!r} is {takes.declared or takes.type}, and what "
                f"is written there is {given.declared or given.type}: only the bridge checks "
                "that each value fits"
            )


def _takes(takes: pa.DataType, given: pa.DataType, *, passed: bool) -> bool:
    """Whether a database that assigns values of one type to the other changes none of them."""
    if is_text(given):
        return is_text(takes)
    if passed and pa.types.is_floating(takes):
        return bool(takes == given)
    return feeding.holds(takes, given)
