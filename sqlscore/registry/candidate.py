"""A model that is to be kept: looked at, proved, and in the words of the owned tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore import graph as graphs
from sqlscore.predictor.constants import plain
from sqlscore.prove import prove
from sqlscore.registry.running import Running, running
from sqlscore.registry.versions import options_json, signature_json
from sqlscore.session import runtime_version

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import onnx

    from sqlscore.graph import Graph
    from sqlscore.prove import Proof
    from sqlscore.registry.versions import Version
    from sqlscore.signature import Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model with its options, which make a version of it."""

    graph: Graph
    signature: Signature
    options: str  #: as they are stored
    constants: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        source: str | os.PathLike[str] | bytes | onnx.ModelProto | Graph,
        *,
        features: Sequence[str] | None,
        outputs: Mapping[str, str] | None,
        drop: Sequence[str],
        shapes: Mapping[str, Sequence[int]] | None,
        constants: Mapping[str, Any] | None,
    ) -> Candidate:
        """Read a model. Raises ModelError, SignatureError."""
        graph = source if isinstance(source, graphs.Graph) else graphs.read(source)
        signature = graphs.signature_of(
            graph, features=features, outputs=outputs, drop=drop, shapes=shapes
        )
        given = plain(constants or {})
        return cls(
            graph=graph, signature=signature, constants=given,
            options=options_json(features, outputs, drop, shapes, given),
        )  # fmt: skip

    def among(self, versions: Sequence[Version]) -> Version | None:
        """The newest version with these bytes and options."""
        for version in reversed(versions):
            if version.sha256 == self.graph.sha256 and self.options == options_json(
                **version.options
            ):
                return version
        return None

    def proved(self, known: Proof | None) -> Proof:
        """What is known where it holds for this ONNX Runtime, else a proof that takes its time."""
        if known is not None and known.onnxruntime == runtime_version():
            return known
        return prove(self.graph, self.signature, constants=self.constants)

    def running(self, proof: Proof) -> Running | None:
        """How functions inside a database run it, where they can without the graph itself."""
        return running(self.graph, self.signature, proof, self.constants)

    def row(self, name: str, proof: Proof, running: Running | None) -> dict[str, Any]:
        """What the owned table ``models`` has of it, but for its number and times."""
        return {
            "name": name,
            "sha256": self.graph.sha256,
            "bytes": len(self.graph.stored),
            "options": self.options,
            "signature": signature_json(self.signature, running),
            "proof": proof.to_json(),
            "runs": running and running.sha256,
        }
