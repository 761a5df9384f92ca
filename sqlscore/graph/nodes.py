"""Reading an ONNX graph: its nodes, tensors, attributes and constants, subgraphs included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every node of the model: of the graph, its subgraphs, its functions and its training."""
    pending = [model.graph.node, *(function.node for function in model.functions)]
    for training in model.training_info:
        pending += [training.initialization.node, training.algorithm.node]
    while pending:
        for node in pending.pop():
            yield node
            pending += [graph.node for graph in _subgraphs(node)]


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor that the model carries: initialisers and attributes, wherever they lie."""
    graphs = [model.graph]
    for training in model.training_info:
        graphs += [training.initialization, training.algorithm]
    for node in all_nodes(model):
        graphs += _subgraphs(node)
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def attributes(node: NodeProto) -> dict[str, Any]:
    """The node's attributes as Python values; text is `bytes`, as ONNX keeps it."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute if a.type}


def true_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that must be fed: an old graph lists its initialisers among its inputs too."""
    initialised = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in initialised]


def used_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that something in the graph, or an output, depends on."""
    used = {output.name for output in graph.output}
    pending = list(graph.node)
    while pending:
        node = pending.pop()
        used.update(node.input)
        for subgraph in _subgraphs(node):
            used.update(output.name for output in subgraph.output)
            pending += subgraph.node
    return [value for value in true_inputs(graph) if value.name in used]


def constants(graph: GraphProto) -> dict[str, np.ndarray]:
    """The graph's constant values by name, except large ones, which nobody needs to look at."""
    found = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if len(tensor.dims) <= 2 and not tensor.external_data
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in {"", "ai.onnx"}:
            value = attributes(node).get("value")
            if value is not None:
                found[node.output[0]] = numpy_helper.to_array(value)
    return found


def producers(graph: GraphProto) -> dict[str, NodeProto]:
    """The node that makes each value of the graph."""
    return {name: node for node in graph.node for name in node.output if name}


def dimensions(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """The declared shape of a tensor; None in it is a free dimension, None for it is no shape."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None
        for d in value.type.tensor_type.shape.dim
    )


def fixed_batch(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs whose batch dimension is fixed to 1; none where any input's first one is free."""
    shapes = [(value, dimensions(value)) for value in used_inputs(graph)]
    if any(shape and shape[0] is None for _, shape in shapes):
        return []
    return [value for value, shape in shapes if shape and shape[0] == 1]


def _subgraphs(node: NodeProto) -> list[GraphProto]:
    return [g for a in node.attribute for g in (a.g, *a.graphs) if g.node or g.initializer]
