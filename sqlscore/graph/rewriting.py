"""Rewrites that are proposed for a graph, so that it runs in batches and gives tensors.

None of them is trusted: a proof runs the rewritten graph beside the original before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sqlscore.graph.nodes import attributes, constants, dimensions, fixed_batch, used_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import GraphProto, NodeProto, ValueInfoProto

BATCH = "N"  #: the name that a freed batch dimension gets


def rewritten(model: ModelProto, *, batched: bool) -> ModelProto | None:
    """A rewritten copy of the model; None where there is nothing to rewrite.

    `batched` frees batch dimensions too.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    steps: list[Callable[[GraphProto], bool]] = [_drop_unused_inputs, _replace_zipmaps]
    if batched:
        steps += [_free_batch, _free_outputs]
    changed = [step(copy.graph) for step in steps]
    if all(opset.domain not in {"", "ai.onnx"} for opset in copy.opset_import):
        copy.opset_import.append(helper.make_opsetid("", 13))  # for Identity; trees need none
    return copy if any(changed) else None


def zipmap_labels(node: NodeProto) -> tuple[str, ...]:
    """The class labels of a ZipMap, as text, in the order of its columns."""
    given = attributes(node)
    texts = given.get("classlabels_strings") or []
    return tuple(t.decode() for t in texts) or tuple(
        str(n) for n in given.get("classlabels_int64s") or []
    )


def _drop_unused_inputs(graph: GraphProto) -> bool:
    used = {value.name for value in used_inputs(graph)} | {t.name for t in graph.initializer}
    unused = [value for value in graph.input if value.name not in used]
    for value in unused:
        graph.input.remove(value)
    return bool(unused)


def _replace_zipmaps(graph: GraphProto) -> bool:
    """Make every output that a ZipMap gives the tensor that goes into it."""
    outputs = {value.name: value for value in graph.output}
    changed = False
    for node in graph.node:
        if node.op_type != "ZipMap" or node.output[0] not in outputs:
            continue
        shape = (BATCH, len(zipmap_labels(node)))
        outputs[node.output[0]].type.CopyFrom(
            helper.make_tensor_type_proto(TensorProto.FLOAT, shape)
        )
        # ONNX Runtime removes an Identity, and the output keeps its name
        node.op_type, node.domain = "Identity", ""
        del node.attribute[:]
        changed = True
    return changed


def _free_batch(graph: GraphProto) -> bool:
    """Free a batch dimension that is fixed to 1, in inputs and in the shapes of Reshape nodes."""
    inputs = fixed_batch(graph)
    if not inputs:
        return False
    for value in inputs:
        _free_first(value)
    known = constants(graph)
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[0] not in known:
            _free_reshape(graph, node, known.get(node.input[1]))
    del graph.value_info[:]  # shapes of inner values, which were made for one row
    return True


def _free_reshape(graph: GraphProto, node: NodeProto, shape: np.ndarray | None) -> None:
    """Let a Reshape to ``[1, …]`` keep its input's batch dimension."""
    if shape is None or shape.ndim != 1 or not len(shape) or shape[0] != 1:
        return
    free = shape.astype(np.int64)
    free[0] = -1 if len(shape) == 1 else 0  # 0 copies the dimension of the input
    if attributes(node).get("allowzero"):
        return
    name = f"{node.output[0]}/free_batch_shape"
    graph.initializer.append(numpy_helper.from_array(free, name))
    node.input[1] = name


def _free_outputs(graph: GraphProto) -> bool:
    """Free the number of rows that outputs declare: onnxmltools declares LightGBM's label [1]."""
    fixed = [v for v in graph.output if (shape := dimensions(v)) and shape[0] is not None]
    for value in fixed:
        _free_first(value)
    return bool(fixed)


def _free_first(value: ValueInfoProto) -> None:
    value.type.tensor_type.shape.dim[0].Clear()
    value.type.tensor_type.shape.dim[0].dim_param = BATCH
