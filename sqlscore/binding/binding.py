"""A model's features bound to a source's columns, its predictions to a target's: pure.

signature x source columns x what the caller chose -> Binding
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.binding.legal_names import legal_name
from sqlscore.binding.matching import match_features
from sqlscore.errors import SignatureError
from sqlscore.signature import Feature, Input, InputKind, Prediction, Signature
from sqlscore.tensor_columns import read_as, width, with_tensor_columns
from sqlscore.types import Column, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundFeature:
    """One feature and the column that feeds it."""

    feature: Feature
    column: Column
    read: pa.DataType  #: the type in which the column is read; the predictor goes on from there
    width: int = 1  #: about how many values a row has

    @property
    def cast(self) -> str:
        """How a value gets from column to tensor, for people: ``bigint -> int64 -> float``."""
        declared = self.column.declared or str(self.column.type)
        steps = (declared, str(self.read), str(self.feature.type))
        return " -> ".join(dict.fromkeys(step.lower() for step in steps))


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundPrediction:
    """One prediction and the column that takes it."""

    prediction: Prediction
    column: str  #: a legal name on the target's product
    type: pa.DataType  #: of the column on that product; JSON text where it has no arrays


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """One model bound to one source, and the columns that its predictions take."""

    signature: Signature  #: with the predictions that the target's product can hold
    features: tuple[BoundFeature, ...]
    predictions: tuple[BoundPrediction, ...]
    by_position: bool  #: the features' names were made up, and columns bound in their order
    idle: tuple[BoundFeature, ...] = ()  #: features that are not read, since they change nothing

    @property
    def columns(self) -> dict[str, str]:
        """Feature -> column, of all features."""
        return {b.feature.name: b.column.name for b in (*self.features, *self.idle)}


def bind(
    signature: Signature,
    columns: Sequence[Column],
    *,
    key: Sequence[str],
    taken: Iterable[str] = (),
    map: Mapping[str, str] | None = None,
    positional: bool = False,
    identifier_limit: int,
    column_limit: int,
    arrays: bool,
    nested: bool = True,
    prefix: str = "",
) -> Binding:
    """Bind a model's features to a source's columns and its predictions to a target's.

    `taken` are the target's column names that are spoken for (the key, passed columns, another
    model's predictions); the limits are the target product's. With `positional`, the columns
    beside the key may feed an unnamed block in their order. `nested` is the source product's.
    """
    by_name = {column.name: column for column in columns}
    signature = with_tensor_columns(
        signature, list(by_name), lambda name: by_name[name].type, map=map
    )
    candidates = [name for name in by_name if not signature.named and name not in key] or list(
        by_name
    )
    if signature.named:
        candidates = list(by_name)
    names = match_features(signature, candidates, map=map, positional=positional)
    inputs = {one.name: one for one in signature.inputs}
    features = tuple(
        _bound(feature, inputs[feature.input], by_name[name], nested=nested)
        for feature, name in zip(signature.features, names, strict=True)
    )
    fitting = _within(signature, column_limit)
    return Binding(
        signature=fitting,
        features=features,
        predictions=_predictions(
            fitting.predictions, list(taken), identifier_limit, arrays=arrays, prefix=prefix
        ),
        by_position=not signature.named and not map,
    )


def _bound(feature: Feature, one: Input, column: Column, *, nested: bool) -> BoundFeature:
    if one.kind is InputKind.TENSOR:
        read = read_as(feature, one, column, nested=nested)
    else:
        read = _read_as(feature, column)
    return BoundFeature(feature=feature, column=column, read=read, width=width(one))


def _read_as(feature: Feature, column: Column) -> pa.DataType:
    """The type in which a column is read for a feature: one that loses nothing on the way."""
    wants_text = pa.types.is_string(feature.type)
    unknown = pa.types.is_null(column.type)
    if wants_text and (unknown or is_text(column.type)):
        return pa.string()
    if not wants_text and unknown:
        return pa.float64()
    if not wants_text and is_number(column.type):
        return _number(feature.type, column.type)
    raise SignatureError(
        f"feature {feature.name!r} wants {feature.type}, and column {column.name!r} is "
        f"{column.declared or column.type}. Nothing is converted between text and numbers behind "
        "your back: convert it in a SELECT, or bind the feature to another column"
    )


def _number(feature: pa.DataType, column: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(feature) or pa.types.is_floating(column) or pa.types.is_decimal(column):
        return pa.float64()
    if pa.types.is_boolean(column):
        return pa.bool_()
    return pa.uint64() if pa.types.is_uint64(column) else pa.int64()


def _within(signature: Signature, column_limit: int) -> Signature:
    """Class scores that would pass the product's column limit become one list column an output."""
    if len(signature.predictions) < column_limit // 2:
        return signature
    kept: dict[tuple[str, int | None], Prediction] = {}
    for prediction in signature.predictions:
        if prediction.position is None:
            kept[prediction.output, prediction.position] = prediction
        else:
            kept.setdefault(
                (prediction.output, None),
                Prediction(
                    name=prediction.output,
                    type=pa.list_(prediction.type),
                    output=prediction.output,
                    position=None,
                ),
            )
    return dataclasses.replace(signature, predictions=tuple(kept.values()))


def _predictions(
    predictions: Sequence[Prediction],
    taken: list[str],
    identifier_limit: int,
    *,
    arrays: bool,
    prefix: str,
) -> tuple[BoundPrediction, ...]:
    bound = []
    for prediction in predictions:
        name = legal_name(prefix + prediction.name, limit=identifier_limit, taken=taken)
        taken.append(name)
        is_list = pa.types.is_list(prediction.type)
        bound.append(
            BoundPrediction(
                prediction=prediction,
                column=name,
                type=pa.string() if is_list and not arrays else prediction.type,
            )
        )
    return tuple(bound)
