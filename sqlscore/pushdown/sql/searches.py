"""What stands beside the key that is equal to a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.expressions import Expressions

_LISTED = 5  #: keys up to which one after the other is compared


def searched(
    value: exp.Expression,
    pairs: Sequence[tuple[exp.Expression, exp.Expression]],
    otherwise: exp.Expression,
    facts: Expressions,
) -> exp.Expression:
    """The second of the pair whose first is the value, by halves where there are many texts.

    ASCII texts alone: their bytes have the same order in every encoding of a database. Where a
    value that is none of the keys is sent to does not matter.
    """
    ordered = facts.byte_order and all(key.is_string and key.name.isascii() for key, _ in pairs)
    if not ordered or len(pairs) <= _LISTED:
        ifs = [exp.If(this=key, true=found) for key, found in pairs]
        return exp.Case(this=value, ifs=ifs, default=otherwise)
    pairs = sorted(pairs, key=lambda pair: pair[0].name)
    middle = len(pairs) // 2
    text = exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.TEXT))
    order = exp.to_identifier(facts.byte_order, quoted=True)
    before = exp.LT(this=exp.Collate(this=text, expression=order), expression=pairs[middle][0])
    low, high = (
        searched(value, half, otherwise, facts) for half in (pairs[:middle], pairs[middle:])
    )
    return exp.Case(ifs=[exp.If(this=before, true=low)], default=high)
