"""Conditions on a score, turned into bounds of the sum that it is the logistic function of. Pure.

``p.score > 0.9`` can be true only where the sum is more than the logit of a little less than 0.9. A
row below that is dropped before exp is computed of it; the condition itself stays for the others,
so what it says is the database's own word, to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.plan.learning import learn

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlscore.plan.learning import Known
    from sqlscore.predict.tree import Predict
    from sqlscore.pushdown.domains import Domain

    #: least and largest sum of a row that may satisfy the conditions
    Bounds = tuple[float, float]

#: how far a database's logistic function may be from the true one, and a score as a 4-byte float
#: from it: each is within 3e-7
_APART = 2e-6
_RARE = 2.0  #: a score of 0.88 and more, or of 0.12 and less, is one that few rows have


def sums(predict: Predict, outputs: Collection[str], data: Collection[str]) -> dict[str, Bounds]:
    """Output -> bounds of its sum, by the WHERE of the SELECT around a PREDICT.

    `data` are the columns of DATA: a name without a relation may be one of them.
    """
    select = predict.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if where is None:
        return {}
    known: Known = {}
    learn(where.this, known)
    folded = {name.casefold() for name in data}
    found: dict[str, Bounds] = {}
    for name in outputs:
        aliases = [predict.alias.casefold(), *([""] if name.casefold() not in folded else [])]
        for alias in aliases:
            domain = known.get((alias, name.casefold()))
            if domain is not None:
                low, high = _bounds(domain)
                before = found.get(name, (-math.inf, math.inf))
                found[name] = max(before[0], low), min(before[1], high)
    return {name: bounds for name, bounds in found.items() if bounds != (-math.inf, math.inf)}


def _bounds(domain: Domain) -> Bounds:
    """Of a sum; where a condition leaves many rows, it is not worth to look at the sum first."""
    low, high = logit(domain.low - _APART), logit(domain.high + _APART)
    return low if low > _RARE else -math.inf, high if high < -_RARE else math.inf


def logit(p: float) -> float:
    """The sum whose logistic function is `p`: an infinity from 0 down and from 1 up."""
    if p <= 0.0:
        return -math.inf
    return math.inf if p >= 1.0 else math.log(p) - math.log1p(-p)
