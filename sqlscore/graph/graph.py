"""An immutable graph, what it wants and gives, and the forms of it that are proposed to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import onnx

from sqlscore.graph import rewriting
from sqlscore.graph.features import features_of, inputs_of
from sqlscore.graph.predictions import outputs_of, predictions_of
from sqlscore.graph.stored import serialized
from sqlscore.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An immutable ONNX model. Two graphs are equal when their bytes are."""

    stored: bytes = field(compare=False, repr=False)  #: external data inlined; what is kept
    sha256: str  #: of `stored`, in hexadecimal

    @cached_property
    def proto(self) -> onnx.ModelProto:
        """The parsed model; shared, so never change it."""
        model: onnx.ModelProto = onnx.ModelProto.FromString(self.stored)
        return model


def rewrite(graph: Graph) -> bytes:
    """The graph's bytes in the form that is proposed to run; `graph.stored` where nothing changes.

    ZipMap is gone, so class scores are a tensor; a batch dimension fixed to 1 is free; outputs
    declare no wrong number of rows; unused inputs are gone. Whether it agrees with the original is
    for a proof to say: a batch freed may fail to run.
    """
    rewritten = rewriting.rewritten(graph.proto, batched=True)
    return graph.stored if rewritten is None else serialized(rewritten, "the rewritten model")


def plain(graph: Graph) -> bytes:
    """The graph's bytes for calls with whole tensors: without ZipMap and unused inputs only.

    That changes no value, so it needs no proof.
    """
    rewritten = rewriting.rewritten(graph.proto, batched=False)
    return graph.stored if rewritten is None else serialized(rewritten, "the rewritten model")


def signature_of(
    graph: Graph,
    *,
    features: Sequence[str] | None = None,
    outputs: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Signature:
    """What the graph takes and gives, in columns; of the original and of its rewrite alike.

    Features are named by `features` (all of them in the order of the inputs, or those of the only
    block), else by the model's metadata ``feature_names`` (a JSON list), else by the input's name
    where an input is one column; else they are ``f0``, ``f1``, … and the signature is not `named`.

    Predictions are named by rule: ``[N]`` and ``[N, 1]`` by the output's name, class scores
    ``<output>_<label>``, anything wider is one list column. `outputs` maps a name to
    ``"output"``, ``"output[label]"`` or ``"output[1]"``: it renames that prediction, and all others
    stay by rule; a whole output of several columns becomes one list column. `drop` leaves out
    outputs or predictions, written the same way or by their names. `shapes` gives the size of a
    row's dimensions for inputs that leave some of them free.

    Raises SignatureError for names that the graph does not have, with the nearest ones.
    """
    model = graph.proto
    inputs, named_features, named = features_of(model, inputs_of(model, shapes or {}), features)
    wanted = {text.partition("[")[0] for text in (outputs or {}).values()}
    left_out = {value.name for value in model.graph.output} & set(drop) - wanted
    found = outputs_of(model, left_out)
    return Signature(
        inputs=inputs,
        features=named_features,
        outputs=found,
        predictions=predictions_of(
            found, outputs or {}, [name for name in drop if name not in left_out]
        ),
        named=named,
    )
