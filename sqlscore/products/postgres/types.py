"""PostgreSQL's types: what a column means, how it is carried exactly, how it is declared."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products.product import Declared
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause

#: base types, by their name in the catalogue, that Arrow has too
_ARROW: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "numeric": pa.decimal128(38, 10),
}
#: Arrow types that every transport keeps for every value of the column
_NATIVE = frozenset(
    _ARROW[n] for n in ("bool", "int2", "int4", "int8", "float4", "float8", "bytea")
)
#: types of which Arrow has fewer values than PostgreSQL: it has no infinity, and other years
MOMENTS = frozenset(_ARROW[n] for n in ("date", "timestamp", "timestamptz"))
#: types whose text needs no cast: as declared, without a length
_TEXTS = frozenset({"text", "character varying", "character", "bpchar"})

_DECLARE: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.binary(): "bytea",
    pa.large_binary(): "bytea",
    pa.date32(): "date",
}

# The type of each column of a result by oid and modifier, domains followed to their base; and
# whether the table's column that it comes from can be NULL.
_CATALOGUE = sa.text("""
    WITH RECURSIVE given AS (
        SELECT * FROM unnest(CAST(:types AS oid[]), CAST(:modifiers AS int[]),
                             CAST(:tables AS oid[]), CAST(:numbers AS int[]))
                 WITH ORDINALITY AS g(type, modifier, relation, number, position)
    ), base AS (
        SELECT position, type AS oid, modifier FROM given
        UNION ALL
        SELECT position, t.typbasetype, t.typtypmod
          FROM base JOIN pg_catalog.pg_type t ON t.oid = base.oid WHERE t.typtype = 'd'
    )
    SELECT pg_catalog.format_type(g.type, g.modifier), t.typname, b.modifier,
           element.typname, COALESCE(a.attnotnull, false)
      FROM given g
      JOIN base b ON b.position = g.position
      JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
      LEFT JOIN pg_catalog.pg_type element
             ON element.oid = t.typelem AND element.typarray = t.oid
      LEFT JOIN pg_catalog.pg_attribute a
             ON a.attrelid = g.relation AND a.attnum = g.number AND g.number > 0
     ORDER BY g.position
""")


def described(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns of a table, view or subquery, by an empty execution and the catalogue."""
    query = sa.select(sa.text("*")).select_from(relation).limit(0)
    with connection.execute(query) as result:
        names = tuple(result.keys())
        answer = result.cursor.pgresult  # open until the `with` ends
        positions = range(len(names))
        found = {
            "types": [answer.ftype(i) for i in positions],
            "modifiers": [answer.fmod(i) for i in positions],
            "tables": [answer.ftable(i) for i in positions],
            "numbers": [answer.ftablecol(i) for i in positions],
        }
    is_table = isinstance(relation, sa.Table)
    rows = connection.execute(_CATALOGUE, found).all()
    return tuple(
        Column(
            name=name,
            type=meaning(base, modifier, element),
            declared=declared,
            nullable=not (is_table and filled),
        )
        for name, (declared, base, modifier, element, filled) in zip(names, rows, strict=True)
    )


def meaning(base: str, modifier: int, element: str | None) -> pa.DataType:
    """What a type means, by the catalogue's names of it and of its elements; no domain's."""
    if element is not None:
        return pa.list_(_ARROW.get(element, pa.string()))
    if base == "numeric" and modifier >= 4:
        precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 1024) - 1024
        if precision <= 38 and 0 <= scale <= precision:
            return pa.decimal128(precision, scale)
    return _ARROW.get(base, pa.string())


def carried(column: Column) -> pa.DataType:
    """Booleans, binary numbers and binary as they are; all else as text, which keeps it exactly."""
    return column.type if column.type in _NATIVE else pa.string()


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """A cast to what the reader keeps: text for what only text keeps, double for a decimal.

    Never to real: it raises for a double that real cannot hold. Arrays of more than one dimension
    become flat, in the order of their rows.
    """
    if pa.types.is_string(type_):
        return expression if bare(column) in _TEXTS else sa.cast(expression, sa.Text())
    if pa.types.is_decimal(column.type):
        return sa.cast(expression, Declared("double precision"))
    if pa.types.is_list(type_):
        return _flat(expression, column)
    return expression


def _flat(expression: ColumnElement[Any], column: Column) -> ColumnElement[Any]:
    if pa.types.is_list(column.type) and pa.types.is_decimal(column.type.value_type):
        expression = sa.cast(expression, Declared("double precision[]"))
    elements = sa.select(sa.func.unnest(expression)).scalar_subquery()
    return sa.case((sa.func.array_ndims(expression) > 1, sa.func.array(elements)), else_=expression)


def bare(column: Column) -> str:
    """The declared type without length or scale, to cast to without cutting anything off."""
    declared = column.declared or "text"
    if '"' in declared:
        return declared
    if declared.startswith("interval"):
        return "interval[]" if declared.endswith("[]") else "interval"
    plain = re.sub(r"\(-?\d+(,-?\d+)?\)", "", declared)
    # Without a length these two mean a length of one.
    plain = re.sub(r"^bit(?=$|\[)", '"bit"', plain)
    return re.sub(r"^character(?=$|\[)", "bpchar", plain)


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """A constant of the column's type, safe as text whatever the value holds.

    Anything but letters, digits and a few signs is written as Unicode escapes, which depend on no
    setting of the session. It is a constant to the planner, with the type's own collation, so the
    column's index serves it.
    """
    text = _text_of(value)
    if re.fullmatch(r"[0-9A-Za-z .+-]*", text):
        written = f"'{text}'"
    else:
        written = "E'" + "".join(f"\\U{ord(c):08X}" for c in text) + "'"
    type_ = bare(column)
    if type_ in _TEXTS and type_ != "bpchar":
        type_ = "text"
    return sa.cast(sa.literal_column(written), Declared(type_))


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def declare(type_: pa.DataType) -> str:
    """PostgreSQL's words for a column that holds an Arrow type; text where there are none."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return declare(type_.value_type) + "[]"
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision},{type_.scale})"
    if pa.types.is_timestamp(type_):
        return "timestamp with time zone" if type_.tz else "timestamp without time zone"
    return _DECLARE.get(type_, "text")
