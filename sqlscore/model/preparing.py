"""A model made ready for code that has ONNX Runtime and not this package: its graph, and all facts.

The rewritten graph takes the place of the original where that was proved, so what runs it needs to
know neither ZipMap nor batches of one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
import pyarrow as pa

from sqlscore.elements import DTYPES
from sqlscore.errors import SignatureError
from sqlscore.predictor.constants import constants_of
from sqlscore.prove import runnable
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from sqlscore.model import Model
    from sqlscore.signature import Feature, Input, Prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """One version of a model, ready to run."""

    name: str
    version: int
    graph: bytes  #: as it runs
    features: tuple[tuple[str, str], ...]  #: name and kind: ``number``, ``integer`` or ``text``
    predictions: tuple[tuple[str, str, bool], ...]  #: name, kind (also ``list``), in 4 bytes
    signature: str  #: JSON: how features become tensors, and outputs predictions


def prepared(model: Model) -> Prepared:
    """The model, ready to run. SignatureError for one that plain columns cannot feed."""
    signature, options = model.signature, model.options
    if not signature.named:
        raise SignatureError("its features have no names. Give them once, features=[…] at add")
    tensors = [one.name for one in signature.inputs if one.kind is InputKind.TENSOR]
    if tensors:
        raise SignatureError(f"its inputs {', '.join(tensors)} take a tensor a row")
    graph = runnable(model.graph, model.proof)
    given = constants_of(signature, options["constants"] or {})
    known = {one.name for one in signature.inputs}
    loaded = onnx.load_model_from_string(graph).graph
    stored = {one.name for one in loaded.initializer}
    others = [one.name for one in loaded.input if one.name not in known | stored]
    if others:
        raise SignatureError(f"no column feeds its inputs {', '.join(others)}")
    inputs = {one.name: one for one in signature.inputs}
    assert model.name is not None
    assert model.version is not None
    return Prepared(
        name=model.name,
        version=model.version,
        graph=graph,
        features=tuple((f.name, _kind(f.type)) for f in signature.features),
        predictions=tuple(
            (p.name, _kind(p.type), p.type == pa.float32()) for p in signature.predictions
        ),
        signature=json.dumps({
            "sha256": model.sha256,
            "rowwise": model.proof.rowwise,
            "features": [_feature(f, inputs[f.input]) for f in signature.features],
            "inputs": [
                {"name": one.name, "rank": len(one.shape)}
                for one in signature.inputs if one.name not in given
            ],
            "constants": [
                {"name": name, "dtype": str(value.dtype), "value": value.tolist()}
                for name, value in given.items()
            ],
            "outputs": [
                {"name": name} for name in dict.fromkeys(p.output for p in signature.predictions)
            ],
            "predictions": [_prediction(p) for p in signature.predictions],
        }, ensure_ascii=False),
    )  # fmt: skip


def _feature(feature: Feature, one: Input) -> dict[str, Any]:
    return {
        "name": feature.name, "kind": _kind(feature.type), "dtype": str(DTYPES[one.element]),
        "input": feature.input, "missing": feature.missing,
    }  # fmt: skip


def _prediction(one: Prediction) -> dict[str, Any]:
    place = one.position or 0
    return {"name": one.name, "kind": _kind(one.type), "output": one.output, "position": place}


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return "list"
    if pa.types.is_string(type_):
        return "text"
    whole = pa.types.is_integer(type_) or pa.types.is_boolean(type_)
    return "integer" if whole else "number"
