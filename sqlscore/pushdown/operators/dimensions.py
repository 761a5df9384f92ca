"""Operators on shapes. The number of rows is not known; it may only become a dimension again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import numpy_helper

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.values.cells import Choice
from sqlscore.pushdown.values.tensors import ROWS, Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node

#: what a shape with the number of rows in it may go through: operators that only move values, and
#: those that take a shape
TAKE_ROWS = frozenset({
    "Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Identity", "ConstantOfShape", "Expand",
    "Reshape",
})  # fmt: skip


def shape(node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Shape: known but for the number of rows."""
    if (x.outer, x.inner) != (1, 1):
        raise Refused("its input has several values a row along the rows' axis")
    sizes = [ROWS if axis == x.rows else size for axis, size in enumerate(x.cells.shape)]
    start, end = node.integer("start", 0), node.integer("end", len(sizes))
    return Tensor.constant(np.array(sizes[start:end], np.int64))


def constant_of_shape(node: Node, _facts: Expressions, sizes: Tensor) -> Tensor:
    """ConstantOfShape of as many rows as there are: the same value in each."""
    value = node.given.get("value")
    array = numpy_helper.to_array(value) if value is not None else np.zeros(1, np.float32)
    made = Tensor.constant(array)
    shape = columns(sizes)
    (cell,) = made.row
    if isinstance(cell, str | bool):
        raise Refused(f"it repeats a value of {made.element}")
    always = Choice(feature="", tests=(), values=(), otherwise=cell)  # type: ignore[arg-type]
    return Tensor.of([always] * int(np.prod(shape)), made.element, shape)


def expand(_node: Node, _facts: Expressions, x: Tensor, sizes: Tensor) -> Tensor:
    """Expand of the columns of a row."""
    shape = columns(sizes) if ROWS in sizes.row else tuple(int(n) for n in sizes.values())
    if len(shape) < x.cells.ndim:
        shape = (1,) * (x.cells.ndim - len(shape)) + shape
    if len(shape) > x.cells.ndim or shape[0] != 1:
        raise Refused("it repeats rows")
    wanted = np.broadcast_shapes(x.cells.shape, shape)
    return Tensor(np.broadcast_to(x.cells, wanted), x.element)


def columns(sizes: Tensor) -> tuple[int, ...]:
    """The shape that one row has, of a shape that begins with the number of rows."""
    first, *rest = [int(n) for n in sizes.values().ravel()]
    if first != ROWS or ROWS in rest:
        raise Refused("the number of rows is another dimension than the first")
    return 1, *rest
