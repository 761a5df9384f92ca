"""A model read from where it lies, and validated once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from sqlscore.errors import ModelError
from sqlscore.graph.external_data import external_tensors, inline
from sqlscore.graph.graph import Graph
from sqlscore.graph.nodes import all_nodes
from sqlscore.graph.stored import LIMIT, serialized, too_large

#: the newest opset that is known of each of ONNX's own domains
_OWN_DOMAINS = {
    "": onnx.defs.onnx_opset_version(),
    "ai.onnx": onnx.defs.onnx_opset_version(),
    "ai.onnx.ml": onnx.defs.onnx_ml_opset_version(),
}
_KNOWN_DOMAINS = {*_OWN_DOMAINS, "com.microsoft"}


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
        given = serialized(model, name)
    _check(model, name)
    return Graph(stored=given, sha256=hashlib.sha256(given).hexdigest())


def _bytes_of(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto,
) -> tuple[bytes, Path | None, str]:
    """The source's bytes, the folder for its external data, and how to name it in messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None, "the model"
    if isinstance(source, onnx.ModelProto):
        return serialized(source, "the model"), None, "the model"
    if not isinstance(source, str | os.PathLike):
        raise ModelError(
            f"a model is a path, bytes or an onnx.ModelProto, not {type(source).__name__}"
        )
    path = Path(source)
    try:
        if path.stat().st_size > LIMIT:
            raise ModelError(too_large(str(path)))
        return path.read_bytes(), path.parent, str(path)
    except FileNotFoundError as error:
        raise ModelError(f"there is no model file {str(path)!r}") from error
    except OSError as error:
        raise ModelError(f"the model file {str(path)!r} cannot be read: {error}") from error


def _parse(given: bytes, name: str) -> onnx.ModelProto:
    if not given:
        raise ModelError(f"{name} is empty (0 bytes): the export or the copy failed")
    if len(given) > LIMIT:
        raise ModelError(too_large(name))
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
        raise ModelError(too_large(name)) from error
