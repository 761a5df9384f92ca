"""A process that reads for another one; `process.py` starts it and says why.

It runs as a script of its own, so it imports nothing of sqlscore. Each request is a line of JSON on
standard input that names a reader. Its answer on standard output is an Arrow IPC stream, then a
line of JSON: empty, or with the error that ended the stream. It ends when standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def main() -> None:
    """Serve requests one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    out = os.fdopen(os.dup(1), "wb", buffering=1 << 20)
    os.dup2(2, 1)  # what a library prints must not get between the batches
    for line in sys.stdin.buffer:
        outcome = _serve(json.loads(line), out)
        out.write(json.dumps(outcome).encode() + b"\n")
        out.flush()


def _serve(request: dict[str, Any], out: Any) -> dict[str, str]:
    batches = READERS[request["reader"]](request)
    stream = None
    try:
        for batch in batches:
            if stream is None:
                stream = pa.ipc.new_stream(out, batch.schema)
            stream.write_batch(batch)
            out.flush()
    except BrokenPipeError:
        raise
    except BaseException as error:  # noqa: BLE001 - connectorx panics with what is no Exception
        return {"error": str(error) or type(error).__name__}
    finally:
        (stream or pa.ipc.new_stream(out, pa.schema([]))).close()
    return {}


def connectorx(request: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    """Rows over the wire, with the types that connectorx gives them."""

    def read() -> Iterator[pa.RecordBatch]:
        import connectorx

        # where it panics Rust prints the error, with the row's contents; it is in the answer, too
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield from connectorx.read_sql(
            request["url"],
            request["query"],
            return_type="arrow_stream",
            batch_size=request["batch_rows"],
            pre_execution_query=request["before"] or None,
        )

    # it reads as fast as the server sends, and keeps what nobody has asked for
    yield from _Ahead(read).batches()


_HELD = 16 << 20  #: bytes of batches that wait in memory; more of them wait in a file


class _Ahead:
    """Batches taken as soon as they are there, in a thread; those that wait too long lie in a file.

    The file has no name, and ends with the process.
    """

    def __init__(self, read: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self._waiting: deque[pa.RecordBatch | tuple[int, int] | BaseException | None] = deque()
        self._held = 0  #: bytes in memory
        self._lying = self._end = 0  #: batches in the file, and where the next one goes
        self._change = threading.Condition()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the last batch
        threading.Thread(target=self._take, args=[read], daemon=True).start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches in their order; raises what ended them."""
        schema: pa.Schema | None = None
        with self._file:
            while True:
                with self._change:
                    self._change.wait_for(lambda: self._waiting)
                    found = self._waiting.popleft()
                    if isinstance(found, tuple):
                        start, size = found
                        found = self._fetched(start, size, schema)
                    elif isinstance(found, pa.RecordBatch):
                        self._held -= found.nbytes
                if found is None:
                    return
                if isinstance(found, BaseException):
                    raise found
                schema = found.schema
                yield found

    def _take(self, read: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        end: BaseException | None = None
        try:
            for batch in read():
                with self._change:
                    self._waiting.append(self._kept(batch))
                    self._change.notify()
        except BaseException as error:  # noqa: BLE001 - as in `_serve`
            end = error
        with self._change:
            self._waiting.append(end)
            self._change.notify()

    def _kept(self, batch: pa.RecordBatch) -> pa.RecordBatch | tuple[int, int]:
        """The batch, or its place in the file where too many wait already."""
        if self._held < _HELD:
            self._held += batch.nbytes
            return batch
        start = self._file.seek(self._end)
        size = self._file.write(batch.serialize())
        self._end = start + size
        self._lying += 1
        return start, size

    def _fetched(self, start: int, size: int, schema: pa.Schema | None) -> pa.RecordBatch:
        self._file.seek(start)
        written = self._file.read(size)
        self._lying -= 1
        if not self._lying:
            self._end = 0
        return pa.ipc.read_record_batch(pa.py_buffer(written), schema)


def sqlite(request: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    """Rows of a SQLite file by ADBC, with the types that were asked for.

    An empty batch comes first, as soon as the file cannot be written past this reader any more.
    Without ADBC's DBAPI, which imports pandas and polars if they are there: 85 MB and 0.3 s.
    """
    import adbc_driver_manager as adbc
    import adbc_driver_sqlite

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in request["columns"]])
    with (
        adbc_driver_sqlite.connect(request["path"]) as database,
        adbc.AdbcConnection(database) as connection,
        adbc.AdbcStatement(connection) as statement,
    ):
        connection.set_autocommit(False)  # one transaction, which the first statement in it begins
        for pragma in (f"busy_timeout = {int(request['busy_ms'])}", "schema_version"):
            statement.set_sql_query(f"PRAGMA {pragma}")
            statement.execute_update()
        rows = str(max(2, int(request["batch_rows"])))
        statement.set_options(**{"adbc.sqlite.query.batch_rows": rows})
        statement.set_sql_query(request["query"])
        statement.prepare()
        yield pa.RecordBatch.from_arrays([pa.nulls(0, t) for t in schema.types], schema=schema)
        stream, _ = statement.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as reader:
            if reader.schema.types != schema.types:
                raise ValueError("a value is of another kind than its column")
            yield from _without_first(reader, schema)


READERS = {"connectorx": connectorx, "sqlite": sqlite}


def _without_first(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """All rows but the first, which `adbc.py` made up to fix the types; batches stay full."""
    before: pa.RecordBatch | None = None
    for read in batches:
        batch = pa.RecordBatch.from_arrays(read.columns, schema=schema)
        if before is not None:
            yield pa.concat_batches([before, batch.slice(0, 1)])
        before = batch.slice(1)
    if before is not None and before.num_rows:
        yield before


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # the process that asked is gone
        os._exit(0)
