"""What a model was trained on, as far as it says: categories, and ranges in its metadata.

Categories are the keys of the encoders that a feature goes into as it came. Ranges are metadata of
the model's author, ``feature_ranges``: JSON such as ``{"age": [18, 95], "rent": [0, null]}``.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from onnx import TensorProto, numpy_helper

from sqlscore.graph.moves import joined, picked, same
from sqlscore.graph.nodes import attributes, constants, used_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import GraphProto, ModelProto, NodeProto

    from sqlscore.graph.moves import Columns, Constants, Known, Source
    from sqlscore.signature import Category, Span

#: where an encoder keeps the values that it knows, the first that is there
_KEYS = ("cats_strings", "cats_int64s", "keys_strings", "keys_int64s", "keys_floats", "keys_tensor")
_ENCODERS = {"OneHotEncoder", "LabelEncoder", "CategoryMapper"}
_INTEGERS = {TensorProto.INT32, TensorProto.INT64}


def known_categories(graph: GraphProto, widths: Mapping[str, int]) -> dict[Source, set[Category]]:
    """Input column -> the values that all of its encoders know; no entry where it has none."""
    known: dict[str, Columns] = {
        value.name: [(value.name, j) for j in range(widths.get(value.name, 0))]
        for value in used_inputs(graph)
    }
    fixed = constants(graph)
    found: dict[Source, set[Category]] = {}
    for node in graph.node:
        if node.op_type in _ENCODERS:
            categories = _categories(node)
            for source in known.get(node.input[0], []):
                if source is not None:
                    found[source] = found.get(source, categories) & categories
        elif node.op_type in _MOVES and any(name in known for name in node.input):
            moved = _MOVES[node.op_type](node, known, fixed)
            known.update(zip(node.output, moved or [], strict=False))
    return {source: categories for source, categories in found.items() if categories}


def known_ranges(model: ModelProto) -> dict[str, Span]:
    """Feature -> the least and the largest value of its training, None for an open end.

    What is no such JSON object, and entries that are no ranges, count as not there.
    """
    text = next((p.value for p in model.metadata_props if p.key == "feature_ranges"), "{}")
    try:
        given = json.loads(text)
    except json.JSONDecodeError:
        return {}
    pairs = given.items() if isinstance(given, dict) else ()
    return {name: (low, high) for name, ends in pairs if _is_range(ends) for low, high in [ends]}


def _is_range(ends: Any) -> bool:
    return isinstance(ends, list) and len(ends) == 2 and all(e is None or _is_end(e) for e in ends)


def _is_end(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _categories(node: NodeProto) -> set[Category]:
    given = attributes(node)
    keys: Any = next((given[name] for name in _KEYS if name in given), [])
    if isinstance(keys, TensorProto):
        keys = numpy_helper.to_array(keys).ravel().tolist()
    return {key.decode() if isinstance(key, bytes) else key for key in keys}


def _cast(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """To whole numbers, as encoders of numbers want them."""
    return [known[node.input[0]]] if attributes(node)["to"] in _INTEGERS else None


def _flattened(node: NodeProto, known: Known, _: Constants) -> list[Columns] | None:
    """A shape for one column: it is still that column."""
    columns = known.get(node.input[0], [])
    return [columns] if len(columns) == 1 else None


_MOVES: dict[str, Callable[[NodeProto, Known, Constants], list[Columns] | None]] = {
    "Identity": same,
    "Cast": _cast,
    "Concat": joined,
    "FeatureVectorizer": joined,
    "ArrayFeatureExtractor": picked,
    "Gather": picked,
    "Reshape": _flattened,
    "Squeeze": _flattened,
    "Unsqueeze": _flattened,
}
