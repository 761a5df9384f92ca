"""The face of one model: load it, look at its signature, predict with it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore import graph as graphs
from sqlscore.binding import match_features
from sqlscore.bridge import workers
from sqlscore.errors import SignatureError
from sqlscore.forking import after_fork
from sqlscore.graph.nodes import fixed_batch, used_inputs
from sqlscore.model.frames import rows_of
from sqlscore.model.tensor_feeds import run_each, run_tensors
from sqlscore.predictor import Predictor
from sqlscore.predictor.constants import constants_of, plain
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.type_rules import named_rules
from sqlscore.prove import prove, runnable, runtime_version
from sqlscore.prove.providers import automatic, measure
from sqlscore.session import AUTO, Session
from sqlscore.tensor_columns import with_tensor_columns

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import onnx

    from sqlscore.graph import Graph
    from sqlscore.prove import Proof
    from sqlscore.prove.providers import Measured
    from sqlscore.registry import Registry
    from sqlscore.registry.versions import Version
    from sqlscore.signature import Signature

_AT_ONCE = 65_536  #: rows that one thread scores at a time


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
        registry.graph(found),
        features=found.features,
        outputs=found.outputs,
        drop=found.drop,
        shapes=found.shapes,
        constants=found.constants,
        name=found.name,
        version=found.version,
        proof=found.proof,
    )


class Model:
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
        self.graph = graph
        #: what the caller named and dropped, as `load` and `Registry.add` take it
        self.options: dict[str, Any] = {
            "features": features, "outputs": outputs, "drop": drop, "shapes": shapes,
            "constants": plain(constants or {}) or None,
        }  # fmt: skip
        self._constants = dict(self.options["constants"] or {})
        self._signature = _signature(graph, self.options)
        self.name = name
        self.version = version
        self._proof = proof
        self._unload()
        after_fork(self, Model._unload)

    def _unload(self) -> object:
        """Have no session loaded; the sessions that were."""
        before = (getattr(self, "_predictors", None), getattr(self, "_sessions", None))
        self._lock = threading.RLock()
        self._auto: tuple[str, str] | None = None
        self._predictors: dict[object, Predictor] = {}
        self._sessions: dict[object, Session] = {}
        return before

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

    @property
    def signature(self) -> Signature:
        """The columns that the model takes and gives.

        Raises SignatureError where columns cannot feed it: then it takes tensors only.
        """
        if isinstance(self._signature, SignatureError):
            raise SignatureError(str(self._signature)) from self._signature
        return self._signature

    @property
    def sha256(self) -> str:
        """Of the model's bytes, in hexadecimal."""
        return self.graph.sha256

    @property
    def proof(self) -> Proof:
        """How the model may run: proved when first needed, anew for another ONNX Runtime."""
        with self._lock:
            if self._proof is None or self._proof.onnxruntime != runtime_version():
                self._proof = prove(self.graph, self.signature, constants=self._constants)
            return self._proof

    def provider(self, asked: str, options: Mapping[str, str] | None = None) -> tuple[str, str]:
        """The provider that is taken where `asked` is asked for, and why: ``auto`` takes one.

        It measures the others that are here, once, on drawn rows.
        """
        if asked != AUTO:
            return asked, "asked for"
        with self._lock:
            if self._auto is None or options:
                self._auto = automatic(self._measured, options or {}, threads=workers())
            return self._auto

    def _measured(self, provider: str) -> Measured:
        return measure(self.graph, self.signature, self.proof, provider, constants=self._constants)

    def predictor(
        self,
        provider: str = "cpu",
        nulls: Mapping[str, NullPolicy | float | int | bool | str] | None = None,
        constants: Mapping[str, Any] | None = None,
        signature: Signature | None = None,
        options: Mapping[str, str] | None = None,
        types: str | Mapping[str, str] | None = None,
    ) -> Predictor:
        """The loaded model for batches of features; the same one for the same arguments.

        `signature` is the one in which tensor columns feed blocks, where some do.

        Raises ProviderError where the provider is not there or refuses the model, SignatureError
        for a policy that does not fit its feature, or a constant that is missing.
        """
        policies = {name: NullPolicy.of(policy) for name, policy in (nulls or {}).items()}
        rules = named_rules(types)
        provider, _ = self.provider(provider, options)
        chosen = frozenset((options or {}).items())
        key = (provider, chosen, frozenset(policies.items()), frozenset(rules.items()), signature)
        with self._lock:
            if not constants and key in self._predictors:
                return self._predictors[key]
            made = Predictor(
                runnable(self.graph, self.proof),
                signature or self.signature,
                provider=provider,
                options=options,
                rowwise=self.proof.rowwise,
                nulls=policies,
                constants={**self._constants, **(constants or {})},
                types=rules,
            )
            if not constants:
                self._predictors[key] = made
            return made

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
        return given.back(pa.Table.from_batches(_predicted(predictor, batch)))

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

    def _session(
        self, provider: str, options: Mapping[str, str], *, batched: bool = False
    ) -> Session:
        provider, _ = self.provider(provider, options)
        key = (provider, frozenset(options.items()), batched)
        with self._lock:
            if key not in self._sessions:
                model = runnable(self.graph, self.proof) if batched else graphs.plain(self.graph)
                self._sessions[key] = Session(model, provider=provider, options=options)
            return self._sessions[key]


def _rows(given: Any) -> int | None:
    """How many rows a tensor has; None where it is no tensor with rows."""
    shape = np.shape(given) if given is not None else ()
    return shape[0] if shape else None


def _signature(graph: Graph, options: Mapping[str, Any]) -> Signature | SignatureError:
    """The columns, or why there are none; what a caller says of columns must be right at once."""
    try:
        of_columns = {name: value for name, value in options.items() if name != "constants"}
        signature = graphs.signature_of(graph, **of_columns)
        constants_of(signature, options["constants"] or {}, all=False)
    except SignatureError as error:
        if any(options.values()):
            raise
        return error
    return signature


def _made(stored: bytes, sha256: str, kept: Mapping[str, Any]) -> Model:
    """The model that was pickled: its sessions are loaded anew where they are needed."""
    return Model(graphs.Graph(stored=stored, sha256=sha256), **kept)


def _predicted(predictor: Predictor, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The predictions of a batch, in parts that threads score side by side."""

    def part(at: int) -> pa.RecordBatch:
        try:
            return predictor(batch.slice(at, _AT_ONCE)).batch
        except SignatureError as error:
            if not error.rows:
                raise
            told = SignatureError(f"{error} (row {at + error.rows[0]}, counted from 0)")
            told.rows = tuple(at + row for row in error.rows)
            raise told from error

    starts = range(0, max(batch.num_rows, 1), _AT_ONCE)
    if len(starts) == 1:
        return [part(0)]
    with ThreadPoolExecutor(min(len(starts), workers())) as pool:
        return list(pool.map(part, starts))
