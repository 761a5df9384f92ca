"""MySQL's and MariaDB's types: what a column means, how it is carried, and how it is written down.

What Arrow has no exact form for is carried as text: decimals (up to 65 digits), dates (which may
be zero, or in month 0), times (up to 838 hours, negative ones too).
"""

from __future__ import annotations

import re
import secrets
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles

from sqlscore.errors import DatabaseError
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause
    from sqlalchemy.sql.compiler import SQLCompiler

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

#: execution options for a text that has no parameters, so a % in it is itself
LITERALLY = {"no_parameters": True}


def described(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery, with `declared` as the product prints it.

    A subquery becomes an empty temporary table for a moment: only that tells its types with their
    collations, which decide what keys are equal. Making one commits nothing.
    """
    if isinstance(relation, sa.Table):
        return _shown(connection, qualified(relation))
    name = f"sqlscore_{secrets.token_hex(8)}"
    connection.execute(EmptyCopy(name, sa.select(sa.text("*")).select_from(relation)))
    try:
        return _shown(connection, name)
    finally:
        connection.execute(sa.text(f"DROP TEMPORARY TABLE {name}"))


class EmptyCopy(sa.sql.expression.Executable, sa.sql.expression.ClauseElement):
    """A temporary table with the columns of a query, types and collations too, and no rows."""

    inherit_cache = False

    def __init__(self, name: str, query: sa.Select[Any]) -> None:
        self.name = name
        self.query = query


@compiles(EmptyCopy)
def _create(element: EmptyCopy, compiler: SQLCompiler, **kw: Any) -> str:
    return (
        f"CREATE TEMPORARY TABLE {element.name} AS {compiler.process(element.query.limit(0), **kw)}"
    )


def _shown(connection: Connection, table: str) -> tuple[Column, ...]:
    statement = f"SHOW FULL COLUMNS FROM {table}"
    found = connection.exec_driver_sql(statement, execution_options=LITERALLY)
    return tuple(
        Column(
            name=row.Field,
            type=_meaning(row.Type.lower()),
            declared=_declared(row.Type, row.Collation),
            nullable=row.Null == "YES",
        )
        for row in found
    )


def _declared(type_: str, collation: str | None) -> str:
    if collation is None:
        return type_
    # A table made from it must find the same keys equal, whatever its database's own collation.
    return f"{type_} CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"


def _meaning(declared: str) -> pa.DataType:
    word = _word(declared)
    if word == "decimal":
        precision, scale = _numbers(declared)
        made = pa.decimal128 if precision <= 38 else pa.decimal256
        return made(precision, scale)
    if _BINARY.fullmatch(word):
        return pa.binary()
    meaning = _MEANING.get(word, pa.string())
    return _UNSIGNED.get(meaning, meaning) if "unsigned" in declared else meaning


def _word(declared: str) -> str:
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
    word = _word(column.declared or "")
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


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """A constant that compares as the column does, safe as text whatever the value holds.

    Text is written in hexadecimal as utf8mb4: no setting of the session changes its meaning, and
    it takes on the column's own collation, so the column's index serves it. An enum or set is its
    number, since that is what the column is ordered by.
    """
    word = _word(column.declared or "")
    if word in ("enum", "set") and isinstance(value, str):
        return sa.literal_column(str(_number_of(value, column.declared or "", word)))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return sa.literal_column(f"x'{bytes(value).hex()}'")
    text = _text_of(value)
    if pa.types.is_decimal(column.type) or isinstance(value, (bool, int, float, Decimal)):
        return sa.literal_column(_plain_number(text))
    return sa.literal_column(f"_utf8mb4 x'{text.encode().hex()}'")


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value!r}" if "e" in repr(value) else f"{value!r}e0"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain_number(text: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text):
        raise DatabaseError("a bound of a numeric key is not a number")
    return text


def _number_of(value: str, declared: str, word: str) -> int:
    listed = re.sub(r" CHARACTER SET \w+ COLLATE \w+$", "", declared)
    members = [m.replace("''", "'") for m in re.findall(r"'((?:[^']|'')*)'", listed)]
    places = {member: i for i, member in enumerate(members)}
    try:
        if word == "enum":
            return places[value] + 1 if value else 0
        return sum(1 << places[member] for member in value.split(",") if member)
    except KeyError:
        raise DatabaseError(f"a bound is no member of {word} column type {declared}") from None


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
    if _word(declared) not in ("datetime", "timestamp", "time"):
        return 0 if _word(declared) == "date" else None
    found = re.match(r"\w+\((\d)\)", declared)
    return int(found[1]) if found else 0


def quoted(name: str) -> str:
    """An identifier in backticks, whatever it holds."""
    return f"`{name.replace('`', '``')}`"


def qualified(table: sa.Table) -> str:
    """A table's name, with its database's where it has one, in backticks."""
    return ".".join(quoted(part) for part in (table.schema, table.name) if part)
