"""What becomes of a number that a feature's type cannot hold."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlscore.errors import SignatureError, nearest
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.signature import Signature

EVERY = "*"  #: in place of a feature's name: all that are not named


class TypeRule(StrEnum):
    """The policies."""

    EXACT = "exact"  #: an error: every value arrives as it is
    SAFE = "safe"  #: floats are rounded, which is how models take numbers; integers are exact
    LOSSY = "lossy"  #: a whole number takes the whole part, and its own limit past that

    @classmethod
    def of(cls, name: str) -> TypeRule:
        """The policy of that name; `SignatureError` for any other."""
        if name not in list(cls):
            raise SignatureError(
                f"{name!r} is no policy of types.{nearest(name, cls)} There are: {', '.join(cls)}"
            )
        return cls(name)


def named_rules(given: str | Mapping[str, str] | None) -> dict[str, TypeRule]:
    """The policies as callers give them: one for `EVERY` feature, or feature -> policy."""
    named = {EVERY: given} if isinstance(given, str) else given or {}
    return {name: TypeRule.of(policy) for name, policy in named.items()}


def type_rules(signature: Signature, given: Mapping[str, TypeRule]) -> dict[str, TypeRule]:
    """Each feature's policy; `safe` where none is given. SignatureError for unfit names.

    A feature that takes a tensor a row has none of its own, and does not listen to `EVERY`.
    """
    tensors = {one.name for one in signature.inputs if one.kind is InputKind.TENSOR}
    features = {feature.name: feature for feature in signature.features}
    for name in given.keys() - {EVERY}:
        if name not in features:
            raise SignatureError(
                f"a policy of types is given for {name!r}, and the model has no such feature."
                f"{nearest(name, features)}"
            )
        if features[name].input in tensors:
            raise SignatureError(
                f"the feature {name!r} is a tensor a row, for which there is no policy of types"
            )
    usual = given.get(EVERY, TypeRule.SAFE)
    return {
        name: TypeRule.SAFE if feature.input in tensors else given.get(name, usual)
        for name, feature in features.items()
    }
