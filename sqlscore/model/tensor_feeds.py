"""Tensors that a caller gives by input name: one call of the graph, no columns and no policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.errors import SignatureError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlscore.session import Fed, Session


def run_tensors(
    session: Session, feeds: Mapping[str, Any], *, unused: Collection[str] = ()
) -> dict[str, Any]:
    """The outputs of one call by name, with shapes as the model gives them.

    An array of another number type is converted where no value changes its kind (double to float
    rounds, float to integer is refused); ``[N]`` stands for ``[N, 1]``; a sequence is a list.
    `unused` names may be fed, and nothing looks at them. Raises SignatureError for names, types
    and shapes that do not fit, ModelError where the model fails.
    """
    wanted = {one.name: one for one in session.inputs}
    known = {*wanted, *session.defaults, *unused}
    wrong = [f"{n!r} is no input of the model.{nearest(n, known)}" for n in feeds if n not in known]
    wrong += [f"the input {n!r} is missing." for n in wanted if n not in feeds]
    if wrong:
        has = ", ".join(map(_described, wanted.values())) or "none"
        raise SignatureError(f"{' '.join(wrong)} The model's inputs are: {has}")
    tensors = {name: _fitting(feeds[name], one) for name, one in wanted.items()}
    _check_rows(tensors, session.inputs)
    return session.run(tensors | {n: feeds[n] for n in session.defaults if n in feeds})


def run_each(
    session: Session,
    feeds: Mapping[str, Any],
    split: Collection[str],
    *,
    unused: Collection[str] = (),
) -> dict[str, Any]:
    """The same for a model that takes one row a call: `split` names the inputs that have rows."""
    counts = {name: len(feeds[name]) for name in split}
    if len(set(counts.values())) > 1:
        raise _different_rows(counts)
    rows = next(iter(counts.values()))
    runs = []
    for i in range(rows):
        row = {name: v[i : i + 1] if name in split else v for name, v in feeds.items()}
        runs.append(run_tensors(session, row, unused=unused))
    if not runs:
        raise SignatureError("the model runs row by row, and there is no row to tell its outputs")
    return {name: _joined([run[name] for run in runs]) for name in session.outputs}


def _fitting(given: Any, one: Fed) -> Any:
    if one.element not in DTYPES:  # a sequence, an optional, a type that numpy has not
        return given
    dtype = DTYPES[one.element]
    array = np.asarray(given)
    if one.shape == (None, 1) and array.ndim == 1:
        array = array.reshape(-1, 1)
    # ONNX Runtime tells a scalar by the same empty shape as a tensor of any shape
    fits = not one.shape or (
        array.ndim == len(one.shape)
        and all(want in (None, have) for want, have in zip(one.shape, array.shape, strict=True))
    )
    if not fits:
        raise SignatureError(
            f"the input {_described(one)} was given an array of the shape {list(array.shape)}"
        )
    if not _keeps(array.dtype, dtype):
        raise SignatureError(
            f"the input {_described(one)} was given an array of {array.dtype}, which would not "
            "keep its values. Convert it first"
        )
    if array.dtype.kind == "O" and not all(isinstance(v, str) for v in array.ravel()):
        raise SignatureError(
            f"the input {_described(one)} was given an array of objects that are not all text"
        )
    with np.errstate(over="ignore"):  # past float32 is ±inf, as everywhere
        # not ascontiguousarray, which makes a scalar an array of one dimension
        return np.asarray(array, dtype, order="C")


def _keeps(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether values of one type become the same kind of values of another."""
    if given.kind in "UTO" or wanted.kind == "O":
        return given.kind in "UTO" and wanted.kind == "O"
    # small floats are extension types to numpy, which knows no kind of them
    return given.kind == "V" or bool(np.can_cast(given, wanted, "same_kind"))


def _check_rows(tensors: Mapping[str, Any], inputs: Sequence[Fed]) -> None:
    """Inputs whose first dimension has the same name have equally many rows."""
    rows: dict[str, dict[str, int]] = {}
    for one in inputs:
        if one.batch is not None:
            rows.setdefault(one.batch, {})[one.name] = len(tensors[one.name])
    for counts in rows.values():
        if len(set(counts.values())) > 1:
            raise _different_rows(counts)


def _different_rows(counts: Mapping[str, int]) -> SignatureError:
    told = ", ".join(f"{name!r} {count}" for name, count in counts.items())
    return SignatureError(f"the inputs have different numbers of rows: {told}")


def _joined(values: list[Any]) -> Any:
    """One output of several runs: arrays end to end, sequences as one sequence."""
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    return [row for value in values for row in value]


def _described(one: Fed) -> str:
    if one.element not in DTYPES:
        return f"{one.name!r} {one.element}"
    shape = ", ".join(
        "N" if i == 0 and d is None else str(d or "?") for i, d in enumerate(one.shape)
    )
    return f"{one.name!r} {one.element}[{shape}]"
