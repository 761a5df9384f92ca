"""A graph with its signature, and the sessions of it that were loaded: each once, when needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlscore import graph as graphs
from sqlscore.bridge import workers
from sqlscore.errors import SignatureError
from sqlscore.forking import after_fork
from sqlscore.graph.cutting import cut_to
from sqlscore.predictor import Predictor
from sqlscore.predictor.constants import constants_of, plain
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.type_rules import named_rules
from sqlscore.prove import prove, runnable
from sqlscore.prove.providers import automatic, measure
from sqlscore.session import AUTO, Session, runtime_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.graph import Graph
    from sqlscore.prove import Proof
    from sqlscore.prove.providers import Measured
    from sqlscore.signature import Signature


class Loaded:
    """What runs of a model. May be used by several threads at once, and after a fork."""

    def __init__(
        self,
        graph: Graph,
        options: Mapping[str, Any],
        constants: Mapping[str, Any],
        proof: Proof | None,
    ) -> None:
        """`options` are what the caller says of columns, `features` to `shapes`."""
        self.graph = graph
        self._constants = plain(constants)
        #: what the caller named and dropped, as `load` and `Registry.add` take it
        self.options: dict[str, Any] = {**options, "constants": self._constants or None}
        self._signature = _signature(graph, self.options)
        self._proof = proof
        self._unload()
        after_fork(self, Loaded._unload)

    def _unload(self) -> object:
        """Have no session loaded; the sessions that were."""
        before = (getattr(self, "_predictors", None), getattr(self, "_sessions", None))
        self._lock = threading.RLock()
        self._auto: tuple[str, str] | None = None
        self._predictors: dict[object, Predictor] = {}
        self._sessions: dict[object, Session] = {}
        return before

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

        `signature` is the one in which tensor columns feed blocks, where some do, and without the
        features that are not read: the graph is cut to the others.

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
                *self.cut_to(signature or self.signature),
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

    def cut_to(self, signature: Signature) -> tuple[bytes, Signature]:
        """What runs for a signature, which may lack features."""
        whole, features = runnable(self.graph, self.proof), len(self.signature.features)
        return cut_to(whole, signature, features, rowwise=self.proof.rowwise)

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
