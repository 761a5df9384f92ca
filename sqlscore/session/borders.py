"""Small floats at a graph's borders: numpy and Arrow have no such types, and float32 holds them."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from sqlscore.elements import SMALL_FLOATS
from sqlscore.graph.nodes import all_nodes


def with_float32_borders(model: bytes) -> bytes:
    """The model with its small-float inputs and outputs as float32, and a Cast behind each.

    The cast in rounds to nearest, ties to even, and into 8 bits as ONNX's Cast does by default
    (past the largest value is the largest value); the cast out is exact.
    """
    proto = ModelProto.FromString(model)
    inputs = [v for v in proto.graph.input if _is_small(v)]
    outputs = [v for v in proto.graph.output if _is_small(v)]
    inner = {value.name: f"{value.name}/small" for value in (*inputs, *outputs)}
    _rename(proto, inner)
    casts_in = [
        helper.make_node("Cast", [v.name], [inner[v.name]], to=v.type.tensor_type.elem_type)
        for v in inputs
    ]
    casts_out = [
        helper.make_node("Cast", [inner[v.name]], [v.name], to=TensorProto.FLOAT) for v in outputs
    ]
    for value in (*inputs, *outputs):
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    _surround(proto.graph, casts_in, casts_out)
    whole: bytes = proto.SerializeToString()
    return whole


def _is_small(value: ValueInfoProto) -> bool:
    element: int = value.type.tensor_type.elem_type
    return TensorProto.DataType.Name(element).lower() in SMALL_FLOATS


def _rename(proto: ModelProto, names: dict[str, str]) -> None:
    for node in all_nodes(proto):
        for values in (node.input, node.output):
            for i, name in enumerate(values):
                values[i] = names.get(name, name)


def _surround(graph: GraphProto, before: list[NodeProto], after: list[NodeProto]) -> None:
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
