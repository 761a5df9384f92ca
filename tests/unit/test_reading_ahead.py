"""Batches that a reading process takes ahead of who asked for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.transports import reading_process
from sqlscore.transports.reading_process import _Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT, ROWS = 40, 1000


def batch(number: int) -> pa.RecordBatch:
    texts = pa.array([f"row {number}" if number % 3 else None] * ROWS, pa.string())
    return pa.record_batch({"n": np.full(ROWS, number), "t": texts})


def test_batches_keep_their_order_whether_they_lie_in_memory_or_in_the_file(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(reading_process, "_HELD", 3 * batch(1).nbytes)
    read = threading.Event()

    def rows() -> Iterator[pa.RecordBatch]:
        for number in range(COUNT):
            yield batch(number)
        read.set()

    ahead = _Ahead(rows)
    assert read.wait(10)  # all of it is read before anything is asked for
    assert ahead._held <= 4 * batch(1).nbytes
    assert ahead._lying > COUNT // 2
    assert ahead._end > 0
    found = list(ahead.batches())
    assert found == [batch(number) for number in range(COUNT)]
    assert ahead._held == ahead._lying == ahead._end == 0


def test_an_error_comes_behind_the_batches_before_it():
    def rows() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise KeyError("broke off")

    batches = _Ahead(rows).batches()
    assert next(batches) == batch(1)
    with pytest.raises(KeyError, match="broke off"):
        next(batches)
