"""Rows that callers hold in memory: pandas, polars and Arrow in, the same kind out.

Neither pandas nor polars is imported for the other's sake: rows that are a frame of one of them
prove that their library is there.

What is NULL: in pandas NaN, NA, NaT and None alike (pandas itself cannot tell NaN from missing in a
plain float column); in polars and Arrow null, while NaN stays a number that the model gets.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one kind, seen as named columns."""

    names: tuple[str, ...]
    count: int
    column: Callable[[int], pa.Array]  #: the column at a place, as one Arrow array
    back: Callable[[pa.Table], Any]  #: predictions in the kind that the rows are

    def type(self, name: str) -> pa.DataType:
        """The type of a column."""
        return self.column(self.names.index(name)).type

    def chosen(self, columns: Sequence[str], names: Sequence[str]) -> pa.RecordBatch:
        """The columns as a batch under other names; SignatureError for a name that is twice."""
        arrays = []
        for column in columns:
            if self.names.count(column) > 1:
                raise SignatureError(
                    f"the rows have {self.names.count(column)} columns named {column!r}; "
                    "a feature needs one"
                )
            arrays.append(self.column(self.names.index(column)))
        return pa.RecordBatch.from_arrays(arrays, names=list(names))


def rows_of(given: Any) -> Rows:
    """See pandas and polars DataFrames, Arrow tables and batches as `Rows`.

    So is anything else that gives itself as an Arrow stream (a DuckDB relation, a reader); its
    predictions are an Arrow table. Raises SignatureError for everything else.
    """
    for library, kind, wrap in _KINDS:
        module = sys.modules.get(library)
        if module is not None and isinstance(given, getattr(module, kind)):
            return wrap(given)
    if hasattr(given, "__arrow_c_stream__") and not _is_column(given):
        return _of_table(pa.table(given))
    raise SignatureError(
        f"rows are a pandas or polars DataFrame, an Arrow table or record batch, or a dict of "
        f"numpy arrays by input name, not {type(given).__module__}.{type(given).__name__}"
        + (". Call its collect() first" if hasattr(given, "collect") else "")
    )


def _is_column(given: Any) -> bool:
    """A single column gives itself as a stream too, of values instead of rows."""
    return isinstance(given, pa.ChunkedArray) or type(given).__name__ == "Series"


def _of_pandas(frame: Any) -> Rows:
    names = tuple(_text_name(name) for name in frame.columns)
    return Rows(
        names=names,
        count=len(frame),
        column=lambda place: _pandas_column(frame.iloc[:, place], names[place]),
        back=lambda table: _to_pandas(table, frame.index),
    )


def _text_name(name: Any) -> str:
    """A column's name as text: levels of a MultiIndex are joined, numbers written out."""
    return ".".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _pandas_column(series: Any, name: str) -> pa.Array:
    if type(series.dtype).__name__ == "SparseDtype":  # Arrow does not know it
        series = series.sparse.to_dense()
    if series.dtype == object:
        # Arrow takes arrays of one dimension only as elements; lists of lists it takes as they are
        series = series.map(lambda v: v.tolist() if getattr(v, "ndim", 0) > 1 else v)
    try:
        return _whole(pa.Array.from_pandas(series))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        kinds = sorted({type(v).__name__ for v in series.head(1000)})
        raise SignatureError(
            f"column {name!r} holds values that are not of one type ({', '.join(kinds)}). "
            "Convert it: df[column].astype(…)"
        ) from error


def _to_pandas(table: pa.Table, index: Any) -> Any:
    frame = table.to_pandas()
    frame.index = index
    return frame


def _of_polars(frame: Any) -> Rows:
    import polars as pl

    return Rows(
        names=tuple(frame.columns),
        count=frame.height,
        column=lambda place: _whole(frame.to_series(place).to_arrow()),
        back=pl.from_arrow,
    )


def _of_table(table: pa.Table) -> Rows:
    return Rows(
        names=tuple(table.column_names),
        count=table.num_rows,
        column=lambda place: _whole(table.column(place)),
        back=lambda predictions: predictions,
    )


def _of_batch(batch: pa.RecordBatch) -> Rows:
    return Rows(
        names=tuple(batch.schema.names),
        count=batch.num_rows,
        column=lambda place: _whole(batch.column(place)),
        back=_one_batch,
    )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    arrays = [_whole(column) for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of a column's pieces, in a form that Arrow can compute with."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    usual = _USUAL.get(column.type)
    return column if usual is None else column.cast(usual)


#: views, which have few functions yet -> the older type of the same values
_USUAL = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}

_KINDS: tuple[tuple[str, str, Callable[[Any], Rows]], ...] = (
    ("pandas", "DataFrame", _of_pandas),
    ("polars", "DataFrame", _of_polars),
    ("pyarrow", "Table", _of_table),
    ("pyarrow", "RecordBatch", _of_batch),
)
