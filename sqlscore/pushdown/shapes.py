"""Operators that move, join and rename columns and compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown import labels
from sqlscore.pushdown.arithmetic import case, expression, operand
from sqlscore.pushdown.cells import ROWS, Choice, Tensor, Term
from sqlscore.pushdown.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.node import Node


def identity(_node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Identity: the tensor itself."""
    return x


def concat(node: Node, _facts: Expressions, *parts: Tensor) -> Tensor:
    """Concat of columns."""
    if len({part.rows for part in parts}) > 1:
        raise Refused("its inputs have their rows along different axes")
    axis = _inner(node.integer("axis", 1), parts[0])
    whole = np.concatenate([part.cells for part in parts], axis=axis)
    return Tensor(whole, parts[0].element, parts[0].rows)


def feature_vectorizer(_node: Node, _facts: Expressions, *parts: Tensor) -> Tensor:
    """FeatureVectorizer: all columns side by side, as float32."""
    if any(part.element != "float" for part in parts):
        raise Refused("it casts its inputs")
    return Tensor.of([cell for part in parts for cell in part.row], "float")


def reshape(node: Node, _facts: Expressions, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """Reshape that keeps the rows apart."""
    given = shape.values().ravel().tolist() if shape else node.integers("shape")
    wanted = [int(n) for n in given]
    size = x.cells.size
    if wanted[:1] == [ROWS]:
        return Tensor(x.cells.reshape([1, *wanted[1:]]), x.element)
    if wanted[:2] == [1, -1] and size == np.prod(wanted[2:]):
        return Tensor(x.cells.reshape([1, 1, *wanted[2:]]), x.element, rows=1)
    if size == 1:
        return Tensor(x.cells.reshape([1] * len(wanted)), x.element)
    inner = [x.cells.shape[i] if n == 0 else n for i, n in enumerate(wanted)][1:]
    if not wanted or wanted[0] not in {0, -1} or (wanted[0] == -1 and -1 in inner):
        raise Refused(f"the shape {wanted} puts values of several rows side by side")
    try:
        return Tensor(x.cells.reshape([1, *inner]), x.element)
    except ValueError as error:
        raise Refused(f"the shape {wanted} does not fit {size} values a row") from error


def flatten(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Flatten: one row of columns a row."""
    if node.integer("axis", 1) != 1:
        raise Refused("it joins rows")
    return Tensor(x.cells.reshape(1, -1), x.element)


def squeeze(node: Node, _facts: Expressions, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Squeeze of inner dimensions of 1."""
    given = axes.values().ravel().tolist() if axes else node.integers("axes")
    chosen = [int(a) % x.cells.ndim for a in given]
    if not chosen or 0 in chosen:
        raise Refused("it drops the rows' own dimension")
    return Tensor(x.cells.squeeze(tuple(chosen)), x.element)


def unsqueeze(node: Node, _facts: Expressions, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Unsqueeze behind the rows' dimension."""
    given = axes.values().ravel().tolist() if axes else node.integers("axes")
    rank = x.cells.ndim + len(given)
    chosen = [int(a) % rank for a in given]
    if 0 in chosen:
        raise Refused("it puts a dimension before the rows")
    return Tensor(np.expand_dims(x.cells, tuple(chosen)), x.element)


def split(
    node: Node, _facts: Expressions, x: Tensor, sizes: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Split into groups of columns."""
    axis = _inner(node.integer("axis", 0), x)
    given = sizes.values().ravel().tolist() if sizes else node.integers("split")
    width, count = x.cells.shape[axis], len(node.outputs)
    step = -(-width // count)
    widths = given or [min(step, width - i * step) for i in range(count)]
    edges = np.cumsum(widths)[:-1]
    return tuple(Tensor(part, x.element) for part in np.split(x.cells, edges, axis=axis))


def slice_(
    node: Node,
    _facts: Expressions,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """Slice of columns."""

    def given(tensor: Tensor | None, name: str) -> list[int]:
        return tensor.values().ravel().tolist() if tensor else node.integers(name)

    first, last = given(starts, "starts"), given(ends, "ends")
    chosen = given(axes, "axes") or list(range(len(first)))
    strides = given(steps, "steps") or [1] * len(first)
    places = [slice(None)] * x.cells.ndim
    for start, end, axis, step in zip(first, last, chosen, strides, strict=True):
        low = -(2**62)  # "to the beginning", going backwards
        places[_inner(axis, x)] = slice(start, None if end < low else end, step)
    return Tensor(x.cells[tuple(places)], x.element)


def gather(node: Node, facts: Expressions, x: Tensor, index: Tensor) -> Tensor:
    """Gather of columns by constant places, or of a constant's values by a computed place."""
    if x.is_constant and not index.is_constant:
        return _looked_up(x, index, facts)
    axis = _inner(node.integer("axis", 0), x)
    return Tensor(np.take(x.cells, index.values().astype(np.int64), axis=axis), x.element)


def array_feature_extractor(_node: Node, facts: Expressions, x: Tensor, index: Tensor) -> Tensor:
    """ArrayFeatureExtractor: columns by constant places, or labels by a computed place."""
    if x.is_constant and not index.is_constant:
        return _looked_up(x, index, facts)
    places = index.values().astype(np.int64).ravel()
    return Tensor(np.take(x.cells, places, axis=-1), x.element)


def _looked_up(table: Tensor, index: Tensor, facts: Expressions) -> Tensor:
    """The values of a constant at computed places; one a row."""
    if index.cells.size != 1 or table.cells.size != table.cells.shape[-1]:
        raise Refused("it looks up several values a row")
    (place,) = index.row
    if isinstance(place, Choice):
        values = table.row
        found: Cell = place.mapped(lambda at: np.array([values[int(i)] for i in at], object))
    else:
        found = _by_place(table.row, expression(place, facts))
    return Tensor.of([found], table.element, (1, 1))


def _by_place(values: Sequence[Cell], place: exp.Expression) -> Term:
    numbers = [labels.label_of(i) for i in range(len(values))]
    *made, last = [labels.label_of(value) for value in values]  # type: ignore[arg-type]
    tests = [
        (exp.EQ(this=operand(place), expression=number), value)
        for number, value in zip(numbers, made, strict=False)
    ]
    return Term(
        sql=case(*tests, otherwise=last) if tests else last, exact=True, bounded=True, finite=True
    )


def transpose(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Transpose of inner dimensions; of a single value a row, whatever it does."""
    order = node.integers("perm") or list(range(x.cells.ndim))[::-1]
    if order[0] != 0 and x.cells.size > 1:
        raise Refused("it moves the rows' dimension")
    return Tensor(x.cells.transpose(order), x.element)


def _inner(axis: int, x: Tensor) -> int:
    """The axis, counted from the front; refused where it is the rows'."""
    counted = axis % x.cells.ndim
    if counted == x.rows:
        raise Refused("its axis is that of the rows")
    return counted
