"""Rows that wait in a file until they can be written, so that memory does not hold them."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Self

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Spool:
    """Batches of one schema, in their order; the file has no name, and ends with the block."""

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile()
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Keep batches behind those that are there."""
        for batch in batches:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._file, batch.schema)
            self._writer.write_batch(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches; none is added any more."""
        if self._writer is not None:
            self._writer.close()
            self._file.seek(0)
            yield from pa.ipc.open_stream(self._file)
