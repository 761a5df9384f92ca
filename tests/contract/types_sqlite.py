"""SQLite's declared types, with values of each storage class at their edges.

A column may hold values of any class: what a value is (`typeof`) must come out, too.
"""

from __future__ import annotations

import pyarrow as pa

from tests.contract.type_cases import TypeCase

_SAME = "typeof({0}) || quote({0}) || hex({0})"  # hex sees what lies behind a NUL, quote does not
_INT64 = ("-9223372036854775807 - 1", "9223372036854775807", "9007199254740993", "0")
_DOUBLES = ("0.1", "1e999", "-1e999", "-0.0", "5e-324", "1.7976931348623157e308", "1.0 / 3")
_TEXTS = (
    "''",
    "'NULL'",
    "'123'",
    "'abc'",
    "'žluť 🐎'",
    "'a''b\"c\\d'",
    "CAST(x'61006200' AS TEXT)",
    "char(1)",
    "char(1) || 'b00'",
    "CAST(x'00' AS TEXT)",
)
_BLOBS = ("x''", "x'00ff'", "x'313233'", "x'61'")


def _case(declared: str, carried: pa.DataType, *values: str, number: bool = False) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=carried, compare=_SAME, number=number)


CASES = (
    _case("INTEGER", pa.int64(), *_INT64, number=True),
    _case("tinyint", pa.int64(), "0", "255", number=True),
    _case("bigint unsigned", pa.int64(), *_INT64, number=True),
    _case("BOOLEAN", pa.int64(), "0", "1", number=True),
    _case("REAL", pa.float64(), *_DOUBLES, "3", number=True),
    _case("double precision", pa.float64(), *_DOUBLES, number=True),
    _case("FLOAT", pa.float64(), *_DOUBLES, number=True),
    _case("DECIMAL(10, 2)", pa.string(), *_INT64, *_DOUBLES, "12.34", number=True),
    _case("NUMERIC", pa.string(), *_INT64, *_DOUBLES, *_TEXTS, *_BLOBS),
    _case(
        "TEXT", pa.string(), *_TEXTS, *_BLOBS, "5", "1.5", "replace(hex(zeroblob(40000)), '0', 'é')"
    ),
    _case("VARCHAR(5)", pa.string(), "'longer than five'", *_BLOBS),
    _case("BLOB", pa.binary(), *_BLOBS, "zeroblob(70000)"),
    _case("DATE", pa.string(), "'2024-02-29'", "20240229", "2460369.5", "'not a date'"),
    _case("DATETIME", pa.string(), "'2024-02-29 12:34:56.789'", "1709210096", "x'00'"),
    _case("JSON", pa.string(), "'{\"a\":  [1, null]}'", "5", "1.50"),
    _case("", pa.string(), *_INT64, *_DOUBLES, *_TEXTS, *_BLOBS),
    _case("some words", pa.string(), *_INT64, *_DOUBLES, *_TEXTS, *_BLOBS),
)
