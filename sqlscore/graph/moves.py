"""Nodes that move columns: where each column of what leaves them comes from; None: no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.graph.nodes import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import numpy as np
    from onnx import NodeProto

    Source: TypeAlias = tuple[str, int]  #: an input's name and the column in it
    Columns: TypeAlias = list[Source | None]  #: where a tensor's columns come from; None: elsewhere
    Constants: TypeAlias = Mapping[str, np.ndarray]
    Known: TypeAlias = Mapping[str, Columns]


def same(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """One tensor as it is, or changed value by value."""
    return [known[node.input[0]]]


def joined(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """Concat and FeatureVectorizer; what comes from elsewhere has to be of a known width."""
    if node.op_type == "Concat" and attributes(node).get("axis") not in {1, -1}:
        return None
    if any(name not in known for name in node.input):
        return None
    return [[column for name in node.input for column in known[name]]]


def elementwise(node: NodeProto, known: Known, fixed: Constants) -> list[Columns] | None:
    """Arithmetic with one value, or one value a column: NaN stays NaN, in its place."""
    names = [name for name in node.input if name in known]
    others = [name for name in node.input if name not in known]
    if len(names) != 1 or any(name not in fixed for name in others):
        return None
    columns = known[names[0]]
    return [columns] if all(fixed[name].size in {1, len(columns)} for name in others) else None


def picked(node: NodeProto, known: Known, fixed: Constants) -> list[Columns] | None:
    """Columns by their places, which have to be constant."""
    axis = attributes(node).get("axis", 1 if node.op_type == "ArrayFeatureExtractor" else 0)
    index = fixed.get(node.input[1])
    if index is None or axis not in {1, -1} or node.input[0] not in known:
        return None
    columns = known[node.input[0]]
    return [[columns[int(j)] for j in index.ravel()]]
