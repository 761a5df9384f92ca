"""Tree ensembles: the sum, average, least or largest of their trees, and classes from it.

ONNX Runtime adds the leaves in float32, in the order of the trees; where a product has a 4-byte
float the same sum gives the same bits. Which scores a classifier makes of one sum for two classes
follows its aggregator, which `_binary` spells out.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown import labels, literals
from sqlscore.pushdown.arithmetic import added, case, divided, either, operand
from sqlscore.pushdown.cells import LARGEST, Choice, Term
from sqlscore.pushdown.forests import forest_of, numbered_forest_of
from sqlscore.pushdown.functions import logistic
from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sums import negative
from sqlscore.pushdown.tensors import Tensor
from sqlscore.pushdown.transforms import TRANSFORMS, probit
from sqlscore.pushdown.trees import Grower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.branches import Forest, Leaf
    from sqlscore.pushdown.cells import Cell
    from sqlscore.pushdown.node import Node


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The expressions of a forest's outputs, and how to compute with them."""

    forest: Forest
    grower: Grower
    facts: Expressions
    single: bool  #: computed in float32

    @classmethod
    def of(cls, forest: Forest, facts: Expressions, x: Tensor) -> Ensemble:
        """The ensemble of a forest; refused where it is too large or cannot be exact."""
        leaves = len(forest.leaves())
        if leaves > facts.most_leaves:
            raise Refused(
                f"{leaves:,} leaves: {facts.dialect} would plan it for minutes "
                f"(the most is {facts.most_leaves:,})"
            )
        dtype = np.float64 if x.element == "double" else np.float32
        most = _most(forest)
        if most > LARGEST / 4:
            raise Refused("its leaves add up to more than a float32 can hold")
        return cls(forest, Grower(forest, x.row, dtype, facts), facts, dtype is np.float32)

    def number(self, value: float) -> exp.Expression:
        """A number of the type that the ensemble computes in."""
        return (
            literals.real(value, self.facts) if self.single else literals.number(value, self.facts)
        )

    def term(self, sql: exp.Expression) -> Term:
        """A score."""
        real = self.single and self.facts.real
        return Term(sql=sql, exact=real or not self.single, real=real, bounded=True, finite=True)

    def trees(self, output: int, *, extreme: bool = False) -> list[exp.Expression]:
        """What each tree gives for an output, in their order.

        A leaf without a weight for it gives zero, and NULL where an extreme is looked for.
        """

        def weight(leaf: Leaf) -> exp.Expression:
            if extreme and output not in leaf.weights:
                real = self.single and self.facts.real
                return (literals.as_real if real else literals.as_double)(exp.Null())
            return self.number(leaf.weights.get(output, 0.0))

        return [
            self.grower.grow(root, weight)
            for root in self.forest.roots
            if output in self.forest.outputs_of(root)
        ]

    def only(self, output: int) -> Choice | None:
        """The one tree of a forest of one, as a choice of its leaves."""
        if len(self.forest.roots) != 1:
            return None
        leaves = self.forest.leaves()
        places = {id(leaf): place for place, leaf in enumerate(leaves)}
        values = tuple(float(np.float32(leaf.weights.get(output, 0.0))) for leaf in leaves)

        def grown(made: Sequence[exp.Expression]) -> exp.Expression:
            return self.grower.grow(self.forest.roots[0], lambda leaf: made[places[id(leaf)]])

        return Choice(feature="", tests=(), values=values, otherwise=values[-1], grown=grown)

    def aggregate(self, output: int, how: str) -> exp.Expression:
        """The trees' values as one."""
        extreme = how in {"MIN", "MAX"}
        trees = self.trees(output, extreme=extreme)
        if not trees:
            return self.number(0.0)
        if extreme:
            whole = reduce(_EXTREMES[how], trees)
            partial = any(output not in leaf.weights for leaf in self.forest.leaves())
            return exp.Coalesce(this=whole, expressions=[self.number(0.0)]) if partial else whole
        total = added(trees)
        if how == "AVERAGE":
            count = self.number(float(len(self.forest.roots)))
            total = divided(total, count)
        return total

    def plus(self, score: exp.Expression, base: float) -> exp.Expression:
        """A score with its base value."""
        return added([score, self.number(base)]) if base else score


def _extreme(test: type[exp.GT] | type[exp.LT]) -> Any:
    """The better one of two values, each of which may be NULL, which is none."""

    def pick(best: exp.Expression, value: exp.Expression) -> exp.Expression:
        better: exp.Expression = test(this=operand(value), expression=operand(best))
        none = exp.Is(this=operand(best), expression=exp.Null())
        return case((either([better, none]), value), otherwise=best)

    return pick


_EXTREMES = {"MIN": _extreme(exp.LT), "MAX": _extreme(exp.GT)}


def _most(forest: Forest) -> float:
    weights = [abs(w) for leaf in forest.leaves() for w in leaf.weights.values()]
    return max(weights, default=0.0) * len(forest.roots)


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
