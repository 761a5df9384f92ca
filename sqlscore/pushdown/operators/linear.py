"""Linear models, and layers of neural networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sqlscore.pushdown.operators.elementwise import add
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import labels
from sqlscore.pushdown.sql.functions import logistic
from sqlscore.pushdown.sql.sums import layer, negative
from sqlscore.pushdown.sql.transforms import TRANSFORMS, probit
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def regressor(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """LinearRegressor: one sum a target. ONNX Runtime transforms a single one by PROBIT only."""
    sums = _scores(node, facts, x, node.integer("targets", 1))
    transform = node.text("post_transform", "NONE")
    if len(sums) > 1:
        return Tensor.of(TRANSFORMS[transform](sums, facts), "float")
    return Tensor.of([probit(sums[0], facts) if transform == "PROBIT" else sums[0]], "float")


def classifier(node: Node, facts: Expressions, x: Tensor) -> tuple[Tensor, Tensor]:
    """LinearClassifier: the label, and a score for each class."""
    classes = node.labels("classlabels_ints")
    sums = _scores(node, facts, x, len(node.floats("intercepts")) or len(classes))
    transform = node.text("post_transform", "NONE")
    if len(sums) == 1:
        if len(classes) != 2:
            raise Refused(f"one score for {len(classes)} class labels")
        label = labels.beyond(sums[0], 0.0, classes[1], classes[0], facts)
        scores = _both_classes(sums[0], transform, facts)
    else:
        label = labels.highest(sums, classes, facts)
        scores = TRANSFORMS[transform](sums, facts)
    element = "string" if isinstance(classes[0], str) else "int64"
    return Tensor.of([label], element, (1,)), Tensor.of(scores, "float")


def _both_classes(score: Cell, transform: str, facts: Expressions) -> list[Cell]:
    """The scores of two classes from the one of the second."""
    if transform == "LOGISTIC":
        return [logistic(negative(score), facts), logistic(score, facts)]
    if transform == "PROBIT":
        raise Refused("ONNX Runtime gives a single score under PROBIT no defined meaning")
    (first,) = layer([score], np.array([[-1.0]]), np.array([1.0]), np.float32, facts)
    return [first, score]


def _scores(node: Node, facts: Expressions, x: Tensor, targets: int) -> list[Cell]:
    cells = x.row
    weights = np.array(node.floats("coefficients"), np.float32)
    if weights.size != targets * len(cells):
        raise Refused(f"{weights.size} coefficients for {len(cells)} features and {targets} scores")
    bias = np.array(node.floats("intercepts") or [0.0] * targets, np.float32)
    return layer(cells, weights.reshape(targets, len(cells)), bias, np.float32, facts)


def gemm(node: Node, facts: Expressions, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """Gemm: ``alpha * a @ b + beta * c`` with a constant `b`."""
    if node.integer("transA", 0):
        raise Refused("it transposes the batch")
    weights = b.values() if node.integer("transB", 0) else b.values().T
    weights = weights * a.dtype(node.float("alpha", 1.0))
    bias = np.zeros(len(weights), a.dtype)
    if c is not None and not c.is_constant:
        if node.float("beta", 1.0) != 1.0:
            raise Refused("it weighs what depends on the row (beta)")
        product = Tensor.of(layer(a.row, weights, bias, a.dtype, facts), a.element)
        return add(node, facts, product, c)
    if c is not None:
        bias = np.broadcast_to(c.values() * a.dtype(node.float("beta", 1.0)), (1, len(weights)))[0]
    return Tensor.of(layer(a.row, weights, bias, a.dtype, facts), a.element)


def matmul(node: Node, facts: Expressions, a: Tensor, b: Tensor) -> Tensor:
    """MatMul of the features and a constant matrix."""
    weights = b.values()
    if weights.ndim == 1:  # which is one column, and gives none
        product = matmul(node, facts, a, Tensor.constant(weights[:, None]))
        return Tensor(product.cells.reshape(1), product.element)
    if a.cells.ndim != 2 or weights.ndim != 2:
        raise Refused("a product of other shapes than [N, k] and [k, m]")
    zeros = np.zeros(weights.shape[1], a.dtype)
    return Tensor.of(layer(a.row, weights.T, zeros, a.dtype, facts), a.element)
