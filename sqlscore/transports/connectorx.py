"""connectorx: the fastest reader of rows over the wire, in Rust, with a connection of its own.

It runs in a process of its own (`process.py` says why). It takes no parameters, widens small
numbers, and reports errors in the middle of a stream as a `PanicException`, which is no
`Exception`: all of that ends here. Trying to connect, it keeps on for 30 seconds, so a caller makes
sure first that the server answers.
"""

from __future__ import annotations

import importlib.util
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlscore.errors import DatabaseError
from sqlscore.transports import process
from sqlscore.transports.failures import without_contents
from sqlscore.transports.fit import narrowed

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import pyarrow as pa

_CODE = re.compile(r"SqlState\(E?(\w{5})\)|MySqlError \{ ERROR (\d+)|code: (\d+)")
_MESSAGE = re.compile(r"message: \"((?:[^\"\\]|\\.)*)\"|MySqlError \{ ([^}]*)\}")


def installed() -> bool:
    """Whether connectorx can be imported."""
    return importlib.util.find_spec("connectorx") is not None


def stream(
    url: str, sql: str, schema: pa.Schema, batch_rows: int, *, before: Sequence[str] = ()
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of `sql` as batches of exactly `schema`, at most `batch_rows` each.

    Columns are matched by position. `url` is connectorx's own (percent-encoded). Every error, a
    panic too, is a `DatabaseError`. `before` are statements to run first, on the same connection.
    Closing the iterator early ends the connection; the server notices that when it next sends, so
    whoever knows the product ends its work there.
    """
    request = {
        "reader": "connectorx",
        "url": url,
        "query": sql,
        "before": list(before),
        "batch_rows": batch_rows,
    }
    try:
        with closing(process.read(request)) as batches:
            for batch in batches:
                for start in range(0, batch.num_rows, batch_rows):
                    yield narrowed(batch.slice(start, batch_rows), schema)
    except process.ReaderFailed as error:
        raise _database_error(error) from error


def _database_error(error: process.ReaderFailed) -> DatabaseError:
    text = str(error)
    code, message = _found(_CODE, text), _found(_MESSAGE, text)
    words = without_contents(message or (text.splitlines() or [""])[0][:200])
    failure = DatabaseError(
        f"the stream of rows broke off{f' ({code})' if code else ''}: {words}. "
        "What was read before is not final"
    )
    failure.code = code
    return failure


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match: re.Match[Any] | None = pattern.search(text)
    return next((g for g in match.groups() if g), None) if match else None
