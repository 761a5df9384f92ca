"""The face of one model: load it, look at its signature, predict with it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore import graph as graphs
from sqlscore.binding import match_features
from sqlscore.frames import rows_of
from sqlscore.nulls import NullPolicy
from sqlscore.predictor import Predictor
from sqlscore.prove import prove, runnable, runtime_version
from sqlscore.session import Session
from sqlscore.tensor_feeds import run_tensors

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    import onnx

    from sqlscore.graph import Graph
    from sqlscore.prove import Proof
    from sqlscore.registry import Registry
    from sqlscore.signature import Signature
    from sqlscore.versions import Version

_AT_ONCE = 65_536  #: rows converted at a time, so that a large frame is not held twice


def load(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto,
    *,
    features: Sequence[str] | None = None,
    outputs: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
) -> Model:
    """Load an ONNX model from a path, its bytes, or a parsed model.

    `features` names the columns of a block that the graph does not name; `outputs` names
    predictions (``{"score": "probabilities[churned]"}``); `drop` leaves outputs out. Raises
    ModelError for what is no model, SignatureError for names that do not fit it.
    """
    graph = graphs.read(source)
    return Model(graph, graphs.signature_of(graph, features=features, outputs=outputs, drop=drop))


def stored(registry: Registry, version: Version | str) -> Model:
    """A model of a registry, by its version or as ``churn``, ``churn:3``, ``churn@production``.

    Its bytes are checked against its sha256. Raises RegistryError.
    """
    found = registry.get(version) if isinstance(version, str) else version
    graph = registry.graph(found)
    signature = graphs.signature_of(
        graph, features=found.features, outputs=found.outputs, drop=found.drop
    )
    return Model(graph, signature, name=found.name, version=found.version, proof=found.proof)


class Model:
    """One immutable model. May be used by several threads at once, and pickled."""

    def __init__(
        self,
        graph: Graph,
        signature: Signature,
        *,
        name: str | None = None,
        version: int | None = None,
        proof: Proof | None = None,
    ) -> None:
        """Made by `load` and by a registry; `name` and `version` are None without a registry."""
        self.graph = graph
        self.signature = signature
        self.name = name
        self.version = version
        self._proof = proof
        self._lock = threading.RLock()
        self._predictors: dict[object, Predictor] = {}
        self._sessions: dict[str, Session] = {}

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name}:{self.version}, "
        return (
            f"<Model {name}{len(self.signature.features)} features -> "
            f"{', '.join(p.name for p in self.signature.predictions[:4])}"
            f"{', …' if len(self.signature.predictions) > 4 else ''}, "
            f"sha256 {self.sha256[:12]}…>"
        )

    def __getstate__(self) -> dict[str, Any]:
        kept = ("graph", "signature", "name", "version")
        return {name: getattr(self, name) for name in kept} | {"proof": self._proof}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # what __init__ takes is what was kept

    @property
    def sha256(self) -> str:
        """Of the model's bytes, in hexadecimal."""
        return self.graph.sha256

    @property
    def proof(self) -> Proof:
        """How the model may run: proved when first needed, anew for another ONNX Runtime."""
        with self._lock:
            if self._proof is None or self._proof.onnxruntime != runtime_version():
                self._proof = prove(self.graph, self.signature)
            return self._proof

    def predictor(
        self,
        provider: str = "cpu",
        nulls: Mapping[str, NullPolicy | float | int | bool | str] | None = None,
        constants: Mapping[str, np.ndarray] | None = None,
    ) -> Predictor:
        """The loaded model for batches of features; the same one for the same arguments.

        Raises ProviderError where the provider is not there or refuses the model, SignatureError
        for a policy that does not fit its feature, or a constant that is missing.
        """
        policies = {name: NullPolicy.of(policy) for name, policy in (nulls or {}).items()}
        key = (provider, frozenset(policies.items()))
        with self._lock:
            if not constants and key in self._predictors:
                return self._predictors[key]
            made = Predictor(
                runnable(self.graph, self.proof),
                self.signature,
                provider=provider,
                rowwise=self.proof.rowwise,
                nulls=policies,
                constants=constants,
            )
            if not constants:
                self._predictors[key] = made
            return made

    def predict(
        self,
        rows: Any,
        *,
        provider: str = "cpu",
        nulls: Mapping[str, NullPolicy | float | int | bool | str] | None = None,
        constants: Mapping[str, np.ndarray] | None = None,
        map: Mapping[str, str] | None = None,
    ) -> Any:
        """The predictions for rows, one row for each, in the kind that the rows are.

        `rows` is a pandas DataFrame (its index is kept), a polars DataFrame, an Arrow table or
        record batch: features bind to columns by name, and columns that are no feature are left
        alone; unnamed features bind by position where there are exactly as many columns. `map`
        binds a feature to a column of another name. A NULL (in pandas NaN too) is NaN for a
        feature whose missing values the model handles, else the row's predictions are NULL;
        `nulls` says otherwise by feature: ``"error"``, ``"nan"``, ``"null"`` or a default value.
        `constants` gives the inputs without a batch dimension.

        Or `rows` is a dict of numpy arrays by *input* name: then the answer is a dict by *output*
        name, with shapes as the model gives them, and nothing is renamed, dropped or replaced.

        Raises SignatureError for rows that do not fit, ProviderError, ModelError.
        """
        if isinstance(rows, dict):
            return self._predict_tensors(rows, provider)
        given = rows_of(rows)
        columns = match_features(self.signature, given.names, map=map, positional=True)
        batch = given.chosen(columns, [feature.name for feature in self.signature.features])
        predictor = self.predictor(provider, nulls, constants)
        predicted = [
            predictor(batch.slice(start, _AT_ONCE)).batch
            for start in range(0, max(batch.num_rows, 1), _AT_ONCE)
        ]
        return given.back(pa.Table.from_batches(predicted))

    def _predict_tensors(self, feeds: Mapping[str, np.ndarray], provider: str) -> dict[str, Any]:
        with self._lock:
            if provider not in self._sessions:
                model = runnable(self.graph, self.proof)
                self._sessions[provider] = Session(model, provider=provider)
            session = self._sessions[provider]
        return run_tensors(
            session,
            feeds,
            self.signature,
            unused={value.name for value in self.graph.proto.graph.input},
            rowwise=self.proof.rowwise,
        )
