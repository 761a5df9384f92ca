"""What a graph does with each column of its inputs: some it never looks at.

Columns are followed through the nodes that only move or scale them, to the nodes that look: a tree
looks at what its branches ask for, a linear model at what has a weight. A weight of zero still
looks at NaN and infinities, which it makes NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from sqlscore.graph.moves import elementwise, joined, picked, same
from sqlscore.graph.nodes import all_nodes, attributes, constants, used_inputs
from sqlscore.signature import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from onnx import GraphProto, ModelProto, NodeProto

    from sqlscore.graph.moves import Columns, Constants, Known, Source

#: what all scales on the way may come to: a whole number times it is far from infinite in float32
_MOST_SCALE = 1e15


def uses_of(model: ModelProto, widths: Mapping[str, int]) -> dict[Source, Use]:
    """Column of an input -> how it is used; a column that is not there is always looked at.

    `widths` gives the number of columns of each input.
    """
    graph = model.graph
    if model.functions or len(list(all_nodes(model))) > len(graph.node):
        return {}  # subgraphs see values by their names
    known = columns_of(graph, widths)
    every = {source for columns in known.values() for source in columns if source}
    fixed = constants(graph)
    texts = text_inputs(graph)
    looked: set[Source] = set()
    weightless: set[Source] = set()
    for node in graph.node:
        sources = [s for name in node.input for s in known.get(name, []) if s]
        if not sources:
            continue
        found = moved(node, known, fixed, texts)
        if found is not None:
            known.update(zip(node.output, found, strict=False))
            continue
        looked |= _looked(node, known, fixed, sources)
        weightless |= set(sources) if node.op_type in _WEIGH else set()
    looked |= {s for output in graph.output for s in known.get(output.name, []) if s}
    if not _calm(graph, fixed):
        looked |= weightless
    return {s: Use.NOT_FINITE if s in weightless else Use.NEVER for s in every - looked}


def columns_of(graph: GraphProto, widths: Mapping[str, int]) -> dict[str, Columns]:
    """The columns of each input that something depends on."""
    return {
        value.name: [(value.name, j) for j in range(widths.get(value.name, 0))]
        for value in used_inputs(graph)
    }


def text_inputs(graph: GraphProto) -> set[str]:
    """The inputs that hold text."""
    return {v.name for v in graph.input if v.type.tensor_type.elem_type == TensorProto.STRING}


def moved(
    node: NodeProto, known: Known, fixed: Constants, texts: Collection[str]
) -> list[Columns] | None:
    """The columns of a node's outputs, where it only moves or changes them each for itself."""
    sources = [s for name in node.input for s in known.get(name, []) if s]
    moves = _MOVES.get(node.op_type)
    if not sources or moves is None:
        return None
    if node.op_type == "Cast" and any(name in texts for name, _ in sources):
        return None  # whether a text is a number is looked at
    return moves(node, known, fixed)


def _looked(
    node: NodeProto, known: Known, fixed: Constants, sources: Iterable[Source]
) -> set[Source]:
    """What a node that moves nothing looks at: all of its inputs, unless more is known."""
    asked = _LOOKS[node.op_type](node, known, fixed) if node.op_type in _LOOKS else None
    columns = known.get(node.input[0])
    if asked is None or columns is None:
        return set(sources)
    return {source for j in asked if j < len(columns) and (source := columns[j])}


def _calm(graph: GraphProto, fixed: Constants) -> bool:
    """Whether no scale on the way can make an infinity of a whole number."""
    scale = 1.0
    for node in graph.node:
        if node.op_type in _SCALES:
            factors = [*_floats(node, "scale"), *_floats(node, "offset")]
            factors += [float(v) for name in node.input for v in fixed.get(name, np.empty(0)).flat]
            sizes = [abs(f) for f in factors]
            sizes += [1 / s for s in sizes if s] if node.op_type == "Div" else []
            scale *= max([1.0, *sizes])
    return scale < _MOST_SCALE


def _floats(node: NodeProto, name: str) -> list[float]:
    return list(attributes(node).get(name) or [])


def _encoded(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """A column for each category of one column."""
    columns = known[node.input[0]]
    given = attributes(node)
    count = len(given.get("cats_strings") or given.get("cats_int64s") or [])
    return [columns * count] if len(columns) == 1 and given.get("zeros", 1) else None


def _reshaped(node: NodeProto, known: Known, fixed: Constants) -> list[Columns] | None:
    """The columns of a row, flat."""
    columns = known[node.input[0]]
    if node.op_type == "Flatten":
        return [columns] if attributes(node).get("axis", 1) == 1 else None
    shape = fixed.get(node.input[1]) if len(node.input) > 1 else None
    flat = shape is not None and list(shape) in ([-1, len(columns)], [0, len(columns)])
    return [columns] if flat else None


def _joined(node: NodeProto, known: Known, fixed: Constants) -> list[Columns] | None:
    if node.op_type == "Concat" and attributes(node).get("axis") == 2:
        # [N, 1, c] side by side; of more than one row each there are no columns known here
        return (
            [[column for name in node.input for column in known[name]]]
            if all(name in known for name in node.input)
            else None
        )
    return joined(node, known, fixed)


def _tree(node: NodeProto, known: Known, _: Constants) -> Iterable[int] | None:
    given = attributes(node)
    tested: list[int] = given.get("nodes_featureids") or []
    modes = given.get("nodes_modes")
    if not isinstance(modes, list):  # opset 5: what its leaves are is told elsewhere
        return tested
    return [j for j, mode in zip(tested, modes, strict=True) if mode != b"LEAF"]


def _linear(node: NodeProto, known: Known, _: Constants) -> Iterable[int] | None:
    """LinearClassifier and -Regressor: one line of weights a score."""
    width = len(known.get(node.input[0], []))
    weights = np.array(attributes(node).get("coefficients") or [])
    return np.flatnonzero(weights.reshape(-1, width).any(axis=0)) if width else None


def _product(node: NodeProto, known: Known, fixed: Constants) -> Iterable[int] | None:
    """Gemm and MatMul with constant weights."""
    given = attributes(node)
    weights = fixed.get(node.input[1])
    others = [name for name in node.input[1:] if name in known]
    if weights is None or weights.ndim != 2 or others or given.get("transA"):
        return None
    return np.flatnonzero(weights.any(axis=0 if given.get("transB") else 1))


_MOVES: dict[str, Callable[[NodeProto, Known, Constants], list[Columns] | None]] = {
    **dict.fromkeys(("Identity", "Scaler", "Cast", "Imputer", "LabelEncoder"), same),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), elementwise),
    **dict.fromkeys(("ArrayFeatureExtractor", "Gather"), picked),
    **dict.fromkeys(("Reshape", "Flatten"), _reshaped),
    **dict.fromkeys(("Concat", "FeatureVectorizer"), _joined),
    "OneHotEncoder": _encoded,
}
#: operators that look at the columns that their branches ask for
TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
_SCALES = {"Scaler", "Add", "Sub", "Mul", "Div"}
_WEIGH = {"Gemm", "LinearClassifier", "LinearRegressor", "MatMul"}
_LOOKS: dict[str, Callable[[NodeProto, Known, Constants], Iterable[int] | None]] = {
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), _linear),
    **dict.fromkeys(("Gemm", "MatMul"), _product),
    **dict.fromkeys(TREES, _tree),
}
