"""Tensors in lists: the shape of each row's, the rows whose shapes are equal, and their array."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.errors import SignatureError
from sqlscore.predictor.lists import children
from sqlscore.types import is_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from sqlscore.signature import Feature, Input

_UNEVEN = -1  #: in place of a length, where the lists of one row are not equally long


def grouped(parts: Sequence[tuple[pa.Array, Feature, Input]]) -> list[np.ndarray] | None:
    """The rows in which every tensor has the same shape, group by group; None: all of them.

    The columns are those that `as_lists` made, without NULL. Raises SignatureError that names the
    feature, with the rows, where a shape does not fit the input.
    """
    if not parts:
        return None
    shapes = np.concatenate([fitted(*part) for part in parts], axis=1)
    if (shapes == shapes[:1]).all():
        return None
    _, groups = np.unique(shapes, axis=0, return_inverse=True)
    groups = groups.ravel()  # numpy 2.0 alone gives it another shape
    return [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]


def held(column: pa.Array, feature: Feature, one: Input, dtype: np.dtype[Any]) -> np.ndarray:
    """The array of the shape ``(rows, d1, …)`` that a column of tensors of one shape holds."""
    rows = len(column)
    shape = fitted(column, feature, one)[0] if rows else [d or 0 for d in one.shape[1:]]
    while is_list(column.type):
        column = children(column)[1]
    array = column.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    shaped: np.ndarray = array.reshape(rows, *shape)
    return shaped


def fitted(column: pa.Array, feature: Feature, one: Input) -> np.ndarray:
    """The shape that each row's tensor has for the input, one a line; flat lists get one.

    A dimension that the input leaves free is what the row's own lists say; of a flat list it
    follows from the others, where it is the only one.
    """
    wanted = np.array([_UNEVEN if d is None else d for d in one.shape[1:]])
    given = _shapes(column)
    flat = given.shape[1] == 1 < len(wanted)
    found = _unfolded(given[:, 0], wanted) if flat else given
    if found.shape[1] != len(wanted):
        raise _misfit(given, np.ones(len(found), bool), feature, one)
    inside_nothing = np.cumsum(found == 0, axis=1) > (found == 0)
    found = np.where(inside_nothing, np.maximum(wanted, 0), found)
    wrong = ((found != wanted) & (wanted >= 0) | (found < 0)).any(axis=1)
    if wrong.any():
        raise _misfit(given, wrong, feature, one)
    return found


def _shapes(column: pa.Array) -> np.ndarray:
    """The lengths of each row's lists, level by level."""
    offsets, child = children(column)
    lengths = np.diff(offsets)
    if not is_list(child.type):
        return lengths[:, None]
    inner = _shapes(child)
    starts = np.minimum(offsets[:-1], max(len(inner) - 1, 0))
    first = inner[starts] if len(inner) else np.zeros((len(lengths), inner.shape[1]), lengths.dtype)
    first = np.where(lengths[:, None] > 0, first, 0)
    differs = (np.repeat(first, lengths, axis=0) != inner).any(axis=1)
    before = np.concatenate([[0], np.cumsum(differs)])
    uneven = before[offsets[1:]] > before[offsets[:-1]]
    return np.column_stack([lengths, np.where(uneven[:, None], _UNEVEN, first)])


def _unfolded(lengths: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The shapes of flat lists; uneven where the length does not fit, or tells too little."""
    free = wanted < 0
    known = math.prod(wanted[~free].tolist())
    shapes = np.tile(wanted, (len(lengths), 1))
    if free.sum() == 1 and known:
        shapes[:, free] = (lengths // known)[:, None]
    shapes[shapes.prod(axis=1) != lengths] = _UNEVEN
    if free.sum() > 1:
        shapes[:] = _UNEVEN
    return shapes


def _misfit(given: np.ndarray, wrong: np.ndarray, feature: Feature, one: Input) -> SignatureError:
    places = np.flatnonzero(wrong)
    shape = given[places[0]].tolist()
    held = "lists of different lengths" if _UNEVEN in shape else " by ".join(map(str, shape))
    wants = " by ".join("?" if d is None else str(d) for d in one.shape[1:])
    flat = len(shape) == 1 and list(one.shape[1:]).count(None) > 1
    return SignatureError(
        f"the feature {feature.name!r} takes {wants} values a row, and "
        f"{'a row holds' if len(places) == 1 else f'{len(places)} rows do not: the first holds'} "
        f"{held}"
        + (
            ". A flat list does not tell more than one free dimension: give nested lists, or the "
            f"sizes at load or add: shapes={{{one.name!r}: […]}}"
            if flat
            else ""
        )
    ).at_rows(places)
