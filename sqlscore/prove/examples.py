"""Rows with the predictions of the model's author: what a version gave at `add`, and must give on.

All of the author's rows are compared once; some of them, the worst among them, are kept with the
version, so that another ONNX Runtime or another provider can be held to the same tolerance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.errors import ModelError, SignatureError
from sqlscore.types import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.predictor import Predictor

_KEPT = 100  #: rows, at most, beside the worst one
_MOST_BYTES = 2**20  #: of the kept rows: they travel in one packet


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The largest difference between what was expected and what was predicted.

    Absolute up to 1, relative to the expected value beyond; infinite where only one of the two is
    missing, or where labels are not the same.
    """

    size: float
    prediction: str
    row: int  #: counted from 1

    def __str__(self) -> str:
        return f"{self.size:.3g} ({self.prediction}, row {self.row})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """What a version was found to give for its author's rows, and the rows that are kept."""

    rows: int  #: that were compared
    tolerance: float
    expect: Mapping[str, str]  #: the author's column -> the prediction that it holds
    largest: Difference
    onnxruntime: str  #: the version that they were compared with
    provider: str
    kept: pa.RecordBatch  #: the features, by their names, then the expected values by prediction

    def summary_json(self) -> str:
        """All but the rows, as it is stored."""
        largest = {name: getattr(self.largest, name) for name in Difference.__slots__}
        return json.dumps(
            {
                "rows": self.rows, "tolerance": self.tolerance, "expect": dict(self.expect),
                "largest": largest, "onnxruntime": self.onnxruntime, "provider": self.provider,
            },
            ensure_ascii=False,
        )  # fmt: skip

    def kept_ipc(self) -> bytes:
        """The kept rows, as an Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.kept.schema) as writer:
            writer.write_batch(self.kept)
        return bytes(sink.getvalue())

    @classmethod
    def stored(cls, summary: str, kept: bytes) -> Examples:
        """The examples of `summary_json` and `kept_ipc`."""
        values = json.loads(summary)
        values["largest"] = Difference(**values["largest"])
        with pa.ipc.open_stream(kept) as reader:
            (batch,) = reader
        return cls(**values, kept=batch)

    def check(self, predictor: Predictor, name: str) -> Difference:
        """How far a predictor is from the kept rows; ModelError if that is past the tolerance."""
        names = predictor.feature_names
        features = pa.RecordBatch.from_arrays(self.kept.columns[: len(names)], names=names)
        expected = self.kept.select(range(len(names), self.kept.num_columns))
        largest = compared(expected, predictor(features).batch)
        if not largest.size <= self.tolerance:
            raise ModelError(
                f"{name} does not give its author's predictions any more: the largest difference "
                f"of {self.kept.num_rows} kept examples is {largest}, and the tolerance is "
                f"{self.tolerance:g}. It held with onnxruntime {self.onnxruntime} on "
                f"{self.provider}: use those, or add the model again with its examples"
            )
        return largest


def compared(expected: pa.RecordBatch, predicted: pa.RecordBatch) -> Difference:
    """The largest difference; `expected` has some of the predictions, by their names."""
    worst = Difference(size=-1.0, prediction="", row=0)
    for name in expected.schema.names:
        sizes = _differences(name, expected.column(name), predicted.column(name))
        row = int(np.argmax(sizes)) if len(sizes) else 0
        if len(sizes) and sizes[row] > worst.size:
            worst = Difference(size=float(sizes[row]), prediction=name, row=row + 1)
    return worst


def _differences(name: str, expected: pa.Array, predicted: pa.Array) -> np.ndarray:
    if isinstance(expected.type, pa.DictionaryType):
        expected = expected.dictionary_decode()
    if _is_list(predicted.type):
        pairs = zip(expected.to_pylist(), predicted.to_pylist(), strict=True)
        return np.array([_of_lists(theirs, ours) for theirs, ours in pairs], dtype=np.float64)
    if is_number(predicted.type) and is_number(expected.type):
        return _of_numbers(_doubles(expected), _doubles(predicted))
    try:
        same = expected.cast(predicted.type)
    except pa.ArrowException as error:
        raise SignatureError(
            f"the prediction {name!r} is {predicted.type}, and what is expected of it is "
            f"{expected.type}, which cannot be compared"
        ) from error
    unlike = [a != b for a, b in zip(same.to_pylist(), predicted.to_pylist(), strict=True)]
    return np.where(unlike, np.inf, 0.0)


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def _of_lists(theirs: Any, ours: Any) -> float:
    """The largest difference of two lists, which may hold lists; infinite for another shape."""
    if theirs is None or ours is None:
        return 0.0 if theirs is ours else np.inf
    left, right = np.asarray(theirs), np.asarray(ours)
    if left.shape != right.shape:
        return np.inf
    if left.dtype.kind in "biuf" and right.dtype.kind in "biuf":
        return float(_of_numbers(left.astype(float), right.astype(float)).max(initial=0.0))
    return 0.0 if left.tolist() == right.tolist() else np.inf


def _doubles(column: pa.Array) -> np.ndarray:
    """The values as doubles; what is missing is NaN."""
    found: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def _of_numbers(expected: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        apart = np.abs(expected - predicted) / np.maximum(1.0, np.abs(expected))
    same = (expected == predicted) | (np.isnan(expected) & np.isnan(predicted))
    found: np.ndarray = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
    return found


def sample(features: pa.RecordBatch, expected: pa.RecordBatch, worst: int) -> pa.RecordBatch:
    """Some rows of both, side by side: spread evenly, and the one at `worst`.

    As many as fit; none, where a single one is too large.
    """
    both = pa.RecordBatch.from_arrays(
        [*features.columns, *expected.columns],
        schema=pa.schema([*features.schema, *expected.schema]),
    )
    most = min(_KEPT, both.num_rows)
    while most:
        spread = np.linspace(0, both.num_rows - 1, most).astype(int)
        taken = both.take(pa.array(sorted({*spread.tolist(), worst})))
        if taken.nbytes < _MOST_BYTES:
            return taken
        most //= 2
    return both.slice(0, 0)


#: what this process has checked: the version's name, the bytes, what is stored, the provider
_held: set[tuple[str, str, str, str]] = set()


def hold(
    examples: Examples,
    name: str,
    sha256: str,
    *,
    provider: str,
    runtime: str,
    load: Callable[[], Predictor],
) -> None:
    """Check the kept rows again where the runtime or the provider is another one than at `add`.

    Once in a process; `load` gives the predictor to check. Raises ModelError.
    """
    this = (name, sha256, examples.summary_json(), provider)
    if (examples.onnxruntime, examples.provider) == (runtime, provider) or this in _held:
        return
    if examples.kept.num_rows:
        examples.check(load(), name)
    _held.add(this)


def expectations(given: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """The author's column -> the prediction; a name alone is both."""
    if isinstance(given, str):
        given = [given]
    return dict(given) if isinstance(given, Mapping) else {name: name for name in given}
