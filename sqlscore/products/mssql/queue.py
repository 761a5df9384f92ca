"""The queue of SQL Server: its script, the columns of its jobs; a worker looks for new jobs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.products.mssql.routines import install_queue, install_queue_sql
from sqlscore.products.mssql.types import meaning
from sqlscore.products.queue import Queue
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Engine

_LOOK = 0.05  #: seconds between two looks


def column(described: Mapping[str, Any]) -> Column:
    """A column of a caller's query, by its declared type; bits are 0 and 1 in a job."""
    declared = described["type"]
    type_ = pa.int8() if declared == "bit" else meaning(declared)
    return Column(name=described["name"], type=type_, declared=declared)


@contextmanager
def bell(_engine: Engine) -> Iterator[Callable[[float], None]]:
    """There is none that rings: look again after a while."""
    yield lambda seconds: time.sleep(min(seconds, _LOOK))


QUEUE = Queue(
    install=install_queue,
    install_sql=install_queue_sql,
    column=column,
    bell=bell,
    advice="Who may call: ALTER ROLE sqlscore_caller ADD MEMBER somebody;\n"
    "which model: EXEC sqlscore.grant_model N'churn', N'somebody';\n"
    "who works: ALTER ROLE sqlscore_worker ADD MEMBER somebody; and then: sqlscore worker",
)
