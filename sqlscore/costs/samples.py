"""What a database is measured with: rows of numbers and a text, and models that are made up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

NUMBERS = tuple(f"c{i}" for i in range(20))
TEXT = "c20"
KEY = "id"
CATEGORIES = 25
UNITS = 16
MORE_OUTPUTS = 2  #: of `classified` than of `linear`
_WORDS = tuple(f"category {i}" for i in range(CATEGORIES))


def rows(count: int) -> pa.RecordBatch:
    """A key, twenty doubles and a text of 25 categories; the same rows each time."""
    random = np.random.default_rng(0)
    columns = {KEY: pa.array(np.arange(count))}
    columns |= {name: pa.array(random.normal(size=count)) for name in NUMBERS}
    columns[TEXT] = pa.array(_WORDS).take(pa.array(random.integers(len(_WORDS), size=count)))
    return pa.RecordBatch.from_pydict(columns)


def forest(trees: int, depth: int = 5) -> ModelProto:
    """Full trees over all numbers, their leaves added up."""
    random = np.random.default_rng(1)
    count = 2 ** (depth + 1) - 1
    inner = count // 2
    numbers = np.tile(np.arange(count), trees)
    branches = numbers < inner
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=np.repeat(np.arange(trees), count).tolist(),
        nodes_nodeids=numbers.tolist(),
        nodes_modes=["BRANCH_LEQ" if branch else "LEAF" for branch in branches],
        nodes_featureids=random.integers(len(NUMBERS), size=len(numbers)).tolist(),
        nodes_values=random.normal(size=len(numbers)).astype(np.float32).tolist(),
        nodes_truenodeids=np.where(branches, 2 * numbers + 1, 0).tolist(),
        nodes_falsenodeids=np.where(branches, 2 * numbers + 2, 0).tolist(),
        target_treeids=np.repeat(np.arange(trees), count - inner).tolist(),
        target_nodeids=np.tile(np.arange(inner, count), trees).tolist(),
        target_ids=[0] * (trees * (count - inner)),
        target_weights=random.normal(size=trees * (count - inner)).astype(np.float32).tolist(),
    )  # fmt: skip
    return _model([node], [_block()])


def linear(width: int = len(NUMBERS)) -> ModelProto:
    """One weight a number, of so many."""
    return _model([_weighted("x", width, seed=2)], [_block(width)])


def classified() -> ModelProto:
    """The same weights for two classes: a label and two scores."""
    weights = np.random.default_rng(2).normal(size=len(NUMBERS)).astype(np.float32).tolist()
    node = helper.make_node(
        "LinearClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", classlabels_ints=[0, 1],
        coefficients=[*(-w for w in weights), *weights], intercepts=[-0.5, 0.5],
        post_transform="LOGISTIC",
    )  # fmt: skip
    model = _model([node], [_block()], columns=2)
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
    return model


def layered() -> ModelProto:
    """A layer of a network over all numbers, and a weight for each of its units."""
    random = np.random.default_rng(4)
    weights = random.normal(size=(len(NUMBERS), UNITS)).astype(np.float32)
    layer = helper.make_node("MatMul", ["x", "w"], ["h"])
    relu = helper.make_node("Relu", ["h"], ["r"])
    model = _model([layer, relu, _weighted("r", UNITS, seed=5)], [_block()])
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return model


def curved() -> ModelProto:
    """The logistic function of each number, and a weight for each of them."""
    curve = helper.make_node("Sigmoid", ["x"], ["s"])
    return _model([curve, _weighted("s", len(NUMBERS), seed=2)], [_block()])


def encoded(count: int = CATEGORIES) -> ModelProto:
    """A weight for each of so many categories of the text."""
    encoder = helper.make_node(
        "OneHotEncoder",
        ["t"],
        ["e"],
        domain="ai.onnx.ml",
        cats_strings=list(_WORDS[:count]),
        zeros=1,
    )
    flat = helper.make_node("Flatten", ["e"], ["f"], axis=1)
    text = helper.make_tensor_value_info("t", TensorProto.STRING, [None, 1])
    return _model([encoder, flat, _weighted("f", count, seed=3)], [text])


def _weighted(name: str, width: int, *, seed: int) -> NodeProto:
    weights = np.random.default_rng(seed).normal(size=width).astype(np.float32)
    return helper.make_node(
        "LinearRegressor", [name], ["y"], domain="ai.onnx.ml",
        coefficients=weights.tolist(), intercepts=[0.5],
    )  # fmt: skip


def _block(width: int = len(NUMBERS)) -> ValueInfoProto:
    return helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])


def _model(nodes: list[NodeProto], inputs: list[ValueInfoProto], columns: int = 1) -> ModelProto:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, columns])
    return helper.make_model(
        helper.make_graph(nodes, "calibration", inputs, [y]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
