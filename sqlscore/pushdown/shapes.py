"""Operators that move, join and rename columns and compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sqlscore.pushdown.cells import Tensor
from sqlscore.pushdown.refusals import Refused

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node


def identity(_node: Node, _facts: Expressions, x: Tensor) -> Tensor:
    """Identity: the tensor itself."""
    return x


def concat(node: Node, _facts: Expressions, *parts: Tensor) -> Tensor:
    """Concat of columns."""
    axis = node.integer("axis", 1)
    rank = parts[0].cells.ndim
    if axis % rank == 0:
        raise Refused("it joins rows")
    return Tensor(np.concatenate([part.cells for part in parts], axis=axis), parts[0].element)


def reshape(_node: Node, _facts: Expressions, x: Tensor, shape: Tensor) -> Tensor:
    """Reshape that keeps the rows apart."""
    wanted = [int(n) for n in shape.values().ravel()]
    size = x.cells.size
    if size == 1:
        return Tensor(x.cells.reshape([1] * len(wanted)), x.element)
    inner = [x.cells.shape[i] if n == 0 else n for i, n in enumerate(wanted)][1:]
    if not wanted or wanted[0] not in {0, -1} or (wanted[0] == -1 and -1 in inner):
        raise Refused(f"the shape {wanted} puts values of several rows side by side")
    try:
        return Tensor(x.cells.reshape([1, *inner]), x.element)
    except ValueError as error:
        raise Refused(f"the shape {wanted} does not fit {size} values a row") from error
