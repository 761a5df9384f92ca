"""Arrow types and SQLAlchemy types, each said in the other's terms: one table, read both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlscore.types import Column

#: Arrow type -> the SQLAlchemy type of a column that holds it, for any dialect
_SQL_TYPES: dict[pa.DataType, sa.types.TypeEngine[Any]] = {
    pa.bool_(): sa.Boolean(),
    pa.int8(): sa.SmallInteger(),
    pa.int16(): sa.SmallInteger(),
    pa.int32(): sa.Integer(),
    pa.int64(): sa.BigInteger(),
    pa.uint8(): sa.SmallInteger(),
    pa.uint16(): sa.Integer(),
    pa.uint32(): sa.BigInteger(),
    pa.uint64(): sa.Numeric(20, 0),
    pa.float16(): sa.REAL(),
    pa.float32(): sa.REAL(),
    pa.float64(): sa.Double(),
    pa.string(): sa.Text(),
    pa.large_string(): sa.Text(),
    pa.binary(): sa.LargeBinary(),
    pa.large_binary(): sa.LargeBinary(),
    pa.date32(): sa.Date(),
}

#: SQLAlchemy type -> Arrow type, the narrower class before the wider one that it derives from
_ARROW_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], pa.DataType], ...] = (
    (sa.Boolean, pa.bool_()),
    (sa.SmallInteger, pa.int16()),
    (sa.BigInteger, pa.int64()),
    (sa.Integer, pa.int32()),
    (sa.REAL, pa.float32()),
    (sa.Float, pa.float64()),
    (sa.LargeBinary, pa.binary()),
    (sa.types._Binary, pa.binary()),
    (sa.Uuid, pa.string()),
    (sa.DateTime, pa.timestamp("us")),
    (sa.Date, pa.date32()),
    (sa.Time, pa.string()),
    (sa.Interval, pa.string()),
    (sa.JSON, pa.string()),
    (sa.String, pa.string()),
)


def sql_type(type_: pa.DataType) -> sa.types.TypeEngine[Any]:
    """The SQLAlchemy type for a column of an Arrow type; text where there is no closer one."""
    if pa.types.is_decimal(type_):
        return sa.Numeric(type_.precision, type_.scale)
    if pa.types.is_timestamp(type_):
        return sa.DateTime(timezone=type_.tz is not None)
    return _SQL_TYPES.get(type_, sa.Text())


def arrow_type(type_: sa.types.TypeEngine[Any]) -> pa.DataType:
    """The Arrow type of a column that SQLAlchemy reflected; `pa.null()` where it is unknown."""
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float):
        if type_.precision is None or type_.precision > 38:
            return pa.decimal128(38, 10)
        return pa.decimal128(type_.precision, type_.scale or 0)
    if isinstance(type_, sa.DateTime) and type_.timezone:
        return pa.timestamp("us", tz="UTC")
    if isinstance(type_, sa.ARRAY):
        return pa.list_(arrow_type(type_.item_type))
    return next((arrow for kind, arrow in _ARROW_TYPES if isinstance(type_, kind)), pa.null())


def carried(column: Column) -> pa.DataType:
    """The column's own type where Arrow and every DBAPI keep it; else text."""
    type_ = column.type
    kept = (
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_date(type_)
        or (pa.types.is_timestamp(type_) and type_.tz is None)
    )
    return type_ if kept else pa.string()
