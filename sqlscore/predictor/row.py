"""One row of Python values in, one row of Python values out: a batch of one, without Arrow.

An Arrow batch of one row costs twenty times what the model does. Policies, casts and padding are
those of a batch, so are the bits.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.elements import DTYPES
from sqlscore.errors import SignatureError
from sqlscore.predictor.nulls import NullRule
from sqlscore.session.fixed_row import FixedRow
from sqlscore.session.outputs import part
from sqlscore.signature import InputKind
from sqlscore.types import NUMPY_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.predictor.predictor import Predictor
    from sqlscore.signature import Feature, Prediction

_NUMBERS = (float, int, Decimal)  # a bool is an int


class RowPredictor:
    """A predictor for single rows; may be called by several threads at once."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._features = predictor.signature.features
        self._converts = [_convert(predictor, feature) for feature in self._features]
        kinds = {one.kind for one in predictor.inputs.values()}
        self._plain = InputKind.TENSOR not in kinds
        self._floating = all(pa.types.is_floating(feature.type) for feature in self._features)
        self._places: dict[str, list[int]] = {}  # of each input's features among all
        for place, feature in enumerate(self._features):
            self._places.setdefault(feature.input, []).append(place)
        self._fixed: dict[int, FixedRow | None] = {}  # by the prediction's place

    def __call__(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The predictions for one value a feature, in their order; None is NULL.

        Raises SignatureError for another number of values and for one that does not fit, and
        where the policy of a NULL is `error`; ModelError where the model fails.
        """
        return tuple(self._predicted(values, self._predictor.signature.predictions))

    def one(self, values: Sequence[Any], place: int) -> Any:
        """The prediction at that place alone, and what `__call__` raises."""
        fixed = self._fixed.get(place)
        found = None if fixed is None else fixed(values)
        return self._ordinarily(values, place) if found is None else found

    def _ordinarily(self, values: Sequence[Any], place: int) -> Any:
        one = self._predictor.signature.predictions[place]
        found = self._predicted(values, [one])[0]
        if found is not None and place not in self._fixed:
            self._fixed[place] = self._made(values, one) if self._plain else None
        return found

    def _made(self, values: Sequence[Any], one: Prediction) -> FixedRow | None:
        if isinstance(one.type, pa.ListType):
            return None
        fixed = self._predictor.fixed(self._feeds(self._converted(values)), one.output)
        return FixedRow.of(fixed, self._places, one.position)

    def _predicted(self, values: Sequence[Any], wanted: Sequence[Prediction]) -> list[Any]:
        if len(values) != len(self._features):
            raise SignatureError(
                f"the model takes {len(self._features)} values, in this order: "
                f"{', '.join(f.name for f in self._features)}; and {len(values)} are given"
            )
        if not self._plain:
            row = self._as_batch(values)
            return [row.column(one.name)[0].as_py() for one in wanted]
        converted = self._converted(values)
        if None in converted:
            return [None] * len(wanted)
        outputs = self._predictor.outputs(self._feeds(converted), 1)
        return [_value(outputs[one.output], one) for one in wanted]

    def _converted(self, values: Sequence[Any]) -> Sequence[Any]:
        if self._floating and set(map(type, values)) == {float}:
            return values  # as they are: most rows are such ones, and a call a value costs more
        return [convert(value) for convert, value in zip(self._converts, values, strict=True)]

    def _feeds(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        feeds = {}
        with np.errstate(over="ignore", invalid="ignore"):
            for name, places in self._places.items():
                one = self._predictor.inputs[name]
                dtype = DTYPES[one.element]
                row = values if len(places) == len(values) else [values[i] for i in places]
                numbers = np.array([row], np.float64 if dtype.kind == "f" else dtype)
                tensor = numbers.astype(dtype, copy=False)
                feeds[name] = tensor if len(one.shape) == 2 else tensor.reshape(-1)
        return feeds

    def _as_batch(self, values: Sequence[Any]) -> pa.RecordBatch:
        arrays = [pa.array([value]) for value in values]
        batch = pa.RecordBatch.from_arrays(arrays, names=self._predictor.feature_names)
        return self._predictor(batch).batch


def _convert(predictor: Predictor, feature: Feature) -> Callable[[Any], Any]:
    """What makes a value one of the feature's type; None of what leaves the row no prediction."""
    plain: Callable[[Any], Any]
    if pa.types.is_string(feature.type):
        plain = partial(_text, feature)
    elif pa.types.is_floating(feature.type):
        plain = partial(_number, feature)
    else:
        plain = partial(_whole, feature)
    policy = predictor.policies[feature.name]

    def convert(value: Any) -> Any:
        found = None if value is None else plain(value)
        if found is not None or policy.rule is NullRule.NULL:
            return found
        if policy.rule is NullRule.ERROR:
            raise SignatureError(
                f"the feature {feature.name!r} is NULL, and its NULL policy is 'error'. "
                "Exclude this row, or choose another policy."
            )
        return math.nan if policy.rule is NullRule.NAN else policy.value

    return convert


def _text(feature: Feature, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _unfit(feature, value, "text")


def _number(feature: Feature, value: Any) -> float:
    if not isinstance(value, _NUMBERS):
        raise _unfit(feature, value, "a number")
    try:
        return float(value)
    except OverflowError:  # an integer past the largest double
        return math.inf if value > 0 else -math.inf


def _whole(feature: Feature, value: Any) -> int | bool | None:
    """A whole number that the feature's type holds; None for NaN, which it has not."""
    if not isinstance(value, _NUMBERS):
        raise _unfit(feature, value, "a number")
    if value != value:
        return None
    if not math.isfinite(value) or int(value) != value:
        raise _unfit(feature, value, f"a whole number ({feature.type})")
    if pa.types.is_boolean(feature.type):
        least, most = 0, 1
    else:
        limits = np.iinfo(NUMPY_TYPES[feature.type])
        least, most = int(limits.min), int(limits.max)
    if not least <= value <= most:
        raise _unfit(feature, value, f"{feature.type}, from {least} to {most}")
    return int(value)


def _unfit(feature: Feature, value: Any, wanted: str) -> SignatureError:
    return SignatureError(
        f"the feature {feature.name!r} takes {wanted}, and was given another value, of the type "
        f"{type(value).__name__}. Convert it in the statement."
    )


def _value(array: np.ndarray, one: Prediction) -> Any:
    if isinstance(one.type, pa.ListType):
        return array.reshape(-1).tolist()
    value = part(array, one)[0]
    return value.item() if isinstance(value, np.generic) else value
