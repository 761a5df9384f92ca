"""T-SQL's types: what each is in Arrow's terms, and as what other databases cast to it."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from sqlscore.errors import StatementError

_D = exp.DType

#: T-SQL type -> the Arrow type that holds its values
_ARROW: dict[exp.DType, pa.DataType] = {
    _D.BIT: pa.bool_(),
    _D.UTINYINT: pa.uint8(),
    _D.SMALLINT: pa.int16(),
    _D.INT: pa.int32(),
    _D.BIGINT: pa.int64(),
    _D.FLOAT: pa.float32(),
    _D.DOUBLE: pa.float64(),
    _D.MONEY: pa.decimal128(19, 4),
    _D.SMALLMONEY: pa.decimal128(10, 4),
    _D.CHAR: pa.string(),
    _D.NCHAR: pa.string(),
    _D.VARCHAR: pa.string(),
    _D.NVARCHAR: pa.string(),
    _D.TEXT: pa.string(),
    _D.UUID: pa.string(),
    _D.BINARY: pa.binary(),
    _D.VARBINARY: pa.binary(),
    _D.IMAGE: pa.binary(),
    _D.DATE: pa.date32(),
    _D.DATETIME: pa.timestamp("us"),
    _D.DATETIME2: pa.timestamp("us"),
    _D.SMALLDATETIME: pa.timestamp("us"),
    _D.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}

#: T-SQL type -> the type that other databases have for it, in sqlglot's words
_CASTS: dict[exp.DType, str] = {
    _D.BIT: "smallint",
    _D.UTINYINT: "smallint",
    _D.MONEY: "decimal(19, 4)",
    _D.SMALLMONEY: "decimal(10, 4)",
    _D.CHAR: "text",
    _D.NCHAR: "text",
    _D.VARCHAR: "text",
    _D.NVARCHAR: "text",
    _D.BINARY: "blob",
    _D.VARBINARY: "blob",
    _D.IMAGE: "blob",
    _D.DATETIME: "timestamp",
    _D.DATETIME2: "timestamp",
    _D.SMALLDATETIME: "timestamp",
}

#: Arrow type -> T-SQL's word for it
_WORDS = {
    pa.bool_(): "bit",
    pa.uint8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "float",
    pa.string(): "nvarchar",
    pa.binary(): "varbinary",
    pa.date32(): "date",
    pa.timestamp("us"): "datetime2",
    pa.timestamp("us", tz="UTC"): "datetimeoffset",
}

_REAL_BITS = 24  #: float(n) of at most so many is a real


def arrow_type(type_: exp.DataType) -> pa.DataType:
    """The Arrow type that holds a T-SQL type's values. `StatementError` for types without one."""
    if type_.this is _D.DECIMAL:
        sizes = _sizes(type_)
        precision = sizes[0] if sizes else 18
        return pa.decimal128(precision, sizes[1] if len(sizes) > 1 else 0)
    if type_.this is _D.DOUBLE and 0 < length(type_) <= _REAL_BITS:
        return pa.float32()
    if type_.this not in _ARROW:
        raise StatementError(
            f"the type {type_.sql(dialect='tsql')} is not supported here. Use bigint, int, bit, "
            "float, real, decimal, nvarchar, varbinary, date or datetime2"
        )
    return _ARROW[type_.this]


def word_of(type_: pa.DataType) -> str:
    """T-SQL's word for a type that holds values of an Arrow type, for messages."""
    if pa.types.is_list(type_):
        return f"a list of {word_of(type_.value_type)}"
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})"
    return _WORDS.get(type_, str(type_))


def cast_type(type_: exp.DataType) -> exp.DataType:
    """The type to cast to on other databases; a length is for the caller to keep."""
    if type_.this is _D.DOUBLE and 0 < length(type_) <= _REAL_BITS:
        return exp.DataType.build("float")
    if type_.this in (_D.DOUBLE, _D.TIMESTAMPTZ):
        return exp.DataType(this=type_.this)
    return exp.DataType.build(_CASTS[type_.this]) if type_.this in _CASTS else type_.copy()


def length(type_: exp.DataType) -> int:
    """The length that a type names, as in nvarchar(50); 0 for none and for MAX."""
    sizes = _sizes(type_)
    return sizes[0] if sizes else 0


def _sizes(type_: exp.DataType) -> list[int]:
    return [int(one.name) for one in type_.expressions if one.name.isdecimal()]
