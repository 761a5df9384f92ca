"""Key ranges: bounds as stored text, and comparisons of composite keys."""

from __future__ import annotations

import itertools
import math
import sqlite3
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from sqlscore.errors import SqlscoreError
from sqlscore.products.sqlite import SQLITE
from sqlscore.relations import cutting
from sqlscore.relations.cutting import cut
from sqlscore.relations.ranges import _SIGNS, KeyRange, compare, decode, encode, within
from sqlscore.types import Column

VALUES = (
    0, -(2**63), 2**64, True, 0.1, math.inf, -5e-324, "", "a'\"\\\x00ü🦆", b"\x00\xff",
    bytearray(b"x"),
    Decimal("1.10"), date(1, 1, 1),
    datetime(2026, 1, 2, 3, 4, 5, 678901), datetime(2026, 1, 2, tzinfo=UTC), uuid.UUID(int=7), None,
)  # fmt: skip


def test_bounds_come_back_as_they_were():
    back = decode(encode(VALUES))
    assert back == VALUES
    assert [type(v) for v in back or ()] == [
        bytes if type(v) is bytearray else type(v) for v in VALUES
    ]
    assert decode(encode(None)) is None


def test_a_type_that_is_no_bound_is_named():
    with pytest.raises(SqlscoreError, match="a value of type complex cannot be stored"):
        encode((1j,))


def rows_of(connection: sa.Connection, part: Any) -> set[tuple[int, ...]]:
    query = sa.select(*TABLE.c)
    found = connection.execute(query if part is None else query.where(part))
    return {tuple(row) for row in found}


@pytest.fixture
def connection():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a, b, c, PRIMARY KEY (a, b, c))")
        rows = list(itertools.product(range(3), repeat=3))
        connection.exec_driver_sql("INSERT INTO t VALUES (?, ?, ?)", rows)
        yield connection
    engine.dispose()


KEY = tuple(Column(name=name, type=pa.int64()) for name in "abc")
TABLE = sa.table("t", *(sa.column(name) for name in "abc"))


@pytest.mark.parametrize("row_values", [True, False])
@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_composite_keys_compare_column_by_column(
    connection: sa.Connection, sign: str, row_values: bool
):
    product = replace(SQLITE, row_values=row_values)
    every = set(itertools.product(range(3), repeat=3))
    for bound in every:
        want = {row for row in every if _SIGNS[sign](row, bound)}
        assert rows_of(connection, compare(product, TABLE, KEY, bound, sign)) == want


@pytest.mark.parametrize("walk", [True, False])
@pytest.mark.parametrize("row_values", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 5, 26, 27, 28])
def test_each_row_is_in_one_range(
    connection: sa.Connection, rows: int, row_values: bool, walk: bool
):
    product = replace(SQLITE, row_values=row_values, keyset_walk=walk)
    ranges = cut(connection, product, TABLE, KEY, rows=rows).ranges
    parts = [rows_of(connection, within(product, TABLE, KEY, r)) for r in ranges]
    assert [len(part) for part in parts[:-1]] == [rows] * (len(ranges) - 1)
    assert 0 < len(parts[-1]) <= rows
    assert sum(map(len, parts)) == 27
    assert len(set.union(*parts)) == 27
    assert [r.ordinal for r in ranges] == list(range(len(ranges)))
    connection.exec_driver_sql("INSERT INTO t VALUES (-1, 0, 0), (1, 1, 1.5), (9, 9, 9)")
    parts = [rows_of(connection, within(product, TABLE, KEY, r)) for r in ranges]
    assert sum(map(len, parts)) == 30


@pytest.mark.parametrize("numbers", [1, 5, 7, 16, 17, 30, 100, 101, 117])
@pytest.mark.parametrize("size", [1, 3, 5, 8, 16, 200])
def test_the_first_and_the_last_of_the_ranges_counted_off_are_short(
    monkeypatch: pytest.MonkeyPatch, numbers: int, size: int
):
    monkeypatch.setattr(cutting, "_LEAST", 3)
    edges = [-7, *cutting._bounds(-7, -7 + numbers, size), -7 + numbers]
    sizes = [high - low for low, high in itertools.pairwise(edges)]
    assert 0 < min(sizes) <= max(sizes) <= size or sizes == [numbers]
    if len(sizes) > 2 and size >= 12:
        assert sizes[0] == sizes[-1] == size // 4
        assert max(sizes[1:-1]) - min(sizes[1:-1]) <= len(sizes)


def test_long_ranges_are_no_more_than_need_be(connection: sa.Connection):
    connection.exec_driver_sql("CREATE TABLE n (a INTEGER PRIMARY KEY)")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
    connection.exec_driver_sql(f"INSERT INTO n {numbers} SELECT i FROM n")
    table = sa.table("n", sa.column("a"))
    for long, bounds in ((True, [50_000]), (False, [25_000, 50_000, 75_000])):
        found = cut(connection, SQLITE, table, KEY[:1], rows=60_000, held=True, long=long)
        assert [r.low for r in found.ranges] == [None, *((bound,) for bound in bounds)]


@pytest.mark.parametrize("walk", [True, False])
def test_a_relation_without_rows_is_one_range(connection: sa.Connection, walk: bool):
    product = replace(SQLITE, keyset_walk=walk)
    ranges = cut(connection, product, TABLE, KEY, rows=5, where=TABLE.c.a > 5).ranges
    assert ranges == [KeyRange(ordinal=0, low=None, high=None)]
    assert within(product, TABLE, KEY, ranges[0]) is None


def test_sqlite_is_as_new_as_row_values():
    assert sqlite3.sqlite_version_info >= (3, 15)
