"""Tensors that a caller gives by input name, run as they are: no columns, no policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.errors import SignatureError, nearest
from sqlscore.predictor.columns import DTYPES
from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlscore.session import Session
    from sqlscore.signature import Input, Signature


def run_tensors(
    session: Session,
    feeds: Mapping[str, Any],
    signature: Signature,
    *,
    unused: Collection[str] = (),
    rowwise: bool = False,
) -> dict[str, Any]:
    """The outputs by name, with shapes as the model gives them; `unused` names may be fed too.

    An array of another number type is converted where no value changes its kind (double to float
    rounds, float to integer is refused); ``[N]`` stands for ``[N, 1]``. Raises SignatureError for
    names, types and shapes that do not fit, ModelError where the model fails.
    """
    wanted = {one.name: one for one in signature.inputs}
    unknown = [name for name in feeds if name not in wanted and name not in unused]
    missing = [name for name in wanted if name not in feeds]
    if unknown or missing:
        wrong = [f"{n!r} is no input of the model.{nearest(n, wanted)}" for n in unknown]
        wrong += [f"the input {n!r} is missing." for n in missing]
        has = ", ".join(map(_described, wanted.values()))
        raise SignatureError(f"{' '.join(wrong)} The model's inputs are: {has}")
    tensors = {name: _fitting(feeds[name], one) for name, one in wanted.items()}
    rows = _rows(tensors, wanted)
    for fed in session.inputs:
        if fed.name not in tensors:
            shape = [d or 1 for d in fed.shape]
            tensors[fed.name] = np.zeros(shape, DTYPES[fed.element])
    if not rowwise:
        return session.run(tensors)
    runs = [session.run(_row(tensors, wanted, i)) for i in range(rows)]
    return {name: _joined([run[name] for run in runs]) for name in session.outputs if runs}


def _fitting(given: Any, one: Input) -> np.ndarray:
    dtype = DTYPES[one.element]
    array = np.asarray(given)
    if len(one.shape) == 2 and array.ndim == 1 and one.kind is InputKind.COLUMN:
        array = array.reshape(-1, 1)
    fits = array.ndim == len(one.shape) and all(
        want in (None, have) for want, have in zip(one.shape, array.shape, strict=True)
    )
    if not fits:
        raise SignatureError(
            f"the input {_described(one)} was given an array of the shape {list(array.shape)}"
        )
    text = array.dtype.kind in "UTO"
    if text != (dtype.kind == "O") or not (text or np.can_cast(array.dtype, dtype, "same_kind")):
        raise SignatureError(
            f"the input {_described(one)} was given an array of {array.dtype}, which would not "
            "keep its values. Convert it first"
        )
    if array.dtype.kind == "O" and not all(isinstance(v, str) for v in array.ravel()):
        raise SignatureError(
            f"the input {_described(one)} was given an array of objects that are not all text"
        )
    with np.errstate(over="ignore"):  # past float32 is ±inf, as everywhere
        return np.ascontiguousarray(array.astype(dtype, copy=False))


def _rows(tensors: Mapping[str, np.ndarray], wanted: Mapping[str, Input]) -> int:
    counts = {
        name: len(tensor)
        for name, tensor in tensors.items()
        if wanted[name].kind is not InputKind.CONSTANT
    }
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise SignatureError(f"the inputs have different numbers of rows: {told}")
    return next(iter(counts.values()), 1)


def _row(
    tensors: Mapping[str, np.ndarray], wanted: Mapping[str, Input], i: int
) -> dict[str, np.ndarray]:
    """The feeds of one row; constants and unused inputs stay whole."""
    split = {name for name, one in wanted.items() if one.kind is not InputKind.CONSTANT}
    return {name: t[i : i + 1] if name in split else t for name, t in tensors.items()}


def _joined(values: list[Any]) -> Any:
    """One output of several runs: arrays end to end, sequences of maps as one sequence."""
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    return [row for value in values for row in value]


def _described(one: Input) -> str:
    shape = ", ".join(
        "N" if i == 0 and d is None else str(d or "?") for i, d in enumerate(one.shape)
    )
    return f"{one.name!r} {one.element}[{shape}]"
