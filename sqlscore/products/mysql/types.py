"""MySQL's and MariaDB's types: what a column means, how it is carried, and how it is declared.

What Arrow has no exact form for is carried as text: decimals (up to 65 digits), dates (which may
be zero, or in month 0), times (up to 838 hours, negative ones too).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sqlscore.types import Column

#: the first word of a declared type -> what it means
_MEANING: dict[str, pa.DataType] = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "mediumint": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "year": pa.int16(),
    "bit": pa.uint64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "time": pa.duration("us"),
}
_UNSIGNED: dict[pa.DataType, pa.DataType] = {
    pa.int8(): pa.uint8(),
    pa.int16(): pa.uint16(),
    pa.int32(): pa.uint32(),
    pa.int64(): pa.uint64(),
}
_BINARY = re.compile(
    r"binary|varbinary|(tiny|medium|long)?blob|geometry|point|linestring|polygon|vector"
    r"|multi(point|linestring|polygon)|geometrycollection|geomcollection"
)
_SPATIAL = re.compile(r"geom|(multi)?(point|linestring|polygon)")

_DECLARE: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "tinyint unsigned",
    pa.uint16(): "smallint unsigned",
    pa.uint32(): "int unsigned",
    pa.uint64(): "bigint unsigned",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.binary(): "longblob",
    pa.large_binary(): "longblob",
    pa.date32(): "date",
    pa.duration("us"): "time(6)",
}


def spelled(type_: str, collation: str | None) -> str:
    """A type as the catalogue prints it, with its collation."""
    if collation is None:
        return type_
    # A table made from it must find the same keys equal, whatever its database's own collation.
    return f"{type_} CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"


def meaning(declared: str) -> pa.DataType:
    """The Arrow type that holds what a column of that type holds."""
    word = word_of(declared)
    if word == "decimal":
        precision, scale = _numbers(declared)
        made = pa.decimal128 if precision <= 38 else pa.decimal256
        return made(precision, scale)
    if _BINARY.fullmatch(word):
        return pa.binary()
    found = _MEANING.get(word, pa.string())
    return _UNSIGNED.get(found, found) if "unsigned" in declared else found


def word_of(declared: str) -> str:
    """The first word of a declared type."""
    return re.split(r"\W", declared.lower(), maxsplit=1)[0]


def _numbers(declared: str) -> tuple[int, int]:
    found = re.match(r"\w+\((\d+)(?:,(\d+))?\)", declared)
    return (int(found[1]), int(found[2] or 0)) if found else (10, 0)


def carried(column: Column) -> pa.DataType:
    """Numbers and binary as they are; decimals, times and all else as text, which keeps them."""
    kept = (pa.types.is_integer, pa.types.is_floating, pa.types.is_binary, pa.types.is_boolean)
    return column.type if any(kind(column.type) for kind in kept) else pa.string()


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """What both readers give exactly.

    A 4-byte float is made double: as it is, the text protocol prints six digits of it. So is a
    decimal that feeds a number.
    """
    word = word_of(column.declared or "")
    if word == "bit":
        return sa.cast(expression, mysql.INTEGER(unsigned=True))
    if pa.types.is_floating(type_) and (
        pa.types.is_decimal(column.type) or column.type == pa.float32()
    ):
        # Not a CAST, which MySQL has since 8.0.17 only; not + 0, which loses the sign of -0.
        return expression * sa.literal_column("1e0", sa.Double())
    if pa.types.is_string(type_) and not pa.types.is_string(column.type):
        return sa.cast(expression, sa.CHAR())
    if _SPATIAL.match(word):
        return sa.cast(expression, sa.BINARY())
    return expression


def declare(type_: pa.DataType) -> str:
    """The product's words for a column that holds an Arrow type; text where there are none."""
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pa.types.is_timestamp(type_):
        return "datetime(6)"
    return _DECLARE.get(type_, "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")


def declare_key(type_: pa.DataType) -> str:
    """The same for a column in a key, which has room for 3,072 bytes in all: text is bounded."""
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return "varbinary(255)"
    declared = declare(type_)
    return declared.replace("longtext", "varchar(190)", 1)


def fraction(column: Column) -> int | None:
    """How many digits of a second the column keeps; None where it holds no time of day."""
    declared = (column.declared or "").lower()
    if word_of(declared) not in ("datetime", "timestamp", "time"):
        return 0 if word_of(declared) == "date" else None
    found = re.match(r"\w+\((\d)\)", declared)
    return int(found[1]) if found else 0
