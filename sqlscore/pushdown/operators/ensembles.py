"""Tree ensembles: the sum, average, least or largest of their trees, and classes from it.

Which scores a classifier makes of one sum for two classes follows ONNX Runtime's aggregator, which
`_binary` spells out.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import labels
from sqlscore.pushdown.sql.arithmetic import operand
from sqlscore.pushdown.sql.functions import logistic
from sqlscore.pushdown.sql.sums import negative
from sqlscore.pushdown.sql.transforms import TRANSFORMS, probit
from sqlscore.pushdown.trees.ensemble import Ensemble
from sqlscore.pushdown.trees.forests import forest_of, numbered_forest_of
from sqlscore.pushdown.values.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.node import Node
    from sqlscore.pushdown.trees.branches import Forest
    from sqlscore.pushdown.values.cells import Cell, Term


def regressor(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """TreeEnsembleRegressor: one score a target."""
    ensemble = Ensemble.of(forest_of(node, "target"), facts, x)
    base = node.floats("base_values") or node.floats("base_values_as_tensor")
    how = node.text("aggregate_function", "SUM")
    return Tensor.of(
        _regression(ensemble, node.integer("n_targets", 1), how, base,
                    node.text("post_transform", "NONE")), "float")  # fmt: skip


def _regression(
    ensemble: Ensemble, targets: int, how: str, base: Sequence[float], transform: str
) -> list[Cell]:
    if len(base) not in {0, targets}:
        base = []
    scores = [
        ensemble.term(ensemble.plus(ensemble.aggregate(i, how), base[i] if base else 0.0))
        for i in range(targets)
    ]
    if len(scores) > 1:
        return TRANSFORMS[transform](scores, ensemble.facts)
    if ensemble.single and not base:
        scores[0] = dataclasses.replace(scores[0], choice=ensemble.only(0))
    return [probit(scores[0], ensemble.facts) if transform == "PROBIT" else scores[0]]


#: by the numbers that opset 5 has for them
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
#: by ONNX Runtime 1.32's numbers: where the specification says SOFTMAX it takes LOGISTIC, and the
#: other way round
_TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")


def ensemble(node: Node, facts: Expressions, x: Tensor) -> Tensor:
    """TreeEnsemble of opset 5: one score a target, of the type of its input."""
    how = _AGGREGATES[node.integer("aggregate_function", 1)]
    transform = _TRANSFORMS[node.integer("post_transform", 0)]
    forest = Ensemble.of(numbered_forest_of(node), facts, x)
    scores = _regression(forest, node.integer("n_targets", 1), how, [], transform)
    return Tensor.of(scores, x.element)


def classifier(node: Node, facts: Expressions, x: Tensor) -> tuple[Tensor, Tensor]:
    """TreeEnsembleClassifier: the label, and a score for each class."""
    ensemble = Ensemble.of(forest_of(node, "class"), facts, x)
    classes = node.labels("classlabels_int64s")
    base = node.floats("base_values") or node.floats("base_values_as_tensor")
    transform = node.text("post_transform", "NONE")
    make = _several if len(classes) > 2 else _binary
    label, scores = make(ensemble, classes, base, transform)
    element = "string" if isinstance(classes[0], str) else "int64"
    return Tensor.of([label], element, (1,)), Tensor.of(scores, "float")


def _several(
    ensemble: Ensemble, classes: Sequence[int | str], base: Sequence[float], transform: str
) -> tuple[Term, list[Cell]]:
    used = ensemble.forest.outputs() | set(range(len(base)))
    scores = [
        ensemble.term(ensemble.plus(ensemble.aggregate(i, "SUM"), base[i] if base else 0.0))
        for i in range(len(classes))
    ]
    candidates = [i for i in range(len(classes)) if i in used]
    label = labels.highest(
        [scores[i] for i in candidates], [classes[i] for i in candidates], ensemble.facts
    )
    return label, TRANSFORMS[transform](scores, ensemble.facts)


def _binary(
    ensemble: Ensemble, classes: Sequence[int | str], base: Sequence[float], transform: str
) -> tuple[Term, list[Cell]]:
    facts = ensemble.facts
    used = ensemble.forest.outputs()
    sums = [ensemble.aggregate(i, "SUM") for i in range(2)]
    one_sum = len(used) == 1
    first, second = classes if one_sum or isinstance(classes[0], str) else (0, 1)
    if len(base) == 2:
        if one_sum:
            raise Refused("two base values for the one sum of two classes")
        score = ensemble.term(ensemble.plus(sums[0], base[1]))
        pair: list[Cell] = [negative(score), score]
        deciding = score
    else:
        start = ensemble.term(ensemble.plus(sums[0], base[0] if len(base) == 1 else 0.0))
        pair = [start, ensemble.term(sums[1])] if 1 in used else [start]
        deciding = pair[-1]  # type: ignore[assignment]
    positive = one_sum and _positive(ensemble.forest)
    label = labels.beyond(deciding, 0.5 if positive else 0.0, second, first, facts)
    if len(pair) == 2:
        return label, TRANSFORMS[transform](pair, facts)
    return label, _from_one(ensemble, deciding, transform, positive=positive)


def _positive(forest: Forest) -> bool:
    return all(w >= 0 for leaf in forest.leaves() for w in leaf.weights.values())


def _from_one(ensemble: Ensemble, score: Term, transform: str, *, positive: bool) -> list[Cell]:
    """The scores of two classes from one sum; of the transforms only the logistic one is made."""
    facts = ensemble.facts
    if transform == "PROBIT":
        raise Refused("ONNX Runtime gives a single score under PROBIT no defined meaning")
    if transform == "LOGISTIC":
        return [logistic(negative(score), facts), logistic(score, facts)]
    if positive:
        rest = exp.Sub(this=ensemble.number(1.0), expression=operand(score.sql))
        return [ensemble.term(rest), score]
    return [negative(score), score]
