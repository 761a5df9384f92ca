"""What becomes of a NULL that feeds a feature."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeGuard

import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.errors import SignatureError, nearest
from sqlscore.signature import InputKind, Use
from sqlscore.types import is_plain_number, is_text, numbers, scalar, with_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from sqlscore.signature import Feature, Signature


class NullRule(StrEnum):
    """The kinds of policy."""

    AUTO = "auto"  #: NaN where the graph says what NaN means for the feature, else NULL
    ERROR = "error"  #: the run ends with an error that names the feature
    NAN = "nan"  #: the model gets NaN
    NULL = "null"  #: the row's predictions are NULL
    DEFAULT = "default"  #: the model gets a value instead


@dataclass(frozen=True, kw_only=True, slots=True)
class NullPolicy:
    """One feature's policy: a rule, and the value where the rule is `DEFAULT`."""

    rule: NullRule
    value: float | int | bool | str | None = None

    AUTO: ClassVar[Self]
    ERROR: ClassVar[Self]
    NAN: ClassVar[Self]
    NULL: ClassVar[Self]

    def __post_init__(self) -> None:
        if (self.rule is NullRule.DEFAULT) != (self.value is not None):
            raise ValueError("a NULL policy has a value exactly where its rule is DEFAULT")

    @classmethod
    def default(cls, value: float | int | bool | str) -> NullPolicy:
        """NULL stands for this value."""
        return cls(rule=NullRule.DEFAULT, value=value)

    @classmethod
    def of(cls, given: NullPolicy | float | int | bool | str) -> NullPolicy:
        """A policy from what callers write: a rule's name, ``=text``, or the default itself.

        ``"nan"`` is the rule; ``"=nan"`` and any text that names no rule is a default value.
        """
        if isinstance(given, NullPolicy):
            return given
        if isinstance(given, str):
            rules = {rule.value: rule for rule in NullRule if rule is not NullRule.DEFAULT}
            if given.casefold() in rules:
                return cls(rule=rules[given.casefold()])
            return cls.default(given.removeprefix("="))
        return cls.default(given)

    def resolved(self, feature: Feature, *, whole: bool = False) -> NullPolicy:
        """The policy as it works for this feature: no AUTO, and a default of the feature's type.

        `whole` says that a row's value is a whole tensor, which has neither NaN nor a default.
        Raises SignatureError where the feature cannot be NaN, or cannot hold the default.
        """
        floating = pa.types.is_floating(feature.type) and not whole
        if whole and self.rule is NullRule.DEFAULT:
            raise SignatureError(
                f"the feature {feature.name!r} is a tensor a row, and NULL has no default there"
            )
        if self.rule is NullRule.AUTO and feature.use is Use.NEVER and not floating:
            return NullPolicy.default(_nothing(feature))
        if self.rule is NullRule.AUTO:
            return NullPolicy.NAN if feature.missing and floating else NullPolicy.NULL
        if self.rule is NullRule.NAN and not floating:
            raise SignatureError(
                f"the feature {feature.name!r} is {feature.type} and cannot be NaN: "
                "give it a default value, or the policy 'null' or 'error'"
            )
        if self.rule is NullRule.DEFAULT:
            return NullPolicy.default(_fitting(self.value, feature))
        return self

    def __str__(self) -> str:
        return f"={self.value}" if self.rule is NullRule.DEFAULT else self.rule.value


NullPolicy.AUTO = NullPolicy(rule=NullRule.AUTO)
NullPolicy.ERROR = NullPolicy(rule=NullRule.ERROR)
NullPolicy.NAN = NullPolicy(rule=NullRule.NAN)
NullPolicy.NULL = NullPolicy(rule=NullRule.NULL)


def null_policies(signature: Signature, given: Mapping[str, NullPolicy]) -> dict[str, NullPolicy]:
    """Each feature's policy as it works, AUTO where none is given. Raises SignatureError."""
    features = {feature.name: feature for feature in signature.features}
    for name in given:
        if name not in features:
            raise SignatureError(
                f"a NULL policy is given for {name!r}, and the model has no such feature."
                f"{nearest(name, features)}"
            )
    tensors = {one.name for one in signature.inputs if one.kind is InputKind.TENSOR}
    return {
        name: given.get(name, NullPolicy.AUTO).resolved(feature, whole=feature.input in tensors)
        for name, feature in features.items()
    }


def filled(column: pa.Array, policy: NullPolicy) -> pa.Array:
    """The column with its NULLs filled as a resolved policy says; none is left."""
    if not column.null_count:
        return column
    value = float("nan") if policy.rule is NullRule.NAN else policy.value
    assert value is not None
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    if not is_plain_number(column.type):
        return pc.fill_null(column, scalar(value, column.type))
    return numbers(with_nulls(column, value), column.type)


def _nothing(feature: Feature) -> int | bool | str:
    """A value for a feature that nothing looks at."""
    if is_text(feature.type):
        return ""
    return False if pa.types.is_boolean(feature.type) else 0


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fitting(value: object, feature: Feature) -> float | int | bool | str:
    """The default as a Python value of the feature's own type."""
    try:
        if isinstance(value, str) or (_is_number(value) and is_plain_number(feature.type)):
            return scalar(value, feature.type).as_py()  # type: ignore[no-any-return]
        return pa.scalar(value, feature.type).as_py()  # type: ignore[no-any-return]
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise SignatureError(
            f"the default for NULL in the feature {feature.name!r} is {value!r}, "
            f"which is no {feature.type}"
        ) from error
