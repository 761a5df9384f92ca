"""What a version's row has so that a database's own process can run it by `session/numeric.py`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from onnx import ModelProto

from sqlscore.predictor.kernels import company_of
from sqlscore.predictor.nulls import NullRule, null_policies
from sqlscore.prove import runnable
from sqlscore.session.numeric import Numeric, NumericInput, NumericPrediction
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.graph import Graph
    from sqlscore.prove import Proof
    from sqlscore.signature import Input, Prediction, Signature

_MOST_BYTES = 64 * 2**20  #: of a graph; what imports take is nothing to the loading of a larger one
_NAME = 63  #: bytes of a column's name that every product takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A model of numbers, and its bytes as they run."""

    numeric: Numeric
    graph: bytes

    @property
    def sha256(self) -> str:
        """Of the bytes that run, in hexadecimal."""
        return hashlib.sha256(self.graph).hexdigest()


def running(
    graph: Graph, signature: Signature, proof: Proof, constants: Mapping[str, Any]
) -> Running | None:
    """How a model of numbers runs; None for another model, and for one that is too large."""
    if proof.rowwise or constants or not signature.named or len(graph.stored) > _MOST_BYTES:
        return None
    if not (all(map(_is_numeric, signature.inputs)) and _names_fit(signature.predictions)):
        return None
    places = {one.name: _places(signature, one) for one in signature.inputs}
    if any(len(places[one.name]) != _width(one) for one in signature.inputs):
        return None
    bytes_ = runnable(graph, proof)
    if not _is_fed(ModelProto.FromString(bytes_), set(places), signature):
        return None
    policies = null_policies(signature, {})
    elements = {one.name: one.element for one in signature.outputs}
    return Running(
        graph=bytes_,
        numeric=Numeric(
            company=company_of(bytes_),
            features=tuple(feature.name for feature in signature.features),
            missing=tuple(policies[f.name].rule is NullRule.NAN for f in signature.features),
            inputs=tuple(
                NumericInput(one.name, one.element, len(one.shape), places[one.name])
                for one in signature.inputs
            ),
            predictions=tuple(
                NumericPrediction(one.name, one.output, one.position, elements[one.output])
                for one in signature.predictions
            ),
        ),
    )


def _is_numeric(one: Input) -> bool:
    return one.element in {"float", "double"} and one.kind in {InputKind.COLUMN, InputKind.BLOCK}


def _names_fit(predictions: Sequence[Prediction]) -> bool:
    """Whether each is one value a row, and every product takes its name as it is."""
    names = [one.name for one in predictions]
    return (
        len({name.casefold() for name in names}) == len(names) < 800
        and all(name.isprintable() and 0 < len(name.encode()) <= _NAME for name in names)
        and all(name == name.strip() for name in names)
        and not any(isinstance(one.type, pa.ListType) for one in predictions)
    )


def _places(signature: Signature, one: Input) -> tuple[int, ...]:
    """The places of an input's features among all, side by side as the input takes them."""
    found = {f.position: i for i, f in enumerate(signature.features) if f.input == one.name}
    return tuple(found[position] for position in sorted(found))


def _width(one: Input) -> int | None:
    return one.shape[1] if one.kind is InputKind.BLOCK else 1


def _is_fed(model: ModelProto, inputs: set[str], signature: Signature) -> bool:
    """Whether the graph takes these inputs alone, and gives tensors."""
    stored = {one.name for one in model.graph.initializer}
    taken = {one.name for one in model.graph.input} - stored
    wanted = {one.output for one in signature.predictions}
    given = [one for one in model.graph.output if one.name in wanted]
    return taken == inputs and all(one.type.HasField("tensor_type") for one in given)
