"""MariaDB's types and the values at their edges."""

from __future__ import annotations

import pyarrow as pa

from tests.contract.type_cases import TypeCase


def _text(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.string())


def _binary(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.binary())


def _number(declared: str, carried: pa.DataType, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=carried, number=True)


_LONG = "12345678901234567890123456789012345.000000000000000000000000000001"

CASES = (
    _number("boolean", pa.int8(), "true", "false", "-128"),
    _number("tinyint", pa.int8(), "-128", "127"),
    _number("tinyint unsigned", pa.uint8(), "0", "255"),
    _number("smallint", pa.int16(), "-32768", "32767"),
    _number("smallint unsigned", pa.uint16(), "65535"),
    _number("mediumint", pa.int32(), "-8388608", "8388607"),
    _number("mediumint unsigned", pa.uint32(), "16777215"),
    _number("int", pa.int32(), "-2147483648", "2147483647"),
    _number("int unsigned zerofill", pa.uint32(), "7", "4294967295"),
    _number("bigint", pa.int64(), "-9223372036854775808", "9007199254740993"),
    _number("bigint unsigned", pa.uint64(), "18446744073709551615"),
    _number("float", pa.float32(), "0.1", "1.5", "-12345"),
    # no number: the test asks the driver, to which the server prints six digits of a 4-byte float
    TypeCase(
        declared="float",
        values=("-3.4028234663852886e38", "16777217", "0.3333333333"),
        carried=pa.float32(),
    ),
    _number(
        "double", pa.float64(), "0.1", "5e-324", "-1.7976931348623157e308", "1e22", "123456789.125"
    ),
    _number("decimal(10,2)", pa.string(), "-0.10", "99999999.99"),
    _number("decimal(65,30)", pa.string(), _LONG, f"-{_LONG}"),
    _number("decimal(5,0) unsigned", pa.string(), "99999"),
    _number("year", pa.int16(), "1901", "2155", "0"),
    # no numbers to the driver, which gives bytes
    TypeCase(declared="bit(1)", values=("b'0'", "b'1'"), carried=pa.uint64()),
    TypeCase(declared="bit(10)", values=("b'1000000001'",), carried=pa.uint64()),
    TypeCase(declared="bit(64)", values=("18446744073709551615",), carried=pa.uint64()),
    _text("char(5)", "'ab'", "''"),
    _text("varchar(20)", "''", "'trailing  '", "'NULL'", "'O''Neill'", "'100%%'", "':x'"),
    _text("varchar(20) character set latin1", "'café'"),
    _text("varchar(20) collate utf8mb4_bin", "'Ab'"),
    _text("text", "'a\\\\tb\\\\nc\\\\r\"d,;\\\\\\\\'", "'žluť 🐎'", "char(10, 0, 92, 39)"),
    _text("mediumtext", "repeat('x', 70000)"),
    _text("enum('small','it''s, big')", "'small'", "'it''s, big'"),
    _text("set('a','b','c')", "''", "'a,c'"),
    _text("json", '\'{"a":  1, "a": null}\'', "'null'"),
    _text("uuid", "'00112233-4455-6677-8899-aabbccddeeff'"),
    _text("inet6", "'::1'", "'2001:db8::ff00:42:8329'"),
    _text("date", "'2024-02-29'", "'1000-01-01'", "'9999-12-31'", "'0000-00-00'", "'2024-02-00'"),
    _text("datetime", "'2024-02-29 12:34:56'", "'0000-00-00 00:00:00'"),
    _text("datetime(6)", "'2024-02-29 12:34:56.789012'", "'9999-12-31 23:59:59.999999'"),
    _text("timestamp(6) null", "'2024-03-31 02:30:00.000001'", "'1970-01-01 00:00:01'"),
    _text("time(6)", "'-838:59:59.999999'", "'838:59:59'", "'00:00:00.000001'"),
    _text("time", "'12:00:00'"),
    _binary("binary(4)", "x'00ff'", "x'27225c00'"),
    _binary("varbinary(10)", "x''", "x'00ff5c27'"),
    _binary("blob", "x''", "x'00ff5c4e'"),
    _binary("longblob", "repeat(x'00ff', 40000)"),
    _binary("point", "ST_GeomFromText('POINT(1 2)', 4326)"),
    _binary("geometry", "ST_GeomFromText('LINESTRING(0 0,1 1)')"),
)
