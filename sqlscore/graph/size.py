"""How much work a graph is for a row: what the cost of a prediction is estimated by."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.graph.nodes import attributes, constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onnx import ModelProto, NodeProto


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Counts of a graph's work for one row, about."""

    visits: float = 0.0  #: nodes of trees that a row passes on its way to the leaves
    copies: float = 0.0  #: the same where each output has trees of its own, as in SQL
    leaves: int = 0  #: of all those trees
    weights: int = 0  #: multiply-adds of one sum, or of two; categories have theirs with them
    terms: int = 0  #: those of layers, each of many sums over the same values
    lookups: int = 0  #: categories that a value is compared with
    calls: int = 0  #: of exp, tanh and their like

    def __add__(self, other: Size) -> Size:
        return Size(**{name: n + getattr(other, name) for name, n in asdict(self).items()})


def size_of(model: ModelProto) -> Size:
    """Count the work of a graph."""
    fixed = constants(model.graph)
    visits = copies = 0.0
    leaves = weighed = terms = lookups = calls = 0
    width = 1  # of the last layer
    for node in model.graph.node:
        given = attributes(node)
        if node.op_type in _TREES:
            passed, ends, outputs = _forest(given)
            visits, copies = visits + passed, copies + passed * outputs
            leaves, width = leaves + ends * outputs, outputs
        elif node.op_type in _LINEAR:
            weights = np.array(given.get("coefficients") or [])
            width = max(len(given.get("intercepts") or []), 1)
            weighed += _mirrored(weights.reshape(width, -1)) if weights.size % width == 0 else 0
        elif node.op_type in _PRODUCTS and len(node.input) > 1:
            weights, width = _weights(node, fixed, width)
            count = int(np.count_nonzero(weights))
            weighed, terms = (weighed + count, terms) if width <= _ONE else (weighed, terms + count)
        elif node.op_type in _ENCODERS:
            lookups += max((len(given.get(name) or []) for name in _KEYS), default=0)
        calls += width if node.op_type in _CALLS or given.get("post_transform") in _CURVES else 0
        terms += width if node.op_type in _STEPS else 0
    return Size(
        visits=visits, copies=copies, leaves=leaves, weights=max(weighed - lookups, 0), terms=terms,
        lookups=lookups, calls=calls,
    )  # fmt: skip


def _forest(given: Mapping[str, Any]) -> tuple[float, int, int]:
    """Nodes that a row passes, leaves, and outputs that a tree has."""
    modes, roots = given.get("nodes_modes"), given.get("tree_roots")
    if isinstance(modes, list):
        leaves = sum(mode == b"LEAF" for mode in modes)
        trees = len(set(given.get("nodes_treeids") or []))
        kind = "class" if given.get("class_ids") else "target"
        outputs = _outputs(*(given.get(f"{kind}_{part}") or [] for part in ("treeids", "ids")))
        return trees * _mean_depth(given), leaves, outputs
    leaves = len(given.get("leaf_targetids") or [])  # opset 5
    trees = max(len(roots or []), 1)
    return trees * math.log2(max(leaves / trees, 1)), leaves, 1


def _mean_depth(given: Mapping[str, Any]) -> float:
    """Of a leaf; trees that grow leaf by leaf are deeper than balanced ones."""
    keys = list(zip(given["nodes_treeids"], given["nodes_nodeids"], strict=True))
    place = {key: i for i, key in enumerate(keys)}
    parent = [-1] * len(keys)
    leaves = []
    for i, (tree, _) in enumerate(keys):
        if given["nodes_modes"][i] == b"LEAF":
            leaves.append(i)
            continue
        for side in ("true", "false"):
            child = place.get((tree, given[f"nodes_{side}nodeids"][i]))
            if child is not None and child != i:
                parent[child] = i
    depths = [_depth(i, parent) for i in leaves]
    return sum(depths) / max(len(depths), 1)


def _depth(node: int, parent: list[int]) -> int:
    depth = 0
    while parent[node] >= 0 and depth <= len(parent):
        node, depth = parent[node], depth + 1
    return depth


def _outputs(trees: Iterable[int], ids: Iterable[int]) -> int:
    pairs = set(zip(trees, ids, strict=False))
    return max(round(len(pairs) / max(len({tree for tree, _ in pairs}), 1)), 1)


def _mirrored(weights: np.ndarray) -> int:
    """The weights of a linear model; of two classes one line is the other's opposite."""
    if len(weights) == 2 and np.array_equal(weights[0], -weights[1]):
        weights = weights[:1]
    return int(np.count_nonzero(weights))


def _weights(
    node: NodeProto, fixed: Mapping[str, np.ndarray], width: int
) -> tuple[np.ndarray, int]:
    weights = fixed.get(node.input[1])
    if weights is None or weights.ndim != 2:
        return np.zeros(0), width
    return weights, weights.shape[0 if attributes(node).get("transB") else 1]


_ONE = 2  #: outputs of a layer up to which each is a sum of its own, as of two classes
_TREES = {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}
_LINEAR = {"LinearClassifier", "LinearRegressor"}
_PRODUCTS = {"Gemm", "MatMul"}
_ENCODERS = {"LabelEncoder", "OneHotEncoder"}
_KEYS = ("cats_strings", "cats_int64s", "keys_strings", "keys_int64s", "keys_floats")
_CALLS = {"Erf", "Exp", "Log", "Pow", "Sigmoid", "Softmax", "Softplus", "Sqrt", "Tanh"}
_STEPS = {"Abs", "Clip", "LeakyRelu", "Max", "Min", "Relu"}
_CURVES = {b"LOGISTIC", b"PROBIT", b"SOFTMAX", b"SOFTMAX_ZERO"}
