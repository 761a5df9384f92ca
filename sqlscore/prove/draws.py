"""Rows drawn for a proof: random, and near the values where the graph changes its mind.

The columns of the inputs are followed to trees (thresholds, and the floats beside them) and to
encoders (their categories), so that drawn rows take many branches.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from sqlscore.elements import DTYPES
from sqlscore.graph.nodes import attributes
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from onnx import ModelProto, NodeProto

    from sqlscore.signature import Input, Signature

    Column: TypeAlias = tuple[str, int, float, float]  #: input, column, and a, b of ``a * x + b``
    Interests: TypeAlias = Mapping[tuple[str, int], list[Any]]

_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
_CATEGORIES = ("cats_strings", "cats_int64s", "keys_strings", "keys_int64s", "keys_floats")
_WORDS = ("", "a", "B", "yes", "no", "unknown", "Zürich")
_MOST_INTERESTS = 4096  #: per column: more than are ever drawn


def draw(
    model: ModelProto,
    signature: Signature,
    *,
    rows: int,
    seed: int,
    free: int = 3,
    constants: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Feeds by input name, `rows` in each; a constant input has one value for all of them.

    `constants` are those that are known, `free` is the size that dimensions other than the batch
    get where the graph leaves them open. NaN is drawn for features whose missing values the graph
    handles. The same arguments give the same rows.
    """
    interests = interesting(model, signature)
    missing = {(f.input, f.position) for f in signature.features if f.missing}
    random = np.random.default_rng(seed)
    drawn = {
        one.name: _fed(one, rows, free, interests, missing, random) for one in signature.inputs
    }
    return drawn | dict(constants or {})


def interesting(model: ModelProto, signature: Signature) -> Interests:
    """The values near which the graph takes another branch, by input and column in it."""
    known: dict[str, list[Column]] = {
        one.name: [(one.name, j, 1.0, 0.0) for j in range(_width(one))]
        for one in signature.inputs
        if one.kind is not InputKind.CONSTANT
    }
    found: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
    for node in model.graph.node:
        columns = [c for name in node.input for c in known.get(name, ())]
        if not columns:
            continue
        if node.op_type in _MOVES:
            known[node.output[0]] = _MOVES[node.op_type](node, columns)
        elif node.op_type in _TREES:
            _thresholds(node, columns, found)
        else:
            _categories(node, columns, found)
    return found


def free_sizes(model: ModelProto) -> list[int]:
    """Sizes that a dimension left open may have to have: those of the graph's own weights."""
    sizes = {int(d) for tensor in model.graph.initializer for d in tensor.dims}
    for node in model.graph.node:
        for value in attributes(node).values():
            sizes.update(value.dims if isinstance(value, TensorProto) else ())
            sizes.add(len(value) if isinstance(value, list) else 0)
        sizes.add(max(attributes(node).get("nodes_featureids") or [0]) + 1)
    return [3, *sorted(size for size in sizes if 1 <= size <= 4096 and size != 3)]


def _scaled(node: NodeProto, columns: list[Column]) -> list[Column]:
    given = attributes(node)
    offsets = np.resize(given.get("offset") or [0.0], len(columns))
    scales = np.resize(given.get("scale") or [1.0], len(columns))
    return [
        (name, j, a * float(scale), (b - float(offset)) * float(scale))
        for (name, j, a, b), offset, scale in zip(columns, offsets, scales, strict=True)
    ]


def _kept(_: NodeProto, columns: list[Column]) -> list[Column]:
    return columns


_MOVES: dict[str, Callable[[NodeProto, list[Column]], list[Column]]] = {
    "Cast": _kept,
    "Concat": _kept,
    "FeatureVectorizer": _kept,
    "Identity": _kept,
    "Imputer": _kept,
    "Scaler": _scaled,
}


def _thresholds(
    node: NodeProto, columns: list[Column], found: defaultdict[tuple[str, int], list[Any]]
) -> None:
    given = attributes(node)
    modes = given.get("nodes_modes") or []
    values = given.get("nodes_values") or []
    for feature, mode, value in zip(
        given.get("nodes_featureids") or [], modes, values, strict=False
    ):
        if mode == b"LEAF" or feature >= len(columns):
            continue
        name, j, a, b = columns[feature]
        if a and len(found[name, j]) < _MOST_INTERESTS:
            at = np.float32((value - b) / a)
            found[name, j] += [at, np.nextafter(at, np.float32(-np.inf))]
            found[name, j].append(np.nextafter(at, np.float32(np.inf)))


def _categories(
    node: NodeProto, columns: list[Column], found: defaultdict[tuple[str, int], list[Any]]
) -> None:
    given = attributes(node)
    for kind in _CATEGORIES:
        values = [v.decode() if isinstance(v, bytes) else v for v in given.get(kind) or ()]
        for name, j, _, _ in columns if values else ():
            found[name, j] += values[: _MOST_INTERESTS - len(found[name, j])]


def _width(one: Input) -> int:
    return one.shape[1] or 1 if one.kind is InputKind.BLOCK else 1


def _fed(
    one: Input,
    rows: int,
    free: int,
    interests: Interests,
    missing: set[tuple[str, int]],
    random: np.random.Generator,
) -> np.ndarray:
    if one.kind is InputKind.CONSTANT:
        shape: tuple[int, ...] = tuple(d or 1 for d in one.shape)
        return _values(one.element, math.prod(shape), (), random).reshape(shape)
    if one.kind is InputKind.TENSOR:
        shape = (rows, *(d or free for d in one.shape[1:]))
        return _values(one.element, math.prod(shape), (), random).reshape(shape)
    columns = []
    for j in range(_width(one)):
        column = _values(one.element, rows, interests.get((one.name, j), ()), random)
        if (one.name, j) in missing:
            column[random.random(rows) < 0.15] = np.nan
        columns.append(column)
    block = np.stack(columns, axis=1)
    return block[:, 0] if len(one.shape) == 1 else block


def _values(
    element: str, count: int, interests: list[Any] | tuple[()], random: np.random.Generator
) -> np.ndarray:
    """`count` values of an element type, about half of them near what is interesting."""
    dtype = DTYPES[element]
    if element == "string":
        words = [w for w in interests if isinstance(w, str)] + list(_WORDS)
        return np.array([words[i] for i in random.integers(len(words), size=count)], dtype=dtype)
    numbers = np.array([n for n in interests if not isinstance(n, str)], dtype=np.float64)
    drawn = _numbers(element, count, numbers, random)
    if len(numbers):
        near = random.random(count) < 0.5
        drawn[near] = random.choice(numbers, size=int(near.sum()))
    near_or_far: np.ndarray = drawn.astype(dtype)
    return near_or_far


def _numbers(element: str, count: int, near: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if element == "bool" or "int" in element:
        # small and not negative: whole numbers are often positions in a table
        return random.integers(0, 2 if element == "bool" else 10, size=count).astype(np.float64)
    if not len(near):
        scales = random.choice(np.array([0.1, 1.0, 10.0]), size=count)
        spread: np.ndarray = random.normal(size=count) * scales
        return spread
    low, high = float(near.min()), float(near.max())
    margin = 0.1 * (high - low) + 1.0
    return random.uniform(low - margin, high + margin, size=count)
