"""Rows between PostgreSQL and the model: arrays' memory in, text that the server checks out."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.runtime import arrays, literals, wire


def memory(values: list[float | None], shape: tuple[int, ...]) -> bytes:
    """An array of doubles as PostgreSQL holds it, without the length word at its start."""
    there = [value is not None for value in values]
    head = 4 + 12 + 8 * len(shape)
    bits = b"" if all(there) else np.packbits(there, bitorder="little").tobytes()
    start = -(-(head + len(bits)) // 8) * 8
    given = struct.pack(f"={sum(there)}d", *(v for v in values if v is not None))
    words = struct.pack("=iii", len(shape), 0 if all(there) else start, 701)
    sizes = struct.pack(f"={2 * len(shape)}i", *shape, *(1 for _ in shape))
    return (words + sizes + bits).ljust(start - 4, b"\0") + given


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 20, 65])
def test_rows_with_and_without_null(width: int):
    rng = np.random.default_rng(width)
    plain: list[list[float | None]] = rng.normal(size=(5, width)).tolist()
    pieces = [arrays.packed([memory(row, (width,)) for row in some]) for some in (plain, plain[:2])]
    assert all(isinstance(piece, bytes) for piece in pieces)
    values, nulls = arrays.matrix(pieces, width)
    assert values.tolist() == plain + plain[:2]
    assert nulls is None
    holed = [[None if rng.random() < 0.4 else v for v in row] for row in plain]
    rows: list[list[float | None]] = [
        *holed,
        plain[0],
        [None] * width,
        [1.0, *[None] * (width - 1)],
    ]
    assert [arrays.row(memory(row, (width,)), width) for row in rows] == rows
    taken = [arrays.packed([memory(row, (width,)) for row in some]) for some in (plain, rows)]
    columns = wire.columns_of(*arrays.matrix(taken, width))
    whole = plain + rows
    assert [list(row) for row in zip(*(c.to_pylist() for c in columns), strict=True)] == whole


def test_one_null_makes_an_array_no_shorter_than_none():
    row: list[float | None] = [1.0, None]
    assert len(memory(row, (2,))) == len(memory([1.0, 2.0], (2,)))
    _, nulls = arrays.matrix([arrays.packed([memory([1.0, 2.0], (2,)), memory(row, (2,))])], 2)
    assert nulls is not None
    assert nulls.tolist() == [[False, False], [False, True]]


def test_an_array_of_rows():
    whole = memory([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2))
    values, nulls = arrays.rows_of_array(whole)
    assert values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert nulls is None
    values, nulls = arrays.rows_of_array(memory([1.0, None, 3.0, 4.0], (2, 2)))
    assert nulls is not None
    assert nulls.tolist() == [[False, True], [False, False]]
    assert values[~nulls].tolist() == [1, 3, 4]
    assert arrays.rows_of_array(memory([1.0, 2.0], (2,)))[0].tolist() == [[1, 2]]
    assert arrays.rows_of_array(struct.pack("=iii", 0, 0, 701))[0].shape == (0, 0)


def test_predictions_as_text_say_the_very_value():
    floats = pa.array([0.1, None, math.inf, math.nan, 1e-45, -0.0], pa.float32())
    texts = wire.fields(floats)
    assert [np.float32(text) for text in texts[:1]] == [np.float32(0.1)]
    assert float(texts[0]) == float(np.float32(0.1))  # as a double, too
    assert texts[1] == ""
    assert texts[2:4] == ["inf", "nan"]
    assert np.float32(texts[4]) == np.float32(1e-45)
    assert texts[5] == "-0"
    assert wire.fields(pa.array([1, None, 2**63 - 1])) == ["1", "", "9223372036854775807"]
    assert wire.fields(pa.array([True, None])) == ["true", ""]


@pytest.mark.parametrize(
    "value",
    [0.1, math.inf, 5, 2**63 - 1, True, False, None, 'a "b", \\c', "", [1.5, None], ["x", "{"]],
)
def test_one_value_is_written_as_a_column_of_them(value: Any):
    assert [literals.field(value)] == wire.fields(pa.array([value]))


@pytest.mark.parametrize("text", ["", "plain", 'quo"te', "back\\slash", "com,ma", "(x)", "é\n"])
def test_text_comes_back_from_its_quotes(text: str):
    (field,) = wire.fields(pa.array([text]))
    assert literals.unquoted(field) == text


def test_a_field_without_quotes_is_itself_and_nothing_is_null():
    assert literals.unquoted("12") == "12"
    assert literals.unquoted("") is None


def test_arrays_as_text():
    assert wire.array_text(pa.array([1.5, None])) == "{1.5,NULL}"
    assert wire.array_text(pa.array(['a"b', None, "NULL"])) == '{"a\\"b",NULL,"NULL"}'
    assert wire.fields(pa.array([[1.0, None], None])) == ['"{""1.0"",NULL}"', ""]
