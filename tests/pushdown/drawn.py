"""Random tree ensembles over the columns a, b, c, for hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[Any]], Any]

#: so few that the rows around all of them fit into one table; each is a float32
THRESHOLDS = tuple(
    float(np.float32(t))
    for t in (
        0.1, -0.1, 0.0, -0.0, 1.5, 1e-45, 1.17549435e-38, 3.4028235e38, -3.4028235e38, 16777216,
    )
)  # fmt: skip
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
WEIGHTS = (0.1, -0.3, 2.0, 0.0, 1e-3, -7.25)
WIDTH = 3


@dataclass
class _Nodes:
    """The attributes of the nodes of all trees, as the operator has them."""

    given: dict[str, list[Any]]
    leaves: list[tuple[int, int]]  #: tree, node

    def add(self, tree: int, node: int, **values: Any) -> int:
        place = len(self.given["nodes_treeids"])
        kept = {"nodes_treeids": tree, "nodes_nodeids": node, "nodes_modes": "LEAF", **values}
        for name, listed in self.given.items():
            listed.append(kept.get(name, 0.0 if name == "nodes_values" else 0))
        return place


_NAMES = (
    "nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_featureids", "nodes_values",
    "nodes_truenodeids", "nodes_falsenodeids", "nodes_missing_value_tracks_true",
)  # fmt: skip


def _grow(
    draw: Draw, nodes: _Nodes, tree: int, node: int, depth: int, modes: tuple[str, ...]
) -> int:
    """The nodes below one; the number of the next node that is free."""
    if depth == 0 or (depth < 3 and draw(st.integers(0, 3)) == 0):
        nodes.add(tree, node)
        nodes.leaves.append((tree, node))
        return node + 1
    place = nodes.add(
        tree, node,
        nodes_modes=draw(st.sampled_from(modes)),
        nodes_featureids=draw(st.integers(0, WIDTH - 1)),
        nodes_values=draw(st.sampled_from(THRESHOLDS)),
        nodes_missing_value_tracks_true=draw(st.integers(0, 1)),
        nodes_truenodeids=node + 1,
    )  # fmt: skip
    free = _grow(draw, nodes, tree, node + 1, depth - 1, modes)
    nodes.given["nodes_falsenodeids"][place] = free
    return _grow(draw, nodes, tree, free, depth - 1, modes)


def _trees(draw: Draw) -> _Nodes:
    # ONNX Runtime has one way for trees of a single mode, and another one for the rest
    modes = draw(st.sampled_from([MODES, *((mode,) for mode in MODES)]))
    nodes = _Nodes({name: [] for name in _NAMES}, [])
    for tree in range(draw(st.integers(1, 3))):
        _grow(draw, nodes, tree, 0, draw(st.integers(1, 3)), modes)
    return nodes


def _weights(draw: Draw, nodes: _Nodes, prefix: str, outputs: int) -> dict[str, list[Any]]:
    places = [(*leaf, output) for leaf in nodes.leaves for output in range(outputs)]
    trees, numbers, ids = (list(part) for part in zip(*places, strict=True))
    weights = [draw(st.sampled_from(WEIGHTS)) for _ in places]
    return {
        f"{prefix}_treeids": trees, f"{prefix}_nodeids": numbers, f"{prefix}_ids": ids,
        f"{prefix}_weights": weights,
    }  # fmt: skip


@st.composite
def regressors(draw: Draw, targets: int) -> bytes:
    """A TreeEnsembleRegressor, by any aggregate."""
    nodes = _trees(draw)
    base = [0.25, -1.5][:targets] if draw(st.booleans()) else []
    make: Any = helper.make_node
    node = make(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=targets,
        aggregate_function=draw(st.sampled_from(["SUM", "AVERAGE", "MIN", "MAX"])),
        **nodes.given, **_weights(draw, nodes, "target", targets),
        **({"base_values": base} if base else {}),
    )  # fmt: skip
    return _model(node, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, targets])])


@dataclass
class _Numbered:
    """The branches and leaves of all trees, as opset 5 has them."""

    branches: list[list[Any]]  #: mode, feature, split, missing, then node and is-leaf of both sides
    leaves: list[int]  #: the target of each
    members: list[float]
    roots: list[int]


_NUMBERS = (
    "nodes_modes", "nodes_featureids", "nodes_splits", "nodes_missing_value_tracks_true",
    "nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs",
)  # fmt: skip
_MEMBER = 6
SETS = ((0.0, 1.5), (1.0, 2.0, 3.0), (0.5,), (0.1, -0.1, 16777216.0, 2.0), (31.0, 40.0, 1.0))


def _branch(draw: Draw, found: _Numbered, depth: int, targets: int) -> tuple[int, int]:
    """The number of a new node, and whether it is a leaf."""
    if depth == 0:
        found.leaves.append(draw(st.integers(0, targets - 1)))
        return len(found.leaves) - 1, 1
    mode = draw(st.integers(0, _MEMBER))
    place = len(found.branches)
    found.branches.append([])
    if mode == _MEMBER:
        found.members += [*draw(st.sampled_from(SETS)), float("nan")]
    asked = [mode, draw(st.integers(0, WIDTH - 1)), draw(st.sampled_from(THRESHOLDS)),
             draw(st.integers(0, 1))]  # fmt: skip
    for _ in range(2):
        asked += _branch(draw, found, draw(st.integers(0, depth - 1)), targets)
    found.branches[place] = asked
    return place, 0


@st.composite
def ensembles(draw: Draw, targets: int) -> bytes:
    """A TreeEnsemble of opset 5, of floats or doubles, with sets, by any aggregate."""
    found = _Numbered([], [], [], [])
    for _ in range(draw(st.integers(1, 3))):
        found.roots.append(_branch(draw, found, draw(st.integers(1, 3)), targets)[0])
    columns = dict(zip(_NUMBERS, map(list, zip(*found.branches, strict=True)), strict=True))
    kind = draw(st.sampled_from([TensorProto.FLOAT, TensorProto.DOUBLE]))
    weights = [draw(st.sampled_from(WEIGHTS)) for _ in found.leaves]

    def tensor(name: str, values: list[Any], type_: int = kind) -> Any:
        return helper.make_tensor(name, type_, [len(values)], values)

    make: Any = helper.make_node
    node = make(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=targets,
        tree_roots=found.roots, aggregate_function=draw(st.integers(0, 3)),
        post_transform=draw(st.sampled_from([0, 1, 2, 3])),
        leaf_targetids=found.leaves, leaf_weights=tensor("leaf_weights", weights),
        **{
            **columns,
            "nodes_modes": tensor("nodes_modes", columns["nodes_modes"], TensorProto.UINT8),
            "nodes_splits": tensor("nodes_splits", columns["nodes_splits"]),
            **({"membership_values": tensor("members", found.members)} if found.members else {}),
        },
    )  # fmt: skip
    return _model(
        node, [helper.make_tensor_value_info("y", kind, [None, targets])], element=kind, opset=5
    )


@st.composite
def classifiers(draw: Draw) -> bytes:
    """A TreeEnsembleClassifier of two or three classes, by any post transform that is defined."""
    nodes, classes = _trees(draw), draw(st.integers(2, 3))
    scores = draw(st.sampled_from([1, 2])) if classes == 2 else classes
    base = [0.25, -1.5, 0.5][:scores] if draw(st.booleans()) else []
    labels = draw(st.sampled_from([list(range(classes)), ["low", "mid", "high"][:classes]]))
    kind = "strings" if isinstance(labels[0], str) else "int64s"
    make: Any = helper.make_node
    node = make(
        "TreeEnsembleClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml",
        post_transform=draw(st.sampled_from(["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])),
        **nodes.given, **_weights(draw, nodes, "class", scores),
        **{f"classlabels_{kind}": labels}, **({"base_values": base} if base else {}),
    )  # fmt: skip
    element = TensorProto.STRING if kind == "strings" else TensorProto.INT64
    return _model(
        node,
        [
            helper.make_tensor_value_info("label", element, [None]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, classes]),
        ],
    )


def _model(
    node: Any, outputs: list[Any], *, element: int = TensorProto.FLOAT, opset: int = 3
) -> bytes:
    x = helper.make_tensor_value_info("x", element, [None, WIDTH])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", opset)]
    graph = helper.make_graph([node], "drawn", [x], outputs)
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return made
