"""Arrow's columns from PostgreSQL's arrays, and as the text that PostgreSQL reads: pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sqlscore import compute as pc
from sqlscore.runtime.literals import list_text, quoted
from sqlscore.types import numbers


def columns_of(values: np.ndarray, nulls: np.ndarray | None) -> list[pa.Array]:
    """Each column of a matrix as an Arrow array."""
    by_column = np.ascontiguousarray(values.T)
    if nulls is None:
        return [numbers(column) for column in by_column]
    masks = np.ascontiguousarray(nulls.T)
    return [numbers(c, nulls=mask) for c, mask in zip(by_column, masks, strict=True)]


def texts(column: pa.Array) -> pa.Array:
    """A prediction's values as PostgreSQL reads them; a float as the double that it is."""
    type_ = column.type
    if isinstance(type_, pa.ListType):
        return pa.array([None if row is None else list_text(row) for row in column.to_pylist()])
    if pa.types.is_floating(type_):
        column = pc.cast(column, pa.float64())
    return pc.cast(column, pa.string())


def double_texts(values: np.ndarray) -> list[str]:
    """Doubles as PostgreSQL reads them."""
    found: list[str] = texts(numbers(values)).to_pylist()
    return found


def fields(column: pa.Array) -> list[str]:
    """A prediction's values as fields of a record's text; nothing is NULL."""
    found: list[Any] = texts(column).to_pylist()
    if isinstance(column.type, pa.ListType) or not _bare(column.type):
        return ["" if value is None else quoted(value) for value in found]
    # Arrow's own fill_null imports pandas
    return ["" if value is None else value for value in found] if column.null_count else found


def _bare(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or type_ == pa.bool_())


def array_text(column: pa.Array) -> str:
    """All values as the text of one array."""
    found = texts(column).to_pylist()
    if _bare(column.type):
        return "{" + ",".join("NULL" if value is None else value for value in found) + "}"
    return list_text(found)
