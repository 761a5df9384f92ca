"""The trees of a forest as one value for each output.

ONNX Runtime adds the leaves in float32, in the order of the trees; where a product has a 4-byte
float the same sum gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from sqlscore.pushdown.refusals import Refused
from sqlscore.pushdown.sql import literals
from sqlscore.pushdown.sql.arithmetic import added, case, divided, either, operand
from sqlscore.pushdown.trees.grower import Grower
from sqlscore.pushdown.values.cells import LARGEST, Choice, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.trees.branches import Forest, Leaf
    from sqlscore.pushdown.values.tensors import Tensor


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
