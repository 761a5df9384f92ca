"""Normalizations inside of networks: by what training saw, or by the row itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import added, divided, expression, greatest, operand, times
from sqlscore.pushdown.sql.functions import computed
from sqlscore.pushdown.sql.sums import layer
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


_TINY = 1e-60


def batch_normalization(
    node: Node,
    facts: Expressions,
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
) -> Tensor:
    """BatchNormalization of features by constants: one product and one sum each."""
    if node.integer("training_mode", 0) or len([o for o in node.outputs if o]) > 1:
        raise Refused("it normalizes by the batch")
    _plain(x)
    spread = np.sqrt(variance.values().astype(np.float64) + node.float("epsilon", 1e-5))
    slopes = scale.values() / spread
    offsets = bias.values() - mean.values() * slopes
    cells = [
        layer([cell], np.array([[slope]]), np.array([offset]), x.dtype, facts)[0]
        for cell, slope, offset in zip(x.row, slopes, offsets, strict=True)
    ]
    return Tensor.of(cells, x.element, x.cells.shape)


def layer_normalization(
    node: Node, facts: Expressions, x: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor:
    """LayerNormalization over the features: each less their mean, over their deviation."""
    _over_features(node, x)
    cells, dtype = x.row, x.dtype
    (mean,) = layer(cells, np.full((1, len(cells)), 1 / len(cells)), np.zeros(1), dtype, facts)
    middle = operand(expression(mean, facts))
    less = [exp.Sub(this=operand(expression(cell, facts)), expression=middle) for cell in cells]
    made = _by_size(node, less, cells, facts)
    return _scaled(made, x, scale, bias, facts)


def rms_normalization(node: Node, facts: Expressions, x: Tensor, scale: Tensor) -> Tensor:
    """RMSNormalization over the features: each over the root of their mean square."""
    _over_features(node, x)
    values = [expression(cell, facts) for cell in x.row]
    return _scaled(_by_size(node, values, x.row, facts), x, scale, None, facts)


def _by_size(
    node: Node, values: Sequence[exp.Expression], cells: Sequence[Cell], facts: Expressions
) -> list[Cell]:
    """Each value over the root of the mean of all squares."""
    sizes = [_size(value, facts) for value in values]
    squares = [exp.Mul(this=operand(size), expression=operand(size)) for size in sizes]
    mean = times(added(squares), 1 / len(squares), facts)
    epsilon = literals.number(node.float("epsilon", 1e-5), facts)
    size = exp.Sqrt(this=added([mean, epsilon]))
    return [computed(cells, divided(value, size)) for value in values]


def _size(value: exp.Expression, facts: Expressions) -> exp.Expression:
    """The value, or its size where a square could underflow; that adds nothing beside epsilon."""
    if not facts.underflow_raises:
        return value
    return greatest([exp.Abs(this=value), literals.number(_TINY, facts)], facts)


def _scaled(
    cells: Sequence[Cell], x: Tensor, scale: Tensor, bias: Tensor | None, facts: Expressions
) -> Tensor:
    """Times the scale, plus the bias, one of each a feature."""
    count = len(cells)
    slopes = np.broadcast_to(scale.values().ravel(), count)
    offsets = np.zeros(count) if bias is None else np.broadcast_to(bias.values().ravel(), count)
    made = [
        computed([cell], _moved(expression(cell, facts), slope, offset, facts))
        for cell, slope, offset in zip(cells, slopes, offsets, strict=True)
    ]
    return Tensor.of(made, x.element, x.cells.shape)


def _moved(value: exp.Expression, slope: Any, offset: Any, facts: Expressions) -> exp.Expression:
    scaled = times(value, float(slope), facts)
    return added([scaled, literals.number(float(offset), facts)]) if offset else scaled


def _over_features(node: Node, x: Tensor) -> None:
    _plain(x)
    if node.integer("axis", -1) not in {1, -1}:
        raise Refused("another axis than the features'")
    if len([output for output in node.outputs if output]) > 1:
        raise Refused("it gives the mean and the deviation too")


def _plain(x: Tensor) -> None:
    if x.cells.ndim != 2 or not x.is_plain:
        raise Refused("an input of another shape than [N, k]")
