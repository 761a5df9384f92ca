"""Activations of neural networks that are made of exp and log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.activations import clipped
from sqlscore.pushdown.operators.elementwise import quotient
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import functions, literals
from sqlscore.pushdown.sql.arithmetic import (
    above,
    added,
    case,
    expression,
    greatest,
    operand,
    times,
)
from sqlscore.pushdown.sql.functions import computed
from sqlscore.pushdown.sql.saturation import clamped
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell, Term


def elu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Elu: ``alpha * (exp(z) - 1)`` of what is negative."""
    alpha = node.float("alpha", 1.0)
    return _each(x, [_elu(cell, alpha, 1.0, facts) for cell in x.row])


def selu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Selu: Elu times gamma."""
    alpha = node.float("alpha", 1.67326319217681884765625)
    gamma = node.float("gamma", 1.05070102214813232421875)
    return _each(x, [_elu(cell, alpha, gamma, facts) for cell in x.row])


def _elu(cell: Cell, alpha: float, gamma: float, facts: Expressions) -> Cell:
    z = expression(cell, facts)
    grown = exp.Sub(this=functions.decaying(z, facts), expression=literals.number(1.0, facts))
    negative = exp.LTE(this=operand(z), expression=literals.number(0.0, facts))
    bent = times(grown, float(np.float32(alpha)), facts)
    sql = case((negative, bent), otherwise=z)
    return computed([cell], times(sql, float(np.float32(gamma)), facts))


def celu(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Celu: ``alpha * (exp(z / alpha) - 1)`` of what is negative."""
    alpha = node.float("alpha", 1.0)
    cells: list[Cell] = []
    for cell in x.row:
        z, zero = expression(cell, facts), literals.number(0.0, facts)
        inner = times(z, 1 / alpha, facts)
        grown = exp.Sub(
            this=functions.decaying(inner, facts), expression=literals.number(1.0, facts)
        )
        negative = exp.LTE(this=operand(z), expression=zero)
        cells.append(computed([cell], case((negative, times(grown, alpha, facts)), otherwise=z)))
    return _each(x, cells)


def p_relu(_node: Node, facts: Expressions, x: Tensor, slope: Tensor) -> Tensor:
    """PRelu: what is negative times a constant of its feature."""
    slopes = np.broadcast_to(slope.values(), x.cells.shape).ravel()
    zero = literals.number(0.0, facts)
    cells: list[Cell] = []
    for cell, by in zip(x.row, slopes, strict=True):
        z = expression(cell, facts)
        test = exp.LT(this=operand(z), expression=zero)
        below = times(z if by or facts.infinity else clamped(z, facts), float(by), facts)
        cells.append(computed([cell], case((test, below), otherwise=z)))
    return _each(x, cells)


def softplus(_node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Softplus: ``log(1 + exp(z))``."""
    return _each(x, [_softplus(cell, facts) for cell in x.row])


def _softplus(cell: Cell, facts: Expressions) -> Cell:
    z, one = expression(cell, facts), literals.number(1.0, facts)

    def rest(value: exp.Expression) -> exp.Expression:
        return exp.Ln(this=added([one, functions.decaying(value, facts)]))

    sql = case(
        (above(z, 0.0, facts), added([z, rest(exp.Neg(this=operand(z)))])),
        (exp.LTE(this=operand(z), expression=literals.number(0.0, facts)), rest(z)),
        otherwise=z,
    )
    return computed([cell], sql)


def softsign(_node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """Softsign: ``z / (1 + |z|)``."""
    one = literals.number(1.0, facts)
    cells: list[Cell] = []
    for cell in x.row:
        z = expression(cell, facts)
        size = exp.Abs(this=z)
        cells.append(computed([cell], quotient(z, added([one, size]), facts)))
    return _each(x, cells)


def hard_sigmoid(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """HardSigmoid: ``alpha * z + beta`` between 0 and 1."""
    return ramp(x, node.float("alpha", 0.2), node.float("beta", 0.5), facts)


def ramp(x: Tensor, slope: float, offset: float, facts: Expressions) -> Tensor:
    """``slope * z + offset`` between 0 and 1."""
    alpha, beta = float(np.float32(slope)), float(np.float32(offset))
    cells: list[Cell] = []
    for cell in x.row:
        moved = added([times(expression(cell, facts), alpha, facts), literals.number(beta, facts)])
        cells.append(clipped(computed([cell], moved), 0.0, 1.0, facts))
    return _each(x, cells)


def log_soft_max(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """LogSoftmax over the features."""
    if x.cells.ndim != 2 or node.integer("axis", -1 if node.opset >= 13 else 1) not in {1, -1}:
        raise Refused("another axis than the features'")
    values = [expression(cell, facts) for cell in x.row]
    most = greatest(values, facts)
    less = [exp.Sub(this=operand(value), expression=operand(most)) for value in values]
    total = functions.logarithm(added([functions.exponential(v, facts) for v in less]), facts)
    return _each(
        x, [computed(x.row, exp.Sub(this=value, expression=operand(total))) for value in less]
    )


def _each(x: Tensor, cells: list[Cell] | list[Term]) -> Tensor:
    return Tensor.of(cells, x.element, x.cells.shape)
