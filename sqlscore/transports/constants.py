"""Columns that hold one value in all rows of a batch: a run's own, which need not travel a row.

In a batch they are run-end encoded, with a single run, so they take no memory a row either. A
writer that can send such a value once takes them apart; `fitted` spreads them out for the others.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def constant(value: pa.Scalar, rows: int) -> pa.RunEndEncodedArray:
    """The value in that many rows."""
    values = pa.array([value.as_py()], value.type)
    if not rows:
        return pa.RunEndEncodedArray.from_arrays(pa.array([], pa.int32()), values[:0])
    return pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), values)


def apart(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The columns whose values differ, and one row of those that `constant` made."""
    encoded = [pa.types.is_run_end_encoded(type_) for type_ in batch.schema.types]
    alike = [name for name, once in zip(batch.schema.names, encoded, strict=True) if once]
    names = [name for name in batch.schema.names if name not in alike]
    values = [batch.column(name).values for name in alike]
    return batch.select(names), pa.RecordBatch.from_arrays(values, names=alike)


def together(varying: pa.RecordBatch, alike: pa.RecordBatch) -> pa.RecordBatch:
    """What `apart` takes apart; the columns of one value are the last."""
    rows = varying.num_rows
    columns = [*varying.columns, *(constant(column[0], rows) for column in alike.columns)]
    names = [*varying.schema.names, *alike.schema.names]
    return pa.RecordBatch.from_arrays(columns, names=names)


def spread(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with each value in its row."""
    if not any(map(pa.types.is_run_end_encoded, batch.schema.types)):
        return batch
    columns = [
        pc.run_end_decode(column) if pa.types.is_run_end_encoded(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
