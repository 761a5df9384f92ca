"""The face of one model: load it, look at its signature, predict with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore import graph as graphs
from sqlscore.binding import match_features
from sqlscore.errors import SignatureError
from sqlscore.graph.nodes import fixed_batch, used_inputs
from sqlscore.model.frames import rows_of
from sqlscore.model.loaded import Loaded
from sqlscore.model.parallel import predicted
from sqlscore.model.tensor_feeds import run_each, run_tensors
from sqlscore.predictor.constants import constants_of
from sqlscore.tensor_columns import with_tensor_columns

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import onnx

    from sqlscore.graph import Graph
    from sqlscore.predictor.nulls import NullPolicy
    from sqlscore.prove import Proof
    from sqlscore.registry import Registry
    from sqlscore.registry.versions import Version


def load(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto,
    *,
    features: Sequence[str] | None = None,
    outputs: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, Any] | None = None,
) -> Model:
    """Load an ONNX model from a path, its bytes, or a parsed model.

    `features` names the columns of a block that the graph does not name; `outputs` names
    predictions (``{"score": "probabilities[churned]"}``); `drop` leaves outputs out. `shapes` gives
    the sizes of a row's dimensions where the graph leaves them free (``{"image": [3, 224, 224]}``);
    `constants` gives the inputs without a batch dimension (``{"threshold": 0.5}``). A model that
    no columns can feed (no input has a row a value, or one is a sequence) takes tensors only.
    Raises ModelError for what is no model, SignatureError for names that do not fit it.
    """
    return Model(
        graphs.read(source),
        features=features,
        outputs=outputs,
        drop=drop,
        shapes=shapes,
        constants=constants,
    )


def stored(registry: Registry, version: Version | str) -> Model:
    """A model of a registry, by its version or as ``churn``, ``churn:3``, ``churn@production``.

    Its bytes are checked against its sha256. Raises RegistryError.
    """
    found = registry.get(version) if isinstance(version, str) else version
    return Model(
        registry.graph(found), **found.options, name=found.name, version=found.version,
        proof=found.proof,
    )  # fmt: skip


class Model(Loaded):
    """One immutable model. May be used by several threads at once, after a fork, and pickled."""

    def __init__(
        self,
        graph: Graph,
        *,
        features: Sequence[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        shapes: Mapping[str, Sequence[int]] | None = None,
        constants: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: int | None = None,
        proof: Proof | None = None,
    ) -> None:
        """Made by `load` and by a registry; `name` and `version` are None without a registry."""
        options = {"features": features, "outputs": outputs, "drop": drop, "shapes": shapes}
        super().__init__(graph, options, constants or {}, proof)
        self.name = name
        self.version = version

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name}:{self.version}, "
        if isinstance(self._signature, SignatureError):
            return f"<Model {name}of tensors, sha256 {self.sha256[:12]}…>"
        return (
            f"<Model {name}{len(self.signature.features)} features -> "
            f"{', '.join(p.name for p in self.signature.predictions[:4])}"
            f"{', …' if len(self.signature.predictions) > 4 else ''}, "
            f"sha256 {self.sha256[:12]}…>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {**self.options, "name": self.name, "version": self.version, "proof": self._proof}
        return _made, (self.graph.stored, self.graph.sha256, kept)

    def predict(
        self,
        rows: Any,
        *,
        provider: str = "cpu",
        provider_options: Mapping[str, str] | None = None,
        nulls: Mapping[str, NullPolicy | float | int | bool | str] | None = None,
        types: str | Mapping[str, str] | None = None,
        constants: Mapping[str, Any] | None = None,
        map: Mapping[str, str] | None = None,
    ) -> Any:
        """The predictions for rows, one row for each, in the kind that the rows are.

        `rows` is a pandas DataFrame (its index is kept), a polars DataFrame, an Arrow table or
        record batch: features bind to columns by name, and columns that are no feature are left
        alone; unnamed features bind by position where there are exactly as many columns. `map`
        binds a feature to a column of another name. A NULL (in pandas NaN too) is NaN for a
        feature whose missing values the model handles, else the row's predictions are NULL;
        `nulls` says otherwise by feature: ``"error"``, ``"nan"``, ``"null"`` or a default value.
        `types` is a policy for all features, or feature -> policy, for numbers that the model's
        type does not hold: ``"safe"`` (the default) rounds floats and takes for an integer only
        what is one, ``"exact"`` takes nothing that would be rounded, ``"lossy"`` takes an integer's
        whole part or its limit. `constants` gives the inputs without a batch dimension, beside
        those given at `load`.

        Or `rows` is a dict of numpy arrays by *input* name, for one call of the graph as it is:
        then the answer is a dict by *output* name, with shapes as the model gives them, and
        nothing is renamed, dropped or replaced. A model that was made for one row takes more.

        Raises SignatureError for rows that do not fit, ProviderError, ModelError.
        """
        if isinstance(rows, dict):
            feeds = {**self._given(constants), **rows}
            return self._predict_tensors(feeds, provider, provider_options or {})
        given = rows_of(rows)
        signature = with_tensor_columns(self.signature, given.names, given.type, map=map)
        columns = match_features(signature, given.names, map=map, positional=True)
        batch = given.chosen(columns, [feature.name for feature in signature.features])
        other = None if signature is self.signature else signature
        predictor = self.predictor(provider, nulls, constants, other, provider_options, types)
        return given.back(pa.Table.from_batches(predicted(predictor, batch)))

    def _given(self, constants: Mapping[str, Any] | None) -> dict[str, Any]:
        given = {**self._constants, **(constants or {})}
        return constants_of(self.signature, given, all=False) if given else {}

    def _predict_tensors(
        self, feeds: Mapping[str, Any], provider: str, options: Mapping[str, str]
    ) -> dict[str, Any]:
        """One call of the graph; more rows than a graph made for one takes go as rows."""
        graph = self.graph.proto.graph
        unused = {value.name for value in graph.input} - {v.name for v in used_inputs(graph)}
        several = [v.name for v in fixed_batch(graph) if _rows(feeds.get(v.name)) not in (None, 1)]
        if not several:
            return run_tensors(self._session(provider, options), feeds, unused=unused)
        if self.proof.rowwise:
            return run_each(self._session(provider, options), feeds, several, unused=unused)
        return run_tensors(self._session(provider, options, batched=True), feeds, unused=unused)


def _rows(given: Any) -> int | None:
    """How many rows a tensor has; None where it is no tensor with rows."""
    shape = np.shape(given) if given is not None else ()
    return shape[0] if shape else None


def _made(stored: bytes, sha256: str, kept: Mapping[str, Any]) -> Model:
    """The model that was pickled: its sessions are loaded anew where they are needed."""
    return Model(graphs.Graph(stored=stored, sha256=sha256), **kept)
