"""Rows as text that says exactly what they are, in statements that a server takes."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from sqlscore.errors import DatabaseError
from sqlscore.transports import literals
from sqlscore.transports.literals import statements

BATCH = pa.record_batch(
    {
        "i": pa.array([1, None, -3], pa.int64()),
        "d": [0.1, 1e-7, None],
        "f": pa.array([0.1, None, -0.0], pa.float32()),
        "t": ["o'c\\", "", None],
        "b": pa.array([b"\0", None, b""], pa.binary()),
        "y": [True, None, False],
    }
)
ROWS = [
    "(1,0.1e0,0.10000000149011612e0,_utf8mb4 x'6f27635c',x'00',1)",
    "(NULL,1e-7,NULL,_utf8mb4 x'',NULL,NULL)",
    "(-3,NULL,-0e0,NULL,x'',0)",
]


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (1, 3), (2, 2)])
def test_rows_as_text(start: int, stop: int) -> None:
    made = list(statements("INTO t VALUES", BATCH.slice(start, stop - start), "!", most_bytes=9999))
    assert made == ([f"INTO t VALUES {','.join(ROWS[start:stop])}!"] if stop > start else [])


@pytest.mark.parametrize("most_bytes", [110, 150, 200])
def test_no_statement_is_longer_than_the_server_takes(most_bytes: int) -> None:
    for end in ("", ",@a"):
        made = list(statements("V", BATCH, "", most_bytes=most_bytes, end=end))
        assert all(len(text.encode()) <= most_bytes for text in made)
        rows = [row.removesuffix(")") + end + ")" for row in ROWS]
        assert ",".join(text.removeprefix("V ") for text in made) == ",".join(rows)


def test_many_rows_go_in_several_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "ROWS", 2)
    assert [text.count("(") for text in statements("V", BATCH, "", most_bytes=9999)] == [2, 1]


def test_a_row_longer_than_the_server_takes_is_refused() -> None:
    batch = pa.record_batch({"t": ["short", "x" * 1000]})
    with pytest.raises(DatabaseError, match="max_allowed_packet"):
        list(statements("V", batch, "", most_bytes=1000))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_has_no_literal_is_refused_by_name(value: float) -> None:
    with pytest.raises(DatabaseError, match="'score' holds NaN or an infinite value"):
        list(statements("V", pa.record_batch({"score": [1.0, value]}), "", most_bytes=9999))
