"""Columns that hold a whole tensor a row: which inputs they feed, and how they are read.

A pure decision. Such a column is a list, a JSON array in text, or raw values in binary.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import SignatureError
from sqlscore.signature import Feature, Input, InputKind, Signature
from sqlscore.types import Column, is_list, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FREE = 1024  #: what a dimension that the model leaves free is taken for, to guess a row's size


def with_tensor_columns(
    signature: Signature,
    columns: Sequence[str],
    type_of: Callable[[str], pa.DataType],
    *,
    map: Mapping[str, str] | None = None,
) -> Signature:
    """The signature in which one tensor column feeds each block that has one, in place of many.

    It has one where a column of the input's own name (or the one that `map` gives it) holds
    tensors. A block whose features have real names has a column for each of them.
    """
    renamed = map or {}
    whole = {
        one.name
        for one in signature.inputs
        if one.kind is InputKind.BLOCK
        and (one.name in renamed or not signature.named)
        and any(
            column.casefold() == renamed.get(one.name, one.name).casefold()
            and _holds_tensors(type_of(column))
            for column in columns
        )
    }
    return _in_one(signature, whole) if whole else signature


def _in_one(signature: Signature, whole: set[str]) -> Signature:
    """The signature with these blocks fed whole."""
    inputs = tuple(
        dataclasses.replace(one, kind=InputKind.TENSOR) if one.name in whole else one
        for one in signature.inputs
    )
    features: dict[str, Feature] = {}
    for feature in signature.features:
        if feature.input in whole:
            one = dataclasses.replace(
                feature, name=feature.input, position=0, missing=False, categories=None, range=None
            )
            features[feature.input] = one
        else:
            features[feature.name] = feature
    blocks = any(one.kind is InputKind.BLOCK for one in inputs)
    return dataclasses.replace(
        signature,
        inputs=inputs,
        features=tuple(features.values()),
        named=signature.named or not blocks,
    )


def _holds_tensors(type_: pa.DataType) -> bool:
    return is_list(type_) or is_text(type_) or pa.types.is_binary(type_)


def read_as(feature: Feature, one: Input, column: Column, *, nested: bool) -> pa.DataType:
    """The type in which a tensor column is read; SignatureError for a column that holds none.

    `nested` says that a list column's type tells how deep its lists are. Where it does not, lists
    of more than one dimension are read as text, which tells.
    """
    type_ = column.type
    if is_list(type_):
        text = not nested and len(one.shape) > 2 and not is_list(type_.value_type)
        found = pa.string() if text else _listed(type_)
        if found is not None:
            return found
    elif pa.types.is_binary(type_):
        return type_
    elif is_text(type_) or pa.types.is_null(type_):
        return pa.string()
    raise SignatureError(
        f"feature {feature.name!r} takes a tensor a row (an array, a JSON array in text, or raw "
        f"values in binary), and column {column.name!r} is {column.declared or type_}"
    )


def _listed(type_: pa.DataType) -> pa.DataType | None:
    """The list type with values that a feature may take; None where it may take none of them."""
    if is_list(type_):
        inner = _listed(type_.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_decimal(type_):
        return pa.float64()
    return type_ if is_number(type_) or is_text(type_) else None


def width(one: Input) -> int:
    """About how many values of a row feed the input."""
    return math.prod(d or _FREE for d in one.shape[1:]) if one.kind is InputKind.TENSOR else 1
