"""Support vector machines: a weighted sum of kernels, one for each support vector.

A linear kernel needs no vectors at all: they fold into one weight a feature. Sources: the
operators' specification, and ONNX Runtime where it says nothing of ties and scores.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.operators.kernels import MOST_ROWS, squared_distance
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import labels, literals
from sqlscore.pushdown.sql.arithmetic import above, added, case, expression, lifted, needs, operand
from sqlscore.pushdown.sql.arithmetic import times as multiplied
from sqlscore.pushdown.sql.functions import computed, decaying, tanh
from sqlscore.pushdown.sql.sums import layer, negative
from sqlscore.pushdown.sql.transforms import TRANSFORMS
from sqlscore.pushdown.values.cells import Term
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.values.cells import Cell

_MOST_POWER = 8


def regressor(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """SVMRegressor: one sum; with `one_class` 1 where it is more than 0, and -1 else."""
    coefficients = np.array(node.floats("coefficients"), np.float32)
    rho = np.array(node.floats("rho")[:1], np.float32)
    if node.integer("n_supports", 0):
        vectors = _vectors(node, node.integer("n_supports", 0), x)
        (score,) = _sums(node, facts, x, vectors, coefficients[None, :], rho)
    else:
        (score,) = layer(x.row, coefficients[None, :], rho, np.float32, facts)
    if node.integer("one_class", 0):
        score = labels.beyond(score, 0.0, 1, -1, facts)
    return Tensor.of([score], "float")


def classifier(node: Node, facts: Expressions, x: Tensor) -> tuple[Tensor, Tensor]:
    """SVMClassifier: the label, and a score for each class or each pair of classes."""
    if node.has("prob_a"):
        raise Refused("its probabilities come from a search that ends by its own error")
    classes = node.labels("classlabels_ints")
    transform = node.text("post_transform", "NONE")
    make = _by_pairs if node.integers("vectors_per_class") else _by_classes
    label, scores = make(node, facts, x, classes)
    if len(classes) == 2 and node.integers("vectors_per_class") and transform != "NONE":
        raise Refused(f"ONNX Runtime gives a single score under {transform} no defined meaning")
    element = "string" if isinstance(classes[0], str) else "int64"
    made = TRANSFORMS[transform](scores, facts)
    return Tensor.of([label], element, (1,)), Tensor.of(made, "float")


def _by_classes(
    node: Node, facts: Expressions, x: Tensor, classes: Sequence[int | str]
) -> tuple[Cell, list[Cell]]:
    """Without support vectors: one sum a class, all with the same rho."""
    if len(classes) == 2:
        raise Refused("two classes without support vectors")
    weights = np.array(node.floats("coefficients"), np.float32).reshape(len(classes), -1)
    bias = np.full(len(classes), node.floats("rho")[0], np.float32)
    scores = layer(x.row, weights, bias, np.float32, facts)
    return labels.highest(scores, classes, facts), scores


def _by_pairs(
    node: Node, facts: Expressions, x: Tensor, classes: Sequence[int | str]
) -> tuple[Cell, list[Cell]]:
    """Each pair of classes has a sum, and the class that it favours a vote."""
    counts = node.integers("vectors_per_class")
    ends = np.cumsum(counts)
    total = int(ends[-1])
    given = np.array(node.floats("coefficients"), np.float32).reshape(-1, total)
    pairs = list(combinations(range(len(classes)), 2))
    weights = np.zeros((len(pairs), total), np.float32)
    for row, (i, j) in zip(weights, pairs, strict=True):
        first, second = (slice(ends[k] - counts[k], ends[k]) for k in (i, j))
        row[first], row[second] = given[j - 1, first], given[i, second]
    rho = np.array(node.floats("rho")[: len(pairs)], np.float32)
    sums = _sums(node, facts, x, _vectors(node, total, x), weights, rho)
    if len(classes) == 2:
        label = labels.beyond(sums[0], 0.0, classes[0], classes[1], facts)
        return label, [negative(sums[0]), sums[0]]
    votes = [_votes(k, pairs, sums, facts) for k in range(len(classes))]
    return labels.highest(votes, classes, facts), sums


def _votes(
    which: int, pairs: Sequence[tuple[int, int]], sums: Sequence[Cell], facts: Expressions
) -> Term:
    """How many of its pairs favour a class."""
    one, zero = literals.integer(1), literals.integer(0)
    votes = []
    for pair, cell in zip(pairs, sums, strict=True):
        if which in pair:
            test = above(expression(cell, facts), 0.0, facts)
            for_, against = (one, zero) if which == pair[0] else (zero, one)
            votes.append(case((test, for_), otherwise=against))
    return Term(sql=added(votes), exact=True, bounded=True, finite=True)


def _vectors(node: Node, count: int, x: Tensor) -> np.ndarray:
    vectors = np.array(node.floats("support_vectors"), np.float32)
    if vectors.size != count * len(x.row):
        raise Refused(f"{vectors.size} values for {count} vectors of {len(x.row)} features")
    return vectors.reshape(count, -1)


def _sums(
    node: Node,
    facts: Expressions,
    x: Tensor,
    vectors: np.ndarray,
    weights: np.ndarray,
    rho: np.ndarray,
) -> list[Cell]:
    """Each row of weights times the kernels, and its rho."""
    kernel = node.text("kernel_type", "LINEAR")
    gamma, coef0, degree = node.floats("kernel_params") or [0.0, 0.0, 0.0]
    if kernel == "LINEAR":
        folded = weights.astype(np.float64) @ vectors.astype(np.float64)
        return layer(x.row, folded, rho, np.float32, facts)
    if len(vectors) > MOST_ROWS:
        raise Refused(f"{len(vectors):,} support vectors (the most is {MOST_ROWS:,})")
    cells = [lifted(cell, facts) for cell in x.row]
    if kernel == "RBF":
        kernels = [_rbf(cells, vector, gamma, facts) for vector in vectors]
    else:
        bias = np.full(len(vectors), coef0)
        products = layer(cells, vectors.astype(np.float64) * gamma, bias, np.float32, facts)
        if kernel == "SIGMOID":
            kernels = [tanh(cell, facts) for cell in products]
        else:
            kernels = [_power(cell, degree, facts) for cell in products]
    return [_weighed(kernels, row, float(r), facts) for row, r in zip(weights, rho, strict=True)]


def _rbf(cells: Sequence[Cell], vector: np.ndarray, gamma: float, facts: Expressions) -> Cell:
    """``exp(-gamma * |x - vector|^2)``."""
    size = multiplied(squared_distance(cells, vector, facts), -gamma, facts)
    # where there is NaN, greatest passes over NULL
    kept = frozenset() if facts.nan else needs(cells)
    return Term(sql=decaying(size, facts), needs=kept, bounded=True, finite=True)


def _power(cell: Cell, degree: float, facts: Expressions) -> Cell:
    if not degree.is_integer() or not 1 <= degree <= _MOST_POWER:
        raise Refused(f"a polynomial kernel of degree {degree:g}")
    value = expression(cell, facts)
    whole = value
    for _ in range(int(degree) - 1):
        whole = exp.Mul(this=operand(whole), expression=operand(value))
    return computed([cell], whole)


def _weighed(kernels: Sequence[Cell], weights: np.ndarray, rho: float, facts: Expressions) -> Cell:
    used = [(k, float(w)) for k, w in zip(kernels, weights, strict=True) if w]
    parts = [multiplied(expression(cell, facts), weight, facts) for cell, weight in used]
    return computed([cell for cell, _ in used], added([*parts, literals.number(rho, facts)]))
