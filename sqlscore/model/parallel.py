"""Many rows in memory, scored by several threads side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlscore.bridge import workers
from sqlscore.errors import SignatureError

if TYPE_CHECKING:
    import pyarrow as pa

    from sqlscore.predictor import Predictor

_AT_ONCE = 65_536  #: rows that one thread scores at a time


def predicted(predictor: Predictor, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The predictions of a batch, in parts, in its order."""

    def part(at: int) -> pa.RecordBatch:
        try:
            return predictor(batch.slice(at, _AT_ONCE)).batch
        except SignatureError as error:
            if not error.rows:
                raise
            told = SignatureError(f"{error} (row {at + error.rows[0]}, counted from 0)")
            raise told.at_rows(at + row for row in error.rows) from error

    starts = range(0, max(batch.num_rows, 1), _AT_ONCE)
    if len(starts) == 1:
        return [part(0)]
    with ThreadPoolExecutor(min(len(starts), workers())) as pool:
        return list(pool.map(part, starts))
