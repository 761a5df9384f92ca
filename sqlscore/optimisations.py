"""What the planner does to make a prediction cheaper, each with a word that switches it off."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlscore.errors import SqlscoreError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable


class Optimisation(StrEnum):
    """None of them changes a prediction."""

    PROJECTION = "projection"  #: features that nothing in the model looks at are not read
    FOLDING = "folding"  #: scalers and categories become part of a model's weights
    PRUNING = "pruning"  #: conditions on a feature cut the branches that it cannot reach
    THRESHOLDS = "thresholds"  #: a condition on a score drops rows by the sum, before exp
    STATISTICS = "statistics"  #: types, NOT NULL, checks, least and largest values do so, too


def optimisations(without: str | Iterable[str] = ()) -> frozenset[Optimisation]:
    """All but those of these names; `SqlscoreError` for another name."""
    names = [without] if isinstance(without, str) else list(without)
    for name in names:
        if name not in list(Optimisation):
            raise SqlscoreError(
                f"without= names {name!r}, which is no optimisation."
                f"{nearest(name, Optimisation)} There are: {', '.join(Optimisation)}"
            )
    return frozenset(one for one in Optimisation if one not in names)
