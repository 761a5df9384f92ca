"""SQL Server's types and the values at their edges, as far as the endpoint has them."""

from __future__ import annotations

import pyarrow as pa

from tests.contract.type_cases import TypeCase


def _text(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.string())


def _number(declared: str, carried: pa.DataType, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=carried, number=True)


def _binary(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.binary())


CASES = (
    _number("bit", pa.bool_(), "1", "0"),
    _number("tinyint", pa.uint8(), "0", "255"),
    _number("smallint", pa.int16(), "-32768", "32767"),
    _number("int", pa.int32(), "-2147483648", "2147483647"),
    _number("bigint", pa.int64(), "-9223372036854775808", "9007199254740993"),
    _number("real", pa.float32(), "0.1", "-0.0", "1.1754944e-38", "3.4028235e38"),
    _number("float", pa.float64(), "0.1", "-0.0", "2.3e-308", "-1.7976931348623157e308"),
    _number("decimal(10, 2)", pa.string(), "-0.10", "99999999.99"),
    _number("numeric(38, 20)", pa.string(), "123456789012345678.00000000000000000001"),
    _number("money", pa.string(), "-922337203685477.5808", "0.0001"),
    _text("nvarchar(40)", "N''", "N'trailing  '", "N'O''Neill'", "N'100%%'", "N'žluť 🐎'"),
    _text("nvarchar(40) COLLATE Latin1_General_100_BIN2", "N'Ab'"),
    _text("nvarchar(max)", "N'NULL'", "REPLICATE(CAST(N'ž' AS nvarchar(max)), 70000)"),
    _text("varchar(40)", "'plain'", "'café'"),
    _text("varchar(max)", "REPLICATE(CAST('x' AS varchar(max)), 9000)"),
    _text("char(2)", "'ab'"),
    _text("date", "'2024-02-29'", "'0001-01-01'", "'9999-12-31'"),
    _text("time(7)", "'00:00:00'", "'23:59:59.999999'"),
    _text("datetime", "'2024-02-29T12:34:56'", "'1753-01-01T00:00:00.003'"),
    _text("datetime2(7)", "'2024-02-29T12:34:56.789012'", "'9999-12-31T23:59:59.999999'"),
    _text("datetimeoffset(7)", "'2024-03-31T02:30:00.000001+01:00'"),
    _text("uniqueidentifier", "'00112233-4455-6677-8899-AABBCCDDEEFF'"),
    _binary("varbinary(10)", "CAST('' AS varbinary(10))", "0x00ff5c27"),
    _binary(
        "varbinary(max)", "CAST(REPLICATE(CAST('ab' AS varchar(max)), 40000) AS varbinary(max))"
    ),
)
