"""The trees of an ensemble as values: branches that ask about a feature, and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

#: mode -> whether a value equal to the threshold is on the lower side, and whether that is true
ORDERS = {
    "BRANCH_LEQ": (True, True),
    "BRANCH_LT": (False, True),
    "BRANCH_GTE": (False, False),
    "BRANCH_GT": (True, False),
}
#: mode -> whether being one of the values is true
EQUALITIES = {"BRANCH_EQ": True, "BRANCH_NEQ": False, "BRANCH_MEMBER": True}
MODES = {*ORDERS, *EQUALITIES}


@dataclass(frozen=True, slots=True)
class Branch:
    """One node that asks about a feature."""

    feature: int
    mode: str
    threshold: float
    missing_true: bool  #: NaN goes to the true side whatever the mode says
    true: int  #: index of the node that follows
    false: int
    members: tuple[float, ...] = ()  #: of a set, in the place of the threshold

    @property
    def values(self) -> tuple[float, ...]:
        """What the feature is compared with."""
        return self.members or (self.threshold,)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One node that ends a path: output -> weight."""

    weights: dict[int, float]


@dataclass(frozen=True, slots=True)
class Forest:
    """The nodes of all trees, and the index of each tree's root."""

    nodes: Sequence[Branch | Leaf]
    roots: Sequence[int]

    def leaves(self) -> list[Leaf]:
        """All leaves."""
        return [node for node in self.nodes if isinstance(node, Leaf)]

    def outputs(self) -> set[int]:
        """The outputs that some leaf adds to."""
        return {i for leaf in self.leaves() for i in leaf.weights}

    def outputs_of(self, root: int) -> set[int]:
        """The outputs that some leaf below a root adds to."""
        found: set[int] = set()
        pending = [root]
        while pending:
            node = self.nodes[pending.pop()]
            if isinstance(node, Leaf):
                found.update(node.weights)
            else:
                pending += [node.true, node.false]
        return found


def holds(node: Branch, value: float) -> bool:
    """Whether a node's true side takes a value that is known."""
    if np.isnan(value):
        return node.missing_true or node.mode == "BRANCH_NEQ"
    compared = {
        "BRANCH_LEQ": value <= node.threshold,
        "BRANCH_LT": value < node.threshold,
        "BRANCH_GTE": value >= node.threshold,
        "BRANCH_GT": value > node.threshold,
        "BRANCH_EQ": value == node.threshold,
        "BRANCH_NEQ": value != node.threshold,
        "BRANCH_MEMBER": value in node.members,
    }
    return compared[node.mode]
