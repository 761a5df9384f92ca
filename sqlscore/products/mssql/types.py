"""SQL Server's types: what a column means, how it is carried, and how it is written down.

What Arrow or the driver has no exact form for is carried as text: decimals, times (which keep seven
digits of a second), uniqueidentifier. Times are text in ISO 8601, which no setting of the session
gives another meaning.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import generic
from sqlscore.products.product import Declared
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause

#: a type's first word -> what it means; text where it is not here
_MEANING: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float64(),
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    "date": pa.date32(),
    "smalldatetime": pa.timestamp("us"),
    "datetime": pa.timestamp("us"),
    "datetime2": pa.timestamp("us"),
    "datetimeoffset": pa.timestamp("us", tz="UTC"),
    "binary": pa.binary(),
    "varbinary": pa.binary(),
    "image": pa.binary(),
    "timestamp": pa.binary(),
}
_DECLARE: dict[pa.DataType, str] = {
    pa.bool_(): "bit",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "tinyint",
    pa.uint16(): "int",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "float",
    pa.binary(): "varbinary(max)",
    pa.large_binary(): "varbinary(max)",
    pa.date32(): "date",
}
_MOMENTS = ("smalldatetime", "datetime", "datetime2", "datetimeoffset")
_NARROW = ("char", "varchar", "text")  # text in the code page of its collation
_ISO_8601: sa.ColumnElement[int] = sa.literal_column("126")  # a style of CONVERT
BINARY = "COLLATE Latin1_General_100_BIN2"  #: tells all texts apart

_RESULT = sa.text("""
    SELECT name, system_type_name, is_nullable, collation_name, error_number, error_message
      FROM sys.dm_exec_describe_first_result_set(:query, NULL, 0)
     ORDER BY column_ordinal
""")
_TEMPORARY = 11526  # the error of a query of a temporary table, which only its own session knows


def described(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery, with `declared` in the server's words."""
    query = sa.select(sa.text("*")).select_from(relation)
    text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
    rows = connection.execute(_RESULT, {"query": text}).all()
    if rows and rows[0].error_number == _TEMPORARY:
        return generic.describe(connection, relation)
    if rows and rows[0].error_number is not None:
        failure = DatabaseError(
            f"describing {relation.description} failed ({rows[0].error_number}): "
            f"{rows[0].error_message}"
        )
        failure.code = str(rows[0].error_number)
        raise failure
    return tuple(
        Column(
            name=row.name,
            type=meaning(row.system_type_name),
            declared=_declared(row.system_type_name, row.collation_name),
            nullable=row.is_nullable,
        )
        for row in rows
    )


def _declared(type_: str, collation: str | None) -> str:
    if type_ == "timestamp":  # its values are the server's own, and can be written to no column
        return "binary(8)"
    # A table made from it must find the same keys equal, whatever its database's own collation.
    return type_ if collation is None else f"{type_} COLLATE {collation}"


def bare(column: Column) -> str:
    """The declared type without its collation."""
    return (column.declared or "nvarchar(max)").partition(" COLLATE ")[0]


def word(column: Column) -> str:
    """The name of the declared type, without length or scale."""
    return bare(column).partition("(")[0].strip().lower()


def _arguments(declared: str) -> list[str]:
    inside = declared.partition("(")[2].rstrip(")")
    return [part.strip() for part in inside.split(",") if part.strip()]


def meaning(declared: str) -> pa.DataType:
    """The Arrow type of a declared one, without its collation; text where nothing else is known."""
    name = declared.partition("(")[0]
    if name in ("decimal", "numeric"):
        precision, scale = (int(part) for part in _arguments(declared))
        return pa.decimal128(precision, scale)
    return _MEANING.get(name, pa.string())


def carried(column: Column) -> pa.DataType:
    """Booleans, integers, floating point and binary as they are; all else as text."""
    kept = (pa.types.is_integer, pa.types.is_floating, pa.types.is_binary, pa.types.is_boolean)
    return column.type if any(kind(column.type) for kind in kept) else pa.string()


