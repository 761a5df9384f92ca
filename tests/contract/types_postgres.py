"""PostgreSQL's types and the values at their edges."""

from __future__ import annotations

import pyarrow as pa

from tests.contract.type_cases import TypeCase

_AS_TEXT = "{}::text"  # tells -0 from 0, and json, xml and point have no other equality


def _text(declared: str, *values: str) -> TypeCase:
    return TypeCase(declared=declared, values=values, carried=pa.string(), compare=_AS_TEXT)


def _number(declared: str, carried: pa.DataType, *values: str) -> TypeCase:
    return TypeCase(
        declared=declared, values=values, carried=carried, compare=_AS_TEXT, number=True
    )


CASES = (
    _number("boolean", pa.bool_(), "true", "false"),
    _number("smallint", pa.int16(), "-32768", "0", "32767"),
    _number("integer", pa.int32(), "-2147483648", "2147483647"),
    _number("bigint", pa.int64(), "-9223372036854775808", "9007199254740993"),
    _number("real", pa.float32(), "0.1", "'NaN'", "'Infinity'", "'-0'", "1e-45", "3.4028235e38"),
    _number(
        "double precision",
        pa.float64(),
        "0.1",
        "'NaN'",
        "'-Infinity'",
        "'-0'",
        "5e-324",
        "1.7976931348623157e308",
    ),
    _number("numeric", pa.string(), "1e-20", "12345678901234567890.5", "'NaN'", "'Infinity'"),
    _number("numeric(10,2)", pa.string(), "-0.10", "99999999.99", "'NaN'"),
    _text(
        "text",
        "''",
        "'NULL'",
        "E'\\\\N'",
        "E'a\\tb\\nc\\r\"d\\',;\\\\'",
        "'žluť 🐎'",
        "repeat('x', 70000)",
    ),
    _text("varchar(20)", "''", "'trailing  '"),
    _text("char(5)", "'ab'", "''"),
    _text('"char"', "'x'"),
    _text("name", "'some_name'"),
    _text("citext_like", "'Ab'"),
    TypeCase(
        declared="bytea",
        values=("''", "'\\x00ff5c'::bytea", "convert_to('\\N', 'UTF8')"),
        carried=pa.binary(),
    ),
    _text("date", "'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'infinity'", "'0044-03-15 BC'"),
    _text("time", "'24:00'", "'12:00:00.000001'"),
    _text("timetz", "'12:00+05:30'", "'23:59:59.999999-11'"),
    _text(
        "timestamp",
        "'2024-02-29 12:34:56.789012'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 01:02:03 BC'",
        "'294276-12-31 23:59:59.999999'",
    ),
    _text("timestamptz", "'2024-03-31 02:30+01'", "'infinity'", "'0001-01-01 00:00+00'"),
    _text("interval", "'1 mon -2 days 03:04:05.6'", "'-1 year'"),
    _text("uuid", "'00112233-4455-6677-8899-aabbccddeeff'"),
    _text("json", '\'{"a":  1, "a": null}\'', "'null'"),
    _text("jsonb", "'{\"a\": [1, 2.50]}'", "'null'"),
    _text("money", "'-12.34'", "'92233720368547758.07'"),
    _text("inet", "'192.168.0.1/24'", "'::1'"),
    _text("macaddr", "'08:00:2b:01:02:03'"),
    _text("bit(3)", "B'101'"),
    _text("bit varying(5)", "B''", "B'10'"),
    _text("double precision[]", "'{1.5,NULL,NaN,-Infinity}'", "'{}'", "'{{1,2},{3,4}}'"),
    _text("integer[]", "'[2:3]={1,2}'"),
    _text("text[]", "ARRAY['a,b', 'NULL', NULL, '\"', '']"),
    _text("int4range", "'[1,5)'", "'empty'"),
    _text("numrange", "'(,1.50]'"),
    _text("point", "'(1.5,-2)'"),
    _text("tsvector", "to_tsvector('simple', 'a b')"),
    _text("xml", "'<a>&amp;</a>'"),
    _text("mood", "'so so'"),
)

#: types that must be made before the table
PREPARE = (
    "CREATE TYPE mood AS ENUM ('sad', 'so so')",
    "CREATE DOMAIN citext_like AS text CHECK (value <> 'bad')",
)
