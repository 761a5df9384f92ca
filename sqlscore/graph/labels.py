"""The class labels of an output's columns, found where the graph keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.graph.nodes import attributes, constants, producers
from sqlscore.graph.rewriting import zipmap_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import GraphProto, NodeProto

_CLASSIFIERS: dict[str, str] = {  #: node -> the attribute that holds its labels as whole numbers
    "LinearClassifier": "classlabels_ints",
    "SVMClassifier": "classlabels_ints",
    "TreeEnsembleClassifier": "classlabels_int64s",
}

_PASSING = {"Identity", "Cast", "Normalizer", "Reshape", "Softmax"}  #: keep the order of columns


def labels_of(graph: GraphProto, output: str) -> tuple[str, ...] | None:
    """The labels of an output's columns; None where it has none or they are not to be found.

    They come from the ZipMap that makes the output, from the classifier whose scores it is, or
    from the list that the model's label is looked up in by the position of its highest score.
    """
    made_by = producers(graph)
    name, node = _behind(output, made_by)
    if node is not None and node.op_type == "ZipMap":
        return zipmap_labels(node)
    if node is not None and node.op_type in _CLASSIFIERS and list(node.output).index(name) == 1:
        return _classifier_labels(node)
    return _looked_up(graph, name, made_by)


def _behind(name: str, made_by: Mapping[str, NodeProto]) -> tuple[str, NodeProto | None]:
    """The value that `name` is made from by nodes that keep its columns, and its own node."""
    node = made_by.get(name)
    while node is not None and node.op_type in _PASSING:
        name = node.input[0]
        node = made_by.get(name)
    return name, node


def _classifier_labels(node: NodeProto) -> tuple[str, ...] | None:
    given = attributes(node)
    texts = given.get("classlabels_strings") or []
    numbers = given.get(_CLASSIFIERS[node.op_type]) or []
    return tuple(t.decode() for t in texts) or tuple(map(str, numbers)) or None


def _looked_up(
    graph: GraphProto, scores: str, made_by: Mapping[str, NodeProto]
) -> tuple[str, ...] | None:
    """Labels of a neural network of scikit-learn: ``classes[argmax(scores)]``."""
    fixed = constants(graph)
    for node in graph.node:
        if node.op_type != "ArrayFeatureExtractor" or node.input[0] not in fixed:
            continue
        best = made_by.get(node.input[1])
        if best is None or best.op_type != "ArgMax":
            continue
        if _behind(best.input[0], made_by)[0] == scores:
            return tuple(
                c.decode() if isinstance(c, bytes) else str(c)
                for c in fixed[node.input[0]].ravel().tolist()
            )
    return None
