"""The attributes of tree ensembles, as of opsets 1 and 3 and of opset 5, as a `Forest`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.trees.branches import MODES, Branch, Forest, Leaf

if TYPE_CHECKING:
    from sqlscore.pushdown.node import Node


def forest_of(node: Node, weights: str) -> Forest:
    """The forest of a TreeEnsembleClassifier or -Regressor.

    `weights` is how the attributes of its leaves begin: ``class`` or ``target``.
    """
    trees, numbers = node.integers("nodes_treeids"), node.integers("nodes_nodeids")
    place = {key: i for i, key in enumerate(zip(trees, numbers, strict=True))}
    gains = _weights(node, weights)
    modes, features = node.texts("nodes_modes"), node.integers("nodes_featureids")
    values = node.floats("nodes_values") or node.floats("nodes_values_as_tensor")
    trues, falses = node.integers("nodes_truenodeids"), node.integers("nodes_falsenodeids")
    tracks = node.integers("nodes_missing_value_tracks_true") or [0] * len(trees)
    nodes: list[Branch | Leaf] = []
    for i, (tree, mode) in enumerate(zip(trees, modes, strict=True)):
        if mode == "LEAF":
            nodes.append(Leaf(gains.get((tree, numbers[i]), {})))
            continue
        if mode not in MODES:
            raise Refused(f"there is no mode {mode!r} of a branch")
        nodes.append(
            Branch(
                features[i],
                mode,
                float(values[i]),
                bool(tracks[i]),
                _found(place, tree, trues[i]),
                _found(place, tree, falses[i]),
            )
        )
    children = {c for one in nodes if isinstance(one, Branch) for c in (one.true, one.false)}
    return Forest(nodes, [i for i in range(len(nodes)) if i not in children])


def _weights(node: Node, prefix: str) -> dict[tuple[int, int], dict[int, float]]:
    """(tree, node) -> output -> weight."""
    found: dict[tuple[int, int], dict[int, float]] = {}
    values = node.floats(f"{prefix}_weights") or node.floats(f"{prefix}_weights_as_tensor")
    for tree, number, output, value in zip(
        node.integers(f"{prefix}_treeids"),
        node.integers(f"{prefix}_nodeids"),
        node.integers(f"{prefix}_ids"),
        values,
        strict=True,
    ):
        leaf = found.setdefault((tree, number), {})
        leaf[output] = leaf.get(output, 0.0) + float(value)
    return found


def _found(place: dict[tuple[int, int], int], tree: int, number: int) -> int:
    if (tree, number) not in place:
        raise Refused(f"tree {tree} has no node {number}, which one of its branches leads to")
    return place[tree, number]


#: opset 5's number of a mode -> its name before
_NUMBERED = (
    "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ",
    "BRANCH_MEMBER",
)  # fmt: skip


def numbered_forest_of(node: Node) -> Forest:
    """The forest of a TreeEnsemble of opset 5, which numbers its branches and leaves apart."""
    features, splits = node.integers("nodes_featureids"), node.floats("nodes_splits")
    modes = [_mode(number) for number in node.integers("nodes_modes")]
    tracks = node.integers("nodes_missing_value_tracks_true") or [0] * len(modes)
    ends = [
        (node.integers(f"nodes_{side}nodeids"), node.integers(f"nodes_{side}leafs"))
        for side in ("true", "false")
    ]
    members = _members(node.floats("membership_values"), modes)

    def after(i: int) -> tuple[int, int]:
        """The index of what follows on either side: leaves come behind the branches."""
        true, false = (to[i] + (len(modes) if leaf[i] else 0) for to, leaf in ends)
        return true, false

    nodes: list[Branch | Leaf] = [
        Branch(features[i], mode, float(splits[i]), bool(tracks[i]), *after(i), members[i])
        for i, mode in enumerate(modes)
    ]
    targets, weights = node.integers("leaf_targetids"), node.floats("leaf_weights")
    nodes += [Leaf({t: float(w)}) for t, w in zip(targets, weights, strict=True)]
    if any(to >= len(nodes) for i in range(len(modes)) for to in after(i)):
        raise Refused("one of its branches leads to a node that is not there")
    roots = node.integers("tree_roots")
    for true, false, root in ((*after(root), root) for root in roots):
        # of a tree that is one leaf, ONNX Runtime 1.32 reads the leaf by the root's number
        if true == false >= len(modes) and true != len(modes) + root:
            raise Refused(f"ONNX Runtime takes another leaf than the model's for tree {root}")
    return Forest(nodes, roots)


def _mode(number: int) -> str:
    if number >= len(_NUMBERED):
        raise Refused(f"there is no mode {number} of a branch")
    return _NUMBERED[number]


def _members(values: list[float], modes: list[str]) -> list[tuple[float, ...]]:
    """The set of each branch that asks for one; NaN ends a set."""
    sets: list[list[float]] = [[]]
    for value in values:
        if math.isnan(value):
            sets.append([])
        else:
            sets[-1].append(float(value))
    wanted = modes.count("BRANCH_MEMBER")
    if len(sets) < wanted or not all(sets[:wanted]):
        raise Refused("one of its branches asks for a member of an empty set")
    following = iter(sets)
    return [tuple(next(following)) if mode == "BRANCH_MEMBER" else () for mode in modes]
