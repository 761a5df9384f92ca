"""A process that reads SQLite files for another one; `adbc.py` starts it and says why.

It runs as a script of its own, so it imports nothing of sqlscore. Each request is a line of JSON on
standard input. Its answer on standard output is an Arrow IPC stream, then a line of JSON: empty,
or with the error that ended the stream. It ends when standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import adbc_driver_sqlite.dbapi
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Serve requests one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        outcome = _serve(json.loads(line), out)
        out.write(json.dumps(outcome).encode() + b"\n")
        out.flush()


def _serve(request: dict[str, Any], out: Any) -> dict[str, str]:
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in request["columns"]])
    with pa.ipc.new_stream(out, schema) as stream:
        try:
            for batch in _batches(request, schema):
                stream.write_batch(batch)
        except (OSError, ValueError, KeyError, adbc_driver_sqlite.dbapi.Error) as error:
            return {"error": str(error)}
    return {}


def _batches(request: dict[str, Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    connection = adbc_driver_sqlite.dbapi.connect(request["path"])
    with connection, connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(request['busy_ms'])}")
        rows = str(max(2, int(request["batch_rows"])))
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": rows})
        cursor.execute(request["query"])
        reader = cursor.fetch_record_batch()
        if reader.schema.types != schema.types:
            raise ValueError("a value is of another kind than its column")
        yield from _without_first(reader, schema)


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
