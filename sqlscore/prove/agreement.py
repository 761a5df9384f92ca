"""Whether two results of one model agree: labels equal, values within so many ulp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlscore.signature import Output, Signature


class Disagreement(Exception):
    """Two runs of one model gave different answers; the message says how."""


def concatenated(
    results: Sequence[Mapping[str, Any]], signature: Signature
) -> dict[str, np.ndarray]:
    """The outputs of several runs one after the other; sequences of maps become tensors.

    Raises Disagreement where an output has other shapes in other runs, or is not there row by row.
    """
    joined = {}
    for output in signature.outputs:
        arrays = [_tensor(result[output.name], output) for result in results]
        try:
            joined[output.name] = np.concatenate(arrays)
        except ValueError as error:
            raise Disagreement(
                f"the output {output.name!r} has no value a row, or not the same number of them. "
                f"Leave it out: drop=[{output.name!r}]"
            ) from error
    return joined


def within(
    ulp: float | None,
    expected: Mapping[str, np.ndarray],
    found: Mapping[str, np.ndarray],
    meaning: str,
) -> float:
    """The largest difference of two results of the same rows, in units in the last place (ulp).

    Raises Disagreement, with what it means, where labels or NaN differ or values are more than
    `ulp` apart. An ulp is that of the larger value, or of the typical value in its column where
    that is larger: what is left when large terms cancel has the rounding of the terms.

    None allows for rounding, to the square root of the type's precision, in ulp of the output's
    largest value: a small probability may be 1 minus a large one, and have the rounding of that.
    """
    worst = 0.0
    for name, one in expected.items():
        other = found[name]
        if one.shape != other.shape:
            raise Disagreement(
                f"{meaning}: the output {name!r} has the shape {list(other.shape)} instead of "
                f"{list(one.shape)}"
            )
        if one.dtype.kind != "f":
            if not np.array_equal(one, other):
                raise Disagreement(f"{meaning}: the output {name!r} differs")
            continue
        apart = _ulp(one, other, _typical if ulp is not None else np.max)
        allowed = ulp if ulp is not None else float(np.finfo(one.dtype).eps) ** -0.5
        if apart > allowed:
            raise Disagreement(
                f"{meaning}: the output {name!r} differs by {apart:.3g} ulp in {len(one)} drawn "
                f"rows, and {allowed:.3g} are allowed"
            )
        worst = max(worst, apart)
    return worst


def _ulp(one: np.ndarray, other: np.ndarray, least: Callable[[np.ndarray], Any]) -> float:
    """The largest difference; a unit is at least that of what `least` makes of the values."""
    if not one.size:
        return 0.0
    a, b = one.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if np.any(~same & ~(np.isfinite(a) & np.isfinite(b))):
        return float("inf")
    finite = np.where(np.isfinite(a) & np.isfinite(b), np.fmax(np.abs(a), np.abs(b)), 0.0)
    size = np.fmax(finite, least(finite)).astype(one.dtype)
    apart = np.abs(np.where(same, 0.0, a) - np.where(same, 0.0, b))
    return float(np.max(apart / np.spacing(size).astype(np.float64)))


def _typical(size: np.ndarray) -> np.ndarray:
    """The median of each column."""
    return np.asarray(np.median(size, axis=0))


def _tensor(value: Any, output: Output) -> np.ndarray:
    """An output as an array; a sequence of maps has a column a class, in the labels' order."""
    if isinstance(value, np.ndarray):
        return value
    rows = []
    for one in value:
        by_label = {str(key): number for key, number in one.items()}
        rows.append([by_label[label] for label in output.labels or by_label])
    return np.array(rows, dtype=np.float32)
