"""Activations that are made of others: a value times a curve of it, or none below a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators import activations, comparisons, networks
from sqlscore.pushdown.operators.elementwise import add, multiply
from sqlscore.pushdown.sql.arithmetic import expression, operand
from sqlscore.pushdown.sql.functions import computed
from sqlscore.pushdown.sql.saturation import clamped
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell


def swish(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Swish: a value times the logistic function of `alpha` times it."""
    inner = multiply(node, facts, x, _number(node.float("alpha", 1.0), x))
    return _weighed(x, activations.sigmoid(node, facts, inner), facts)


def hard_swish(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """HardSwish: a value times ``z / 6 + 1 / 2`` between 0 and 1."""
    return _weighed(x, networks.ramp(x, 1 / 6, 0.5, facts), facts)


def mish(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Mish: a value times the hyperbolic tangent of its Softplus."""
    inner = networks.softplus(node, facts, x)
    return _weighed(x, activations.tanh(node, facts, inner), facts)


def gelu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Gelu: a value times the normal distribution's share below it, or nearly that by tanh."""
    if node.text("approximate", "none") == "tanh":
        square = multiply(node, facts, x, x)
        bent = multiply(node, facts, square, _number(0.044715, x))
        factor = add(node, facts, bent, _number(1.0, x))
        inner = multiply(node, facts, multiply(node, facts, x, factor), _number(_TANH, x))
        curve = activations.tanh(node, facts, inner)
    else:
        inner = multiply(node, facts, x, _number(math.sqrt(0.5), x))
        curve = activations.erf(node, facts, inner)
    share = multiply(node, facts, add(node, facts, curve, _number(1.0, x)), _number(0.5, x))
    return _weighed(x, share, facts)


_TANH = math.sqrt(2 / math.pi)


def thresholded_relu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """ThresholdedRelu: what is more than `alpha`, and zero of all else, NaN too."""
    bound = node.float("alpha", 1.0)
    cells = [comparisons.compare("Greater", cell, bound, facts) for cell in x.row]
    kept = Tensor.of(cells, "bool", x.cells.shape)
    return comparisons.where(node, facts, kept, x, _number(0.0, x))


def _weighed(x: Tensor, curve: Tensor, facts: Expressions) -> Tensor:
    """The product of each value and its curve, which is zero where the value may be -inf."""
    cells: list[Cell] = []
    for cell, share in zip(x.row, curve.row, strict=True):
        value = expression(cell, facts)
        if not facts.infinity:
            value = clamped(value, facts)  # NULL, as infinities and NaN are there
        product = exp.Mul(this=operand(value), expression=operand(expression(share, facts)))
        cells.append(computed([cell, share], product))
    return Tensor.of(cells, x.element, x.cells.shape)


def _number(value: float, x: Tensor) -> Tensor:
    return Tensor.constant(np.array(value, x.dtype))
