"""A model's graph: read and validated once, immutable from then on, and what it wants and gives.

`read` makes a `Graph`; `rewrite` proposes bytes that run faster; `signature_of` says which columns
the graph takes and gives. Nothing here runs the model.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError, EncodeError

from sqlscore.errors import ModelError
from sqlscore.graph import rewriting
from sqlscore.graph.external_data import external_tensors, inline
from sqlscore.graph.features import features_of, inputs_of
from sqlscore.graph.nodes import all_nodes
from sqlscore.graph.predictions import outputs_of, predictions_of
from sqlscore.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT = 2**31 - 1  #: bytes: protobuf, and so ONNX, keeps no larger message

#: the newest opset that is known of each of ONNX's own domains
_OWN_DOMAINS = {
    "": onnx.defs.onnx_opset_version(),
    "ai.onnx": onnx.defs.onnx_opset_version(),
    "ai.onnx.ml": onnx.defs.onnx_ml_opset_version(),
}
_KNOWN_DOMAINS = {*_OWN_DOMAINS, "com.microsoft"}


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


def read(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Graph:
    """Read and validate a model from a path, its bytes, or a parsed model.

    External data that lies in the model's own folder becomes part of the bytes. Raises ModelError
    for what is no model, is empty, truncated, over 2 GB or newer than this onnx knows, for unknown
    operators, and for external data that lies anywhere else.
    """
    given, folder, name = _bytes_of(source)
    model = _parse(given, name)
    if external_tensors(model):
        if folder is None:
            raise ModelError(
                f"{name} has tensors in external files, and without the model's path there is "
                "no folder to find them in. Give the path of the model's file instead."
            )
        inline(model, folder, LIMIT)
        given = _serialized(model, name)
    _check(model, name)
    return Graph(stored=given, sha256=hashlib.sha256(given).hexdigest())


def rewrite(graph: Graph) -> bytes:
    """The graph's bytes in the form that is proposed to run; `graph.stored` where nothing changes.

    ZipMap is gone, so class scores are a tensor; a batch dimension fixed to 1 is free; outputs
    declare no wrong number of rows; unused inputs are gone. Whether it agrees with the original is
    for a proof to say: a batch freed may fail to run.
    """
    rewritten = rewriting.rewritten(graph.proto, batched=True)
    return graph.stored if rewritten is None else _serialized(rewritten, "the rewritten model")


def plain(graph: Graph) -> bytes:
    """The graph's bytes for calls with whole tensors: without ZipMap and unused inputs only.

    That changes no value, so it needs no proof.
    """
    rewritten = rewriting.rewritten(graph.proto, batched=False)
    return graph.stored if rewritten is None else _serialized(rewritten, "the rewritten model")


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


def _bytes_of(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto,
) -> tuple[bytes, Path | None, str]:
    """The source's bytes, the folder for its external data, and how to name it in messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None, "the model"
    if isinstance(source, onnx.ModelProto):
        return _serialized(source, "the model"), None, "the model"
    if not isinstance(source, str | os.PathLike):
        raise ModelError(
            f"a model is a path, bytes or an onnx.ModelProto, not {type(source).__name__}"
        )
    path = Path(source)
    try:
        if path.stat().st_size > LIMIT:
            raise ModelError(_too_large(str(path)))
        return path.read_bytes(), path.parent, str(path)
    except FileNotFoundError as error:
        raise ModelError(f"there is no model file {str(path)!r}") from error
    except OSError as error:
        raise ModelError(f"the model file {str(path)!r} cannot be read: {error}") from error


def _parse(given: bytes, name: str) -> onnx.ModelProto:
    if not given:
        raise ModelError(f"{name} is empty (0 bytes): the export or the copy failed")
    if len(given) > LIMIT:
        raise ModelError(_too_large(name))
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(given)
    except DecodeError as error:
        raise ModelError(
            f"{name} is not an ONNX model, or it is truncated: {len(given)} bytes that do not "
            "parse. Export or copy the file again."
        ) from error
    if not model.HasField("graph") or not model.ir_version:
        raise ModelError(f"{name} is not an ONNX model: it has no graph")
    return model


def _serialized(model: onnx.ModelProto, name: str) -> bytes:
    try:
        whole: bytes = model.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise ModelError(_too_large(name)) from error
    return whole


def _check(model: onnx.ModelProto, name: str) -> None:
    for opset in model.opset_import:
        newest = _OWN_DOMAINS.get(opset.domain, opset.version)
        if opset.version > newest:
            raise ModelError(
                f"{name} uses opset {opset.version} of {opset.domain or 'ai.onnx'}, and the onnx "
                f"installed here knows up to {newest}. Export it with target_opset={newest}, "
                "or upgrade: pip install -U onnx onnxruntime"
            )
    known = _KNOWN_DOMAINS | {function.domain for function in model.functions}
    foreign = sorted({f"{n.domain}.{n.op_type}" for n in all_nodes(model) if n.domain not in known})
    if foreign:
        raise ModelError(
            f"{name} has operators of unknown domains: {', '.join(foreign)}. Only operators of "
            "ai.onnx, ai.onnx.ml and com.microsoft run here; export the model without them."
        )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{name} is not a valid ONNX model: {why}") from error
    except ValueError as error:
        raise ModelError(_too_large(name)) from error


def _too_large(name: str) -> str:
    return (
        f"{name} is over 2 GB, which is the most that one ONNX model may be. "
        "Use a smaller or quantised model."
    )
