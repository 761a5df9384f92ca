"""Which features are not read, since no value of theirs can change a prediction: pure.

The graph is cut to what is left (`graph/cutting.py`), or fed zeros in their place.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.signature import InputKind, Use
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlscore.binding import Binding, BoundFeature


def projected(
    binding: Binding, watched: Collection[str] = (), *, types_hold: bool = True
) -> Binding:
    """The binding without the features that change no prediction, whatever their columns hold.

    Those are features that nothing in the graph looks at, and features whose weights are all zero,
    where the column holds neither NULL nor NaN nor an infinity. `watched` are features that the
    caller asked something of; `types_hold` says that a column has values of its type alone. One
    feature an input stays: rows are counted by it.
    """
    idle = [b for b in binding.features if _is_idle(b, types_hold=types_hold)]
    idle = [b for b in idle if b.feature.name not in watched]
    inputs = {one.name: one for one in binding.signature.inputs}
    left = {b.feature.input for b in binding.features if b not in idle}
    spare: dict[str, BoundFeature] = {}
    for bound in idle:
        if bound.feature.input not in left:
            spare.setdefault(bound.feature.input, bound)
    if left:  # an input of which nothing is read is fed with zeros as a whole
        spare = {name: b for name, b in spare.items() if inputs[name].kind is InputKind.BLOCK}
    gone = tuple(b for b in idle if b not in spare.values())
    if not gone:
        return binding
    kept = tuple(b for b in binding.features if b not in gone)
    fed = {b.feature.input for b in kept}
    signature = dataclasses.replace(
        binding.signature,
        features=tuple(b.feature for b in kept),
        inputs=tuple(
            one for one in binding.signature.inputs
            if one.name in fed or one.kind is InputKind.CONSTANT
        ),
    )  # fmt: skip
    return dataclasses.replace(binding, signature=signature, features=kept, idle=gone)


def _is_idle(bound: BoundFeature, *, types_hold: bool) -> bool:
    if bound.feature.use is not Use.NOT_FINITE:
        return bound.feature.use is Use.NEVER
    return types_hold and not bound.column.nullable and _is_finite(bound.column.type)


def _is_finite(type_: pa.DataType) -> bool:
    """Whether every value of a type is text, or finite in float32; a decimal may be NaN."""
    return bool(is_text(type_) or pa.types.is_integer(type_) or pa.types.is_boolean(type_))
