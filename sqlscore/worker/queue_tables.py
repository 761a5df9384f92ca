"""The tables of a queue as a worker sees them; ``sql/<dialect>/queue.sql`` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from sqlscore.tables.schema import where_named


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueTables:
    """A job has a row, and a row for each of its parts."""

    jobs: sa.Table
    parts: sa.Table


@cache
def queue_tables(schema: str, *, schemas: bool) -> QueueTables:
    """Those of a product with schemas, or without, beside the owned tables."""
    place, prefix = where_named(schema, schemas=schemas)
    metadata = sa.MetaData(schema=place)

    def table(name: str, **columns: sa.types.TypeEngine[Any]) -> sa.Table:
        return sa.Table(f"{prefix}{name}", metadata, *(sa.Column(n, t) for n, t in columns.items()))

    number, text, time = sa.BigInteger(), sa.Text(), sa.DateTime()
    return QueueTables(
        jobs=table(
            "queue_jobs", id=number, model=text, version=sa.Integer(), sha256=text, columns=text,
            status=text, carried=text, predictions=text, error=text, submitted_at=time,
            finished_at=time,
        ),
        parts=table(
            "queue_parts", job=number, part=sa.Integer(), given=text, predicted=text, status=text,
            attempts=sa.Integer(), worker=text, heartbeat=time,
        ),
    )  # fmt: skip
