"""Rows of Python values as Arrow columns, and back: what every DBAPI can be read and written by."""

from __future__ import annotations

import json
import math
import numbers
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def batch_of(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """The rows, each a sequence in the schema's order, as one batch of exactly `schema`.

    None is NULL. A value that is not of its column's type is converted where that keeps it
    (a Decimal to double, 0 and 1 to boolean, anything but binary to text); else `DatabaseError`.
    """
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True)
    columns = list(columns) or [()] * len(schema)
    arrays = [column_of(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def column_of(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """The values as one array of the field's type; errors name the field."""
    try:
        if not _truncates(values, field.type):
            return pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    convert = _converter(field.type)
    try:
        return pa.array([None if v is None else convert(v) for v in values], field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        kinds = sorted({type(v).__name__ for v in values if v is not None})
        raise DatabaseError(
            f"column {field.name!r} came as {' and '.join(kinds)}, with a value that does not fit "
            f"{field.type}. Cast it in the source, or leave it out"
        ) from error


def _truncates(values: Sequence[Any], type_: pa.DataType) -> bool:
    """Whether Arrow itself would cut these values short, silently: 1.5 to 1, a moment to a day."""
    if pa.types.is_integer(type_):
        return float in set(map(type, values))
    return pa.types.is_date(type_) and datetime in set(map(type, values))


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The batch as one dict a row, NULL as None: what an executemany takes."""
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def _number(value: Any) -> float:
    # Text is never silently a number: SQLite keeps text in a numeric column.
    if isinstance(value, (numbers.Number, bool)) or hasattr(value, "as_tuple"):
        return float(value)
    raise TypeError("not a number")


def _integer(value: Any) -> int:
    number = _number(value)
    if not math.isfinite(number) or int(value) != value:
        raise ValueError("not a whole number")
    return int(value)


def _truth(value: Any) -> bool:
    if value in (0, 1, b"\x00", b"\x01"):
        return value in (1, b"\x01")
    raise ValueError("neither true nor false")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("binary is no text")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(*((" ",) if isinstance(value, datetime) else ()))
    return str(value)


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value)


def _day(value: Any) -> date:
    moment = _moment(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        if moment.time() != time():
            raise ValueError("a time of day is no date")
        return moment.date()
    if isinstance(moment, date):
        return moment
    raise TypeError("not a date")


def _list(value: Any) -> list[Any]:
    return list(json.loads(value) if isinstance(value, str) else value)


#: which Arrow types take which conversion, the first that fits
_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_floating, _number),
    (pa.types.is_integer, _integer),
    (pa.types.is_boolean, _truth),
    (pa.types.is_string, _text),
    (pa.types.is_large_string, _text),
    (pa.types.is_binary, bytes),
    (pa.types.is_large_binary, bytes),
    (pa.types.is_timestamp, _moment),
    (pa.types.is_date, _day),
    (pa.types.is_list, _list),
)


def _converter(type_: pa.DataType) -> Callable[[Any], Any]:
    return next((convert for fits, convert in _CONVERTERS if fits(type_)), lambda value: value)
