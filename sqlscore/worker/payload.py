"""The rows of a part, as JSON: an array of values for each column, and one for each prediction.

A number is written with all its digits and read back as the same bits; NaN, Infinity and -Infinity
are text, as PostgreSQL's own JSON has them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import SqlscoreError
from sqlscore.relations.storable import storable
from sqlscore.runtime.literals import jsonable
from sqlscore.types import is_list, is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.product import Product


def columns_of(given: str) -> list[list[Any]]:
    """The columns of a part, as the lists that JSON has; a zero keeps its sign."""
    signed = "-0," in given or "-0]" in given
    try:
        found: list[list[Any]] = json.loads(given, parse_int=_signed if signed else None)
    except (ValueError, RecursionError) as error:
        raise SqlscoreError(f"the queue holds rows that nothing can read: {error}") from error
    return found


def _signed(digits: str) -> int | float:
    return -0.0 if digits == "-0" else int(digits)


def array_of(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The values of one column, in a type that it means."""
    try:
        return pa.array(values, type_)
    except (pa.ArrowException, TypeError):
        convert = _conversion(type_)
        return pa.array([None if v is None else convert(v) for v in values], type_)


def _conversion(type_: pa.DataType) -> Callable[[Any], Any]:
    if is_list(type_):
        inner = _conversion(type_.value_type)
        return lambda value: [None if v is None else inner(v) for v in _flat(value)]
    if pa.types.is_binary(type_):
        return lambda value: bytes.fromhex(value[2:])
    if is_text(type_):
        return lambda value: value if isinstance(value, str) else json.dumps(value)
    return float if pa.types.is_floating(type_) else lambda value: value


def _flat(value: Any) -> list[Any]:
    """Nested lists in the order of their rows."""
    nested = isinstance(value, list) and any(isinstance(v, list) for v in value)
    return [one for v in value for one in _flat(v)] if nested else value


def meant(values: Sequence[Any]) -> pa.DataType:
    """What a column means of which nothing but its values is known."""
    kinds = {type(v) for v in values} - {type(None)}
    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        wide = max(v for v in values if v is not None) >= 2**63
        return pa.uint64() if wide else pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def encoded(batch: pa.RecordBatch, product: Product, *, by_row: bool) -> str:
    """Predictions as text, for each prediction or for each row.

    NaN and ±inf are null where the product's columns hold none, and a list is JSON in a text where
    it has no arrays.
    """
    values = [_plain(column, product) for column in storable(batch, product).columns]
    if by_row:
        values = [list(row) for row in zip(*values, strict=True)]
    return _json(values)


def _json(values: Any) -> str:
    try:
        return json.dumps(values, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(jsonable(values), separators=(",", ":"))


def _plain(column: pa.Array, product: Product) -> list[Any]:
    if pa.types.is_floating(column.type):
        column = pc.cast(column, pa.float64())
    found: list[Any] = column.to_pylist()
    if is_list(column.type) and not product.arrays:
        return [None if value is None else _json(value) for value in found]
    return found