def returned(array: pa.Array, column: Column) -> pa.Array:
    """Dates, times and decimals as what they are; Arrow's times keep six digits of the seven."""
    if pa.types.is_string(array.type) and pa.types.is_timestamp(column.type):
        array = pc.replace_substring_regex(array, r"(\.\d{6})\d", r"\1")
    return generic.returned(array, column)


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """What the driver gives exactly: text for what only text keeps, double for a decimal.

    Text of a code page is made Unicode by the server, which knows the page.
    """
    if pa.types.is_string(type_):
        return _as_text(expression, column)
    if pa.types.is_decimal(column.type):
        return sa.cast(expression, Declared("float"))
    return expression


def _as_text(expression: ColumnElement[Any], column: Column) -> ColumnElement[Any]:
    name = word(column)
    if name in _MOMENTS:
        return sa.func.convert(sa.literal_column("varchar(40)"), expression, _ISO_8601)
    if name in ("date", "time", "decimal", "numeric", "uniqueidentifier"):
        return sa.cast(expression, Declared("varchar(41)"))
    if pa.types.is_decimal(column.type):  # money as text has two digits of its four
        return sa.cast(sa.cast(expression, Declared("decimal(19, 4)")), Declared("varchar(41)"))
    if name in _NARROW:
        length = (_arguments(bare(column)) or ["max"])[0]
        fits = length.isdigit() and int(length) <= 4000
        return sa.cast(expression, Declared(f"nvarchar({length if fits else 'max'})"))
    if pa.types.is_string(column.type) and name in ("nchar", "nvarchar"):
        return expression
    return sa.cast(expression, Declared("nvarchar(max)"))


def restored(sent: ColumnElement[Any], column: Column, type_: pa.DataType) -> ColumnElement[Any]:
    """A value as it was carried, made the column's own type again; what does not fit fails.

    Text goes to a text column as it is, where the server refuses what is too long for it.
    """
    name = word(column)
    if not pa.types.is_string(type_) or name in (*_NARROW, "nchar", "nvarchar", "ntext"):
        return sent
    if name in _MOMENTS:
        return sa.func.convert(sa.literal_column(bare(column)), sent, _ISO_8601)
    return sa.cast(sent, Declared(bare(column)))


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """A bound value of the column's own type, so that an index serves the comparison.

    A text that is bound is Unicode, and a column of a code page would be converted row by row.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        sent: ColumnElement[Any] = sa.bindparam(None, bytes(value), sa.LargeBinary(), unique=True)
    elif isinstance(value, (bool, int, float)):
        sent = sa.bindparam(None, value, unique=True)
    else:
        sent = sa.bindparam(None, _text_of(value), sa.Unicode(), unique=True)
    if word(column) in _MOMENTS:
        return sa.func.convert(sa.literal_column(bare(column)), sent, _ISO_8601)
    return sa.cast(sent, Declared(bare(column)))


def _text_of(value: Any) -> str:
    return value.isoformat() if isinstance(value, (datetime, date, time)) else str(value)


def declare(type_: pa.DataType) -> str:
    """The server's words for a column that holds an Arrow type; text where there are none."""
    if pa.types.is_decimal(type_) and type_.precision <= 38:
        return f"decimal({type_.precision}, {type_.scale})"
    if pa.types.is_timestamp(type_):
        return "datetimeoffset(6)" if type_.tz else "datetime2(6)"
    return _DECLARE.get(type_, "nvarchar(max)")


def declare_key(type_: pa.DataType) -> str:
    """The same for a column in a key, which has room for 900 bytes in all: text is bounded."""
    declared = declare(type_)
    if declared == "nvarchar(max)":
        return f"nvarchar(200) {BINARY}"
    return "varbinary(400)" if declared == "varbinary(max)" else declared
