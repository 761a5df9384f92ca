"""Inputs without a batch dimension: one value for all rows, which the caller gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.errors import SignatureError, nearest
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.signature import Input, Signature


def constant_inputs(signature: Signature) -> dict[str, Input]:
    """The inputs that are constants, by name."""
    return {one.name: one for one in signature.inputs if one.kind is InputKind.CONSTANT}


def constants_of(
    signature: Signature, given: Mapping[str, Any], *, all: bool = True
) -> dict[str, np.ndarray]:
    """The constants as the model takes them, from numbers, texts, lists or arrays.

    A single value fills the input's whole shape, where a free dimension counts 1. Raises
    SignatureError for an unknown name, a value that does not fit, and (with `all`) a missing one.
    """
    wanted = constant_inputs(signature)
    for name in given:
        if name not in wanted:
            has = f"It has: {', '.join(wanted)}" if wanted else "It has none"
            raise SignatureError(
                f"constants= names {name!r}, which is no input without a batch dimension."
                f"{nearest(name, wanted)} {has}"
            )
    for name, one in wanted.items():
        if all and name not in given:
            raise SignatureError(
                f"the input {described(one)} has no batch dimension, so no column can feed it. "
                f"Give its value: constants={{{name!r}: …}} (on the command line: --constant "
                f"{name}=…), once for all at add, or here"
            )
    return {name: _array(value, wanted[name]) for name, value in given.items()}


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """The constants as numbers, texts and lists, in which they are stored."""
    return {
        name: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        for name, value in given.items()
    }


def described(one: Input) -> str:
    """The input with its type and shape: ``'state' float[2, ?, 128]``."""
    return f"{one.name!r} {one.element}[{', '.join(str(d or '?') for d in one.shape)}]"


def _array(value: Any, one: Input) -> np.ndarray:
    dtype = DTYPES[one.element]
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        raise _unfit(one, "uneven lists") from None
    if (array.dtype.kind in "UO") != (dtype.kind == "O") or not (
        dtype.kind == "O" or np.can_cast(array.dtype, dtype, "same_kind")
    ):
        raise _unfit(one, f"{array.dtype} values")
    if not array.ndim and one.shape:
        array = np.full([d or 1 for d in one.shape], array)
    fits = array.ndim == len(one.shape) and all(
        want in (None, have) for want, have in zip(one.shape, array.shape, strict=True)
    )
    if not fits:
        raise _unfit(one, f"the shape {list(array.shape)}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _unfit(one: Input, what: str) -> SignatureError:
    return SignatureError(f"the constant for the input {described(one)} has {what}")
