"""The models of one run, each loaded once: to look whether it can run, and then to score."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlscore.graph.cutting import cut_to
from sqlscore.predictor import NullPolicy, Predictor
from sqlscore.predictor.type_rules import EVERY, TypeRule
from sqlscore.prove.examples import hold
from sqlscore.session import runtime_version

if TYPE_CHECKING:
    from sqlscore.jobs.bound import BoundModel
    from sqlscore.jobs.job import Job
    from sqlscore.signature import Signature


class Loaded:
    """Loads the models of one job, whatever is planned or tried again meanwhile."""

    def __init__(self) -> None:
        self._predictors: dict[object, Predictor] = {}

    def predictor(self, model: BoundModel, job: Job) -> Predictor:
        """The loaded model; the same one for a version that is bound in the same way.

        Raises ModelError where it does not give its author's predictions here, ProviderError where
        the provider refuses it, and SignatureError for a policy that does not fit.
        """
        way = (str(model.version), model.version.sha256, model.binding.signature, model.provider)
        if way not in self._predictors:
            _hold(model, job)
            features = len(model.signature.features)
            runs = cut_to(model.graph, model.binding.signature, features, rowwise=model.rowwise)
            self._predictors[way] = _predictor(model, job, *runs)
        return self._predictors[way]


def _hold(model: BoundModel, job: Job) -> None:
    """Raise ModelError where a model does not give its author's predictions here."""
    if model.examples is not None:
        plain = dataclasses.replace(job, nulls={}, types={})
        hold(
            model.examples, str(model.version), model.version.sha256, provider=model.provider,
            runtime=runtime_version(),
            load=lambda: _predictor(model, plain, model.graph, model.signature),
        )  # fmt: skip


def _predictor(model: BoundModel, job: Job, graph: bytes, signature: Signature) -> Predictor:
    names = {feature.name for feature in signature.features}
    return Predictor(
        graph,
        signature,
        provider=model.provider,
        options=job.provider_options,
        rowwise=model.rowwise,
        nulls={name: NullPolicy.of(p) for name, p in job.nulls.items() if name in names},
        constants=model.constants,
        types={n: TypeRule.of(p) for n, p in job.types.items() if n == EVERY or n in names},
    )
