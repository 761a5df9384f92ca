"""DuckDB's types: what they mean in Arrow's terms, and how their values are carried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products.product import Declared

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sqlscore.types import Column

#: DuckDB's word -> what such a column is
_TYPES = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "HUGEINT": pa.decimal128(38, 0),
    "UHUGEINT": pa.decimal256(39, 0),
    "BIGNUM": pa.decimal256(76, 0),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_S": pa.timestamp("s"),
    "TIMESTAMP_MS": pa.timestamp("ms"),
    "TIMESTAMP_NS": pa.timestamp("ns"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "UUID": pa.string(),
    "JSON": pa.string(),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)

#: Arrow type -> DuckDB's word
_WORDS = {type_: word for word, type_ in reversed(_TYPES.items())} | {
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.large_binary(): "BLOB",
    pa.float16(): "FLOAT",
}


def arrow_type(declared: str) -> pa.DataType:
    """What a declared type means; `pa.null()` where Arrow has no word for it."""
    if declared in _TYPES:
        return _TYPES[declared]
    if found := _LIST.fullmatch(declared):
        item = arrow_type(found[1])
        return pa.null() if pa.types.is_null(item) else pa.list_(item)
    if found := _DECIMAL.fullmatch(declared):
        return pa.decimal128(int(found[1]), int(found[2]))
    return pa.string() if declared.startswith("ENUM(") else pa.null()


def declare(type_: pa.DataType) -> str:
    """DuckDB's word for a column that holds an Arrow type; VARCHAR where there is no closer one."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({min(type_.precision, 38)}, {type_.scale})"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return f"{declare(type_.value_type)}[]"
    if pa.types.is_fixed_size_list(type_):
        return f"{declare(type_.value_type)}[{type_.list_size}]"
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return "TIMESTAMP WITH TIME ZONE"
    return _WORDS.get(type_, "VARCHAR")


def carried(column: Column) -> pa.DataType:
    """The column's own type for numbers, booleans, text, binary and lists of them; else text.

    Text keeps what Arrow has no value for: infinite and far dates, HUGEINT, INTERVAL, BIT, STRUCT.
    """
    return column.type if _is_kept(column.type) else pa.string()


def _is_kept(type_: pa.DataType) -> bool:
    if pa.types.is_list(type_):
        return _is_kept(type_.value_type)
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_binary(type_)
    )


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """A cast to text or double where that is asked of another type; else the expression itself."""
    if pa.types.is_string(type_) and column.declared != "VARCHAR":
        return sa.cast(expression, Declared("VARCHAR"))
    if pa.types.is_floating(type_) and column.type not in (type_, pa.string()):
        return sa.cast(expression, Declared("DOUBLE"))
    fixed = re.search(r"\[\d+\]", column.declared or "")  # in Arrow that is another type
    if pa.types.is_list(type_) and (fixed or column.type != type_):
        return sa.cast(expression, Declared(declare(type_)))
    return expression
