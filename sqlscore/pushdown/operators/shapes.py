"""Operators that move, join and rename columns and compute nothing."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.values.tensors import ROWS, Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node


def identity(_node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Identity: the tensor itself."""
    return x


def concat(node: Node, _facts: Expressions, *parts: Tensor) -> Tensor:
    """Concat of columns, or of the rows of several tensors one after the other."""
    moving = [part for part in parts if not part.is_constant] or list(parts)
    first = moving[0]
    if len({(part.rows, part.inner) for part in moving}) > 1:
        raise Refused("its inputs have their rows along different axes")
    axis = node.integer("axis", 1) % first.cells.ndim
    whole = np.concatenate([part.cells for part in parts], axis=axis)
    if axis != first.rows:
        return dataclasses.replace(first, cells=whole)
    if first.inner != 1 or len(moving) < len(parts):
        raise Refused("it puts other values behind those of the rows")
    return dataclasses.replace(first, cells=whole, outer=sum(part.outer for part in parts))


def feature_vectorizer(_node: Node, _facts: Expressions, *parts: Tensor) -> Tensor:
    """FeatureVectorizer: all columns side by side, as float32."""
    if any(part.element != "float" for part in parts):
        raise Refused("it casts its inputs")
    return Tensor.of([cell for part in parts for cell in part.row], "float")


def reshape(node: Node, _facts: Expressions, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """Reshape that keeps the values of a row together, wherever the rows' axis is then."""
    given = shape.values().ravel().tolist() if shape else node.integers("shape")
    wanted = [int(n) for n in given]
    whole = [i for i, n in enumerate(wanted) if n == ROWS or (n == 0 and i == x.rows)]
    place = next(iter(whole), wanted.index(-1) if -1 in wanted else None)
    if place is None:
        if x.cells.size == 1:  # of a single value a row, whatever it says
            return Tensor(x.cells.reshape([1] * len(wanted)), x.element)
        raise Refused(f"the shape {wanted} has no place for the rows")
    before, after = x.around
    sizes = [x.cells.shape[i] if n == 0 and i != place else n for i, n in enumerate(wanted)]
    left, right = _resolved(sizes[:place], before), _resolved(sizes[place + 1 :], after)
    outer, lost = divmod(before, math.prod(left))
    inner, more = divmod(after, math.prod(right))
    if lost or more or (whole and (outer, inner) != (1, 1)):
        raise Refused(f"the shape {wanted} puts values of several rows side by side")
    return x.shaped([*left, outer * inner, *right], rows=place, outer=outer, inner=inner)


def _resolved(sizes: list[int], total: int) -> list[int]:
    """The sizes with what is left of the total in the place of -1."""
    known = math.prod(n for n in sizes if n != -1)
    return [total // known if n == -1 else n for n in sizes]


def flatten(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Flatten into two axes; the rows' axis becomes part of one of them."""
    axis = node.integer("axis", 1) % (x.cells.ndim + 1)
    before, after = x.around
    if x.rows < axis:
        right = math.prod(x.cells.shape[axis:])
        sizes, inner = [x.cells.size // right, right], after // right
        return x.shaped(sizes, rows=0, outer=before, inner=inner)
    left = math.prod(x.cells.shape[:axis])
    return x.shaped([left, x.cells.size // left], rows=1, outer=before // left, inner=after)


def squeeze(node: Node, _facts: Expressions, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Squeeze of dimensions of 1 that are not the rows' own."""
    given = axes.values().ravel().tolist() if axes else node.integers("axes")
    chosen = [int(a) % x.cells.ndim for a in given]
    if not chosen or x.rows in chosen:
        raise Refused("it drops the rows' own dimension")
    rows = x.rows - sum(axis < x.rows for axis in chosen)
    return dataclasses.replace(x, cells=x.cells.squeeze(tuple(chosen)), rows=rows)


def unsqueeze(node: Node, _facts: Expressions, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Unsqueeze before or behind the rows' dimension."""
    given = axes.values().ravel().tolist() if axes else node.integers("axes")
    rank = x.cells.ndim + len(given)
    chosen = {int(a) % rank for a in given}
    kept = [axis for axis in range(rank) if axis not in chosen]
    cells = np.expand_dims(x.cells, tuple(sorted(chosen)))
    return dataclasses.replace(x, cells=cells, rows=kept[x.rows])


def split(
    node: Node, _facts: Expressions, x: Tensor, sizes: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Split into groups of columns."""
    axis = inner_axis(node.integer("axis", 0), x)
    given = sizes.values().ravel().tolist() if sizes else node.integers("split")
    width, count = x.cells.shape[axis], len(node.outputs)
    step = -(-width // count)
    widths = given or [min(step, width - i * step) for i in range(count)]
    edges = np.cumsum(widths)[:-1]
    return tuple(dataclasses.replace(x, cells=part) for part in np.split(x.cells, edges, axis=axis))


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
        places[inner_axis(axis, x)] = slice(start, None if end < low else end, step)
    return dataclasses.replace(x, cells=x.cells[tuple(places)])


def transpose(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Transpose; the rows' axis moves like the others."""
    order = node.integers("perm") or list(range(x.cells.ndim))[::-1]
    return dataclasses.replace(x, cells=x.cells.transpose(order), rows=order.index(x.rows))


def inner_axis(axis: int, x: Tensor) -> int:
    """The axis, counted from the front; refused where it is the rows'."""
    counted = axis % x.cells.ndim
    if counted == x.rows:
        raise Refused("its axis is that of the rows")
    return counted
