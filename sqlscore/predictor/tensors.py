"""Arrow batches to the tensors that a session takes, and its outputs back; no loop over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.elements import DTYPES
from sqlscore.errors import ModelError, SignatureError
from sqlscore.predictor.columns import typed, values
from sqlscore.session.outputs import part
from sqlscore.signature import InputKind
from sqlscore.types import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.signature import Input, Output, Prediction, Signature


def to_tensors(batch: pa.RecordBatch, signature: Signature) -> dict[str, np.ndarray]:
    """The tensors for a batch that has one column a feature, in the signature's order.

    Shapes are those of the inputs with the batch's rows first; a block's columns lie side by side.
    Columns must hold no NULL: what one means is for the caller to say first. Raises SignatureError
    that names the feature for a column that cannot feed it.
    """
    inputs = {one.name: one for one in signature.inputs}
    arrays = []
    for column, feature in zip(batch.columns, signature.features, strict=True):
        typed_column = typed(column, feature, inputs[feature.input])
        if typed_column.null_count:
            raise SignatureError(f"the feature {feature.name!r} has NULLs; fill or filter them")
        arrays.append(values(typed_column, feature, inputs[feature.input]))
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow to ±inf is the rule
        return sliced(arrays, signature, 0, batch.num_rows)


def sliced(
    arrays: Sequence[np.ndarray], signature: Signature, start: int, stop: int
) -> dict[str, np.ndarray]:
    """The tensors of the rows from `start` to `stop`, from what `values` made of each column."""
    by_input: dict[str, dict[int, np.ndarray]] = {}
    for feature, array in zip(signature.features, arrays, strict=True):
        by_input.setdefault(feature.input, {})[feature.position] = array[start:stop]
    return {
        one.name: _tensor(one, by_input[one.name])
        for one in signature.inputs
        if one.name in by_input
    }


def _tensor(one: Input, by_position: Mapping[int, np.ndarray]) -> np.ndarray:
    dtype = DTYPES[one.element]
    parts = list(by_position.values())
    if one.kind is InputKind.BLOCK and len(parts) < (one.shape[1] or 0):
        return _with_gaps(one, by_position)
    if one.kind is InputKind.BLOCK:
        block = np.empty((len(parts[0]), len(parts)), dtype)
        fours = dtype == np.float32 and len(parts) >= 16 and len(parts) % 4 == 0
        (_fill_by_fours if fours else _fill)(block, parts)
        return block
    tensor = np.ascontiguousarray(parts[0], dtype)
    return tensor.reshape(-1, 1) if len(one.shape) == 2 and tensor.ndim == 1 else tensor


def _with_gaps(one: Input, by_position: Mapping[int, np.ndarray]) -> np.ndarray:
    """A block of which some features are not there, since nothing looks at them."""
    rows = len(next(iter(by_position.values())))
    nothing = "" if one.element == "string" else 0
    block = np.full((rows, one.shape[1] or 0), nothing, DTYPES[one.element])
    for position, column in by_position.items():
        block[:, position] = column
    return block


def _fill(block: np.ndarray, parts: list[np.ndarray]) -> None:
    for j, column in enumerate(parts):
        block[:, j] = column


def _fill_by_fours(block: np.ndarray, parts: list[np.ndarray]) -> None:
    """The same for wide blocks of float32: four neighbours move as one value of 16 bytes.

    A block is larger than the first cache, and this touches each of its lines a fourth as often:
    25 nanoseconds a row of 20 columns instead of 37.
    """
    four = np.empty((len(block), 4), np.float32)
    as_one, block_as_ones = four.view(np.complex128)[:, 0], block.view(np.complex128)
    for j in range(0, len(parts), 4):
        for i in range(4):
            four[:, i] = parts[j + i]
        block_as_ones[:, j // 4] = as_one


def to_columns(outputs: Mapping[str, Any], signature: Signature) -> pa.RecordBatch:
    """One column a prediction, from a session's outputs by name.

    An output is an array with the rows first, or a list of dicts (a sequence of maps). NaN stays
    NaN. Raises ModelError where an output has another shape than its predictions need.
    """
    known = {one.name: one for one in signature.outputs}
    wanted = {one.output for one in signature.predictions}
    arrays = {name: matrix(outputs[name], known[name]) for name in wanted}
    return pa.RecordBatch.from_arrays(
        [_column(arrays[p.output], p) for p in signature.predictions],
        schema=pa.schema([(p.name, p.type) for p in signature.predictions]),
    )


def matrix(value: Any, output: Output) -> np.ndarray:
    """An output as an array; a sequence of maps becomes one column a class label."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list) and all(isinstance(row, dict) for row in value) and output.labels:
        # the maps are Python objects already: this is the one place that must visit every row
        rows = [[row[key] for key in row] for row in value]
        if all(tuple(map(str, row)) == output.labels for row in value):
            return np.array(rows, DTYPES[output.element]).reshape(len(rows), len(output.labels))
    raise ModelError(f"the output {output.name!r} is neither a tensor nor a sequence of maps")


def _column(array: np.ndarray, one: Prediction) -> pa.Array:
    if isinstance(one.type, pa.ListType):
        rows = len(array)
        width = array.size // rows if rows else 0
        return pa.ListArray.from_arrays(
            np.arange(0, array.size + 1, width or 1, dtype=np.int32)
            if width
            else np.zeros(rows + 1, np.int32),
            _plain(array.reshape(-1), one.type.value_type),
        )
    return _plain(part(array, one), one.type)


def _plain(array: np.ndarray, type_: pa.DataType) -> pa.Array:
    return numbers(array, type_)
