"""The attributes of tree ensembles, in the forms of opsets 1, 3 and 5, as one `Forest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.trees import MODES, Branch, Forest, Leaf

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
