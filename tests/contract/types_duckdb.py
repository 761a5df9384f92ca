"""DuckDB's types and the values at their edges."""

from __future__ import annotations

import pyarrow as pa

from tests.contract.type_cases import TypeCase


def _text(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.string())


def _number(declared: str, carried: pa.DataType, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=carried, number=True)


def _kept(declared: str, carried: pa.DataType, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=carried)


CASES = (
    _number("BOOLEAN", pa.bool_(), "true", "false"),
    _number("TINYINT", pa.int8(), "-128", "127"),
    _number("SMALLINT", pa.int16(), "-32768", "32767"),
    _number("INTEGER", pa.int32(), "-2147483648", "2147483647"),
    _number("BIGINT", pa.int64(), "-9223372036854775808", "9007199254740993"),
    _number("UTINYINT", pa.uint8(), "255"),
    _number("USMALLINT", pa.uint16(), "65535"),
    _number("UINTEGER", pa.uint32(), "4294967295"),
    _number("UBIGINT", pa.uint64(), "18446744073709551615"),
    _number("HUGEINT", pa.string(), "170141183460469231731687303715884105727", "-1"),
    _number("UHUGEINT", pa.string(), "340282366920938463463374607431768211455"),
    _number("FLOAT", pa.float32(), "0.1", "'nan'", "'inf'", "-0.0::FLOAT", "1e-45", "3.4028235e38"),
    _number(
        "DOUBLE",
        pa.float64(),
        *("0.1", "'nan'", "'-inf'", "-0.0::DOUBLE", "5e-324", "1.7976931348623157e308"),
    ),
    _number("DECIMAL(10,2)", pa.string(), "-0.10", "99999999.99"),
    _number("DECIMAL(38,20)", pa.string(), "123456789012345678.00000000000000000001"),
    _text("VARCHAR", "''", "'NULL'", "'a' || chr(0) || 'b'", "'žluť 🐎'", "repeat('x', 70000)"),
    _kept("BLOB", pa.binary(), "''::BLOB", "'\\x00\\xFF'::BLOB"),
    _text(
        "DATE",
        "'2024-02-29'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 (BC)'",
        "'5877642-06-25 (BC)'",
    ),
    _text("TIME", "'12:00:00.000001'", "'24:00:00'"),
    _text("TIMETZ", "'12:00:00.5+05:30'", "'23:59:59.999999-11'"),
    _text("TIME_NS", "'12:00:00.123456789'"),
    _text(
        "TIMESTAMP",
        "'2024-02-29 12:34:56.789012'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 (BC) 01:02:03'",
        "'294247-01-10 04:00:54.775806'",
    ),
    _text("TIMESTAMP_S", "'2024-02-29 12:34:56'", "'infinity'"),
    _text("TIMESTAMP_MS", "'2024-02-29 12:34:56.789'", "'infinity'"),
    _text("TIMESTAMP_NS", "'2024-02-29 12:34:56.789012345'", "'infinity'"),
    _text("TIMESTAMPTZ", "'2024-03-31 02:30:00+01'", "'infinity'", "'0001-01-01 00:00:00+00'"),
    _text("INTERVAL", "'1 month -2 days 03:04:05.6'", "'-1 year'", "INTERVAL 90 MINUTES"),
    _text("UUID", "'00112233-4455-6677-8899-aabbccddeeff'"),
    _text("JSON", '\'{"a":  1, "a": null}\'', "'null'"),
    _text("BIT", "'101'", "'0'"),
    _text("BIGNUM", "'-123456789012345678901234567890123456789012345678901234567890'"),
    _text("ENUM('sad', 'so so')", "'so so'"),
    _text(
        "STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': 'x, ''y'': {'}", "{'a': NULL, 'b': 'NULL'}"
    ),
    _text("MAP(VARCHAR, DOUBLE)", "MAP {'a=1': 0.1, '': NULL}", "MAP {}"),
    _kept("DOUBLE[]", pa.list_(pa.float64()), "[1.5, NULL, 'nan'::DOUBLE, '-inf'::DOUBLE]", "[]"),
    _kept("FLOAT[2]", pa.list_(pa.float32()), "[1.5, NULL]"),
    _kept("BIGINT[][]", pa.list_(pa.list_(pa.int64())), "[[1], NULL, []]"),
    _kept("BLOB[]", pa.list_(pa.binary()), "['\\x00'::BLOB]"),
    _text("VARCHAR[]", "['a,b', 'NULL', NULL, '\"', '', ' x ', 'it''s', '\\']"),
    _text("DATE[]", "['infinity'::DATE]"),
    _text("DECIMAL(5,2)[]", "[1.25, NULL]"),
)
