"""The models of a job: each version found, and bound to the source's columns and the target's."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import Binding, bind
from sqlscore.bridge import workers
from sqlscore.errors import ProviderError, SignatureError, nearest
from sqlscore.optimisations import Optimisation, optimisations
from sqlscore.predictor.constants import constant_inputs
from sqlscore.predictor.type_rules import EVERY, TypeRule
from sqlscore.products import product_for
from sqlscore.projection import projected
from sqlscore.prove import runnable
from sqlscore.prove.providers import automatic
from sqlscore.registry import Registry
from sqlscore.session import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from sqlscore.binding import BoundFeature
    from sqlscore.jobs.job import Job
    from sqlscore.products.product import Product
    from sqlscore.prove.examples import Examples
    from sqlscore.registry.versions import Version
    from sqlscore.relations.source import Source
    from sqlscore.signature import Signature
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundModel:
    """One version of a model, bound to the source's columns."""

    spec: str  #: as typed
    prefix: str  #: what its predictions' columns, and what is counted of it, begin with
    version: Version
    signature: Signature  #: of the version, before it was bound
    binding: Binding
    graph: bytes  #: what the session runs
    rowwise: bool
    examples: Examples | None  #: its author's rows, which it must still predict as they do
    provider: str  #: where it runs; never ``auto``
    taken: str | None  #: what was measured of that, or why it was taken; None on the CPU as asked
    constants: Mapping[str, Any] = field(default_factory=dict)  #: by input, those of the job first


def bound_models(
    job: Job,
    engine: sa.Engine,
    source: Source,
    product: Product,
    taken: Sequence[Column],
    versions: Sequence[str],
) -> tuple[BoundModel, ...]:
    """The job's models, in their order, with prediction columns that do not meet.

    `taken` are the columns that the target gets from the source; `versions` the exact versions
    that a resumed run began with.
    """
    registry = Registry(engine, product_for(engine))
    names = [column.name for column in taken]
    bound = []
    for spec, exact in zip(job.models, versions or job.models, strict=True):
        prefix = _prefix(spec, single=len(job.models) == 1)
        version, graph, examples = registry.loaded(exact)
        signature = version.signature_of(graph)
        mine = {feature.name for feature in signature.features}
        mine |= {one.name for one in signature.inputs}
        binding = bind(
            signature,
            source.columns,
            key=tuple(column.name for column in taken),
            taken=names,
            map=_map_of(job, mine, single=len(job.models) == 1),
            positional=source.chosen,
            identifier_limit=product.identifier_limit,
            column_limit=product.column_limit,
            arrays=product.arrays,
            nested=source.product.nested,
            prefix=prefix,
        )
        provider, told = _provider(job, registry, version)
        binding = _as_it_is(binding, job)
        if Optimisation.PROJECTION in optimisations(job.without):
            holds = not source.product.loose_types
            binding = projected(binding, _watched(binding, job), types_hold=holds)
        names += [prediction.column for prediction in binding.predictions]
        bound.append(
            BoundModel(
                spec=spec,
                prefix=prefix,
                version=version,
                signature=signature,
                binding=binding,
                graph=runnable(graph, version.proof),
                rowwise=version.proof.rowwise,
                provider=provider,
                taken=told,
                examples=examples,
                constants=_constants_of(job, version, signature),
            )
        )
    _check_named(job, bound)
    return tuple(bound)


def _provider(job: Job, registry: Registry, version: Version) -> tuple[str, str | None]:
    """The provider that a model runs on, and what is to be told of it.

    One that was never measured for the model is measured. Raises ProviderError where the one that
    was asked for is not here, or refuses the model.
    """
    if job.provider == AUTO:
        return automatic(
            lambda name: registry.measured(version, name), job.provider_options, threads=workers()
        )
    if job.provider == "cpu":
        return "cpu", None
    found = registry.measured(version, job.provider, job.provider_options)
    if found.refused is not None:  # it may take the model by now: a driver was put right
        found = registry.measured(version, job.provider, job.provider_options, anew=True)
    if found.refused is not None:
        raise ProviderError(f"model {version}: {found.refused}")
    return job.provider, str(found)


def _watched(binding: Binding, job: Job) -> set[str]:
    """The features of which the job wants something to be seen: NULLs, or rounded numbers."""
    features = [bound.feature.name for bound in binding.features]
    usual = job.types.get(EVERY, TypeRule.SAFE)
    judged = {f for f in features if job.types.get(f, usual) != TypeRule.SAFE}
    return judged | set(job.nulls)


def _as_it_is(binding: Binding, job: Job) -> Binding:
    """Integers are read as such where they must arrive exactly, to be looked at on the way."""
    usual = job.types.get(EVERY)
    rules = [job.types.get(bound.feature.name, usual) for bound in binding.features]
    features = [
        dataclasses.replace(bound, read=_exactly(bound)) if rule == TypeRule.EXACT else bound
        for bound, rule in zip(binding.features, rules, strict=True)
    ]
    return dataclasses.replace(binding, features=tuple(features))


def _exactly(bound: BoundFeature) -> pa.DataType:
    """The type to read a column in for a feature whose values must arrive as they are."""
    given, takes = bound.column.type, bound.feature.type
    if not pa.types.is_floating(takes) or bound.read != pa.float64():
        return bound.read
    if pa.types.is_decimal(given):
        raise SignatureError(
            f"the feature {bound.feature.name!r} has the policy 'exact', and the column "
            f"{bound.column.name!r} is {bound.column.declared or given}, which no floating-point "
            "number holds. Convert it in a SELECT as the source, or use the policy 'safe'"
        )
    if not pa.types.is_integer(given):
        return bound.read
    return pa.uint64() if pa.types.is_uint64(given) else pa.int64()


def _check_named(job: Job, models: Sequence[BoundModel]) -> None:
    """Every name in `map`, `nulls` and `constants` belongs to one of the models."""
    features = [name for model in models for name in model.binding.columns]
    typed = [name for name in job.types if name != EVERY]
    for option, names in (("map", job.map), ("nulls", job.nulls), ("types", typed)):
        for name in names:
            if name not in features:
                raise SignatureError(
                    f"{option}= names {name!r}, which is no feature of the model."
                    f"{nearest(name, features)} The model wants: {', '.join(map(repr, features))}"
                )
    constants = [n for model in models for n in constant_inputs(model.binding.signature)]
    for name in job.constants:
        if name not in constants:
            raise SignatureError(
                f"constants= names {name!r}, which is no input without a batch dimension."
                f"{nearest(name, constants)} There are: {', '.join(map(repr, constants)) or 'none'}"
            )


def _constants_of(job: Job, version: Version, signature: Signature) -> dict[str, Any]:
    """The values of the model's inputs that no column feeds."""
    mine = constant_inputs(signature)
    return {**version.constants, **{n: v for n, v in job.constants.items() if n in mine}}


def _map_of(job: Job, features: set[str], *, single: bool) -> Mapping[str, str]:
    """The part of `map` that names a model's features; of one model, all of it, typos included."""
    return {f: c for f, c in job.map.items() if single or f in features}


def _prefix(spec: str, *, single: bool) -> str:
    """What tells the predictions of one model from another's, if there are others: ``churn_3_``."""
    return "" if single else "".join(c if c.isalnum() else "_" for c in spec) + "_"
