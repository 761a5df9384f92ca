"""What a NULL in a feature becomes in a run whose models are SQL."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.plan import feeding
from sqlscore.predictor.nulls import NullPolicy, NullRule
from sqlscore.pushdown.sql import literals
from sqlscore.types import is_text

if TYPE_CHECKING:
    from sqlscore.binding import BoundFeature
    from sqlscore.jobs.bound import BoundModel
    from sqlscore.jobs.job import Job
    from sqlscore.products.expressions import Expressions
    from sqlscore.signature import Signature


def policy_of(bound: BoundFeature, job: Job) -> NullPolicy:
    """What a NULL in a feature becomes."""
    given = NullPolicy.of(job.nulls.get(bound.feature.name, NullPolicy.AUTO))
    return given.resolved(bound.feature)


def signature_of(model: BoundModel, job: Job) -> Signature:
    """The signature, whose features handle what is missing where the job wants it so."""
    signature = model.binding.signature
    features = tuple(
        dataclasses.replace(b.feature, missing=policy_of(b, job).rule is NullRule.NAN)
        for b in model.binding.features
    )
    return dataclasses.replace(signature, features=features)


def value_of(bound: BoundFeature, job: Job, facts: Expressions) -> exp.Expression:
    """A feature's value, with what stands for NULL; NULL where the column has no form."""
    value, policy = feeding.value(bound) or exp.Null(), policy_of(bound, job)
    if policy.rule is NullRule.DEFAULT:
        return exp.Coalesce(this=value, expressions=[_literal(policy, bound, facts)])
    if policy.rule is NullRule.NAN and facts.nan:
        nan = literals.number(float("nan"), facts)
        return exp.Coalesce(this=value, expressions=[nan])
    return value


def _literal(policy: NullPolicy, bound: BoundFeature, facts: Expressions) -> exp.Expression:
    if is_text(bound.feature.type):
        return literals.text(str(policy.value))
    if isinstance(policy.value, bool) and facts.boolean:
        return exp.Boolean(this=policy.value)
    if isinstance(policy.value, float):
        return literals.number(policy.value, facts)
    return literals.integer(int(policy.value or 0))
