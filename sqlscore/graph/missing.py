"""Which features may be NaN because the graph itself says what a missing value means.

Every input column is followed through the nodes that only move or scale columns, to the nodes that
give NaN a meaning: a tree with missing-value tracks, or an Imputer that replaces NaN. A feature
that also goes anywhere else is taken as not handled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from onnx import TensorProto

from sqlscore.graph.moves import elementwise, joined, picked, same
from sqlscore.graph.nodes import attributes, constants, used_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import GraphProto, NodeProto

    from sqlscore.graph.moves import Columns, Constants, Known, Source

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}


def handled_columns(graph: GraphProto, widths: Mapping[str, int]) -> set[Source]:
    """The input columns for which NaN has a meaning in the graph."""
    known: dict[str, Columns] = {
        value.name: [(value.name, j) for j in range(widths.get(value.name, 0))]
        for value in used_inputs(graph)
    }
    fixed = constants(graph)
    handled: set[Source] = set()
    unhandled = {s for output in graph.output for s in known.get(output.name, []) if s}
    for node in graph.node:
        sources = [s for name in node.input for s in known.get(name, []) if s]
        if not sources:
            continue
        moved = _MOVES[node.op_type](node, known, fixed) if node.op_type in _MOVES else None
        meant = _MEANINGS[node.op_type](node, known) if node.op_type in _MEANINGS else set()
        handled |= meant
        if moved is not None:
            known.update(zip(node.output, moved, strict=False))
        else:
            unhandled |= set(sources) - meant
    return handled - unhandled


def _cast(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    return [known[node.input[0]]] if attributes(node)["to"] in _FLOATS else None


def _imputed(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """An Imputer of NaN: what leaves it is clean."""
    return [[None] * len(known[node.input[0]])] if _replaces_nan(attributes(node)) else None


def _imputer(node: NodeProto, known: Known) -> set[Source]:
    return {s for s in known[node.input[0]] if s} if _replaces_nan(attributes(node)) else set()


def _replaces_nan(given: Mapping[str, Any]) -> bool:
    return math.isnan(given.get("replaced_value_float", 0.0))


def _tree(node: NodeProto, known: Known) -> set[Source]:
    """The columns that a tree tests with a track for missing values, or does not test at all."""
    given = attributes(node)
    tracks = given.get("nodes_missing_value_tracks_true") or []
    if not any(tracks):
        return set()
    modes = given.get("nodes_modes")
    branches = (
        [mode != b"LEAF" for mode in modes] if isinstance(modes, list) else [True] * len(tracks)
    )
    tested = given.get("nodes_featureids") or []
    tested_at_all = {j for j, branch in zip(tested, branches, strict=True) if branch}
    tracked = {j for j, track in zip(tested, tracks, strict=True) if track}
    columns = known.get(node.input[0], [])
    return {s for j, s in enumerate(columns) if s and (j in tracked or j not in tested_at_all)}


_MOVES: dict[str, Callable[[NodeProto, Known, Constants], list[Columns] | None]] = {
    "Identity": same,
    "Scaler": same,
    "Cast": _cast,
    "Concat": joined,
    "FeatureVectorizer": joined,
    "Add": elementwise,
    "Sub": elementwise,
    "Mul": elementwise,
    "Div": elementwise,
    "ArrayFeatureExtractor": picked,
    "Gather": picked,
    "Imputer": _imputed,
}

_MEANINGS: dict[str, Callable[[NodeProto, Known], set[Source]]] = {
    "Imputer": _imputer,
    "TreeEnsemble": _tree,
    "TreeEnsembleClassifier": _tree,
    "TreeEnsembleRegressor": _tree,
}
