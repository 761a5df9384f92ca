"""Rows that cannot be scored: kept with key and reason, in the unit that writes their range.

What is kept of a row is its key, and why it could not be scored; nothing else that it holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products.product import Target, Write
from sqlscore.tables import now
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlscore.predictor.badrows import BadRow
    from sqlscore.products.product import Product, Unit
    from sqlscore.relations.ranges import KeyRange
    from sqlscore.tables import Tables


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """One row that a run left out."""

    key: Mapping[str, Any]  #: the key's columns and their values, as JSON has them
    model: str  #: the exact version that refused it: ``churn:3``
    name: str | None  #: the feature or prediction that it is about; None: the model as a whole
    reason: str
    at: datetime | None = None  #: UTC; None: it is not kept yet


def of_batch(
    bad: Mapping[int, tuple[str, BadRow]], key: Mapping[str, pa.Array]
) -> list[Quarantined]:
    """The bad rows of a batch, by their places, as they are kept; `key` has the batch's columns."""
    places = pa.array(sorted(bad), pa.int64())
    values = {name: column.take(places).to_pylist() for name, column in key.items()}
    return [
        Quarantined(
            key={name: _plain(column[i]) for name, column in values.items()},
            model=bad[row][0], name=bad[row][1].name, reason=bad[row][1].reason,
        )
        for i, row in enumerate(places.to_pylist())
    ]  # fmt: skip


def _plain(value: object) -> object:
    """A key's value as JSON has it; what JSON has not is text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


class Quarantine:
    """The owned table, written through a run's own units."""

    def __init__(self, engine: sa.Engine, product: Product, tables: Tables, run: str) -> None:
        """`engine` and `product` are the target's."""
        table = tables.quarantine
        with translated("looking at the quarantine"), engine.connect() as connection:
            columns = product.describe(connection, table)
        self._target = Target(table=table, columns=columns, key=("run", "ordinal", "number"))
        self._run = run

    def keep(self, unit: Unit, range_: KeyRange, rows: Sequence[Quarantined]) -> None:
        """Keep the bad rows of a range, in the unit that writes its predictions and its mark."""
        if not rows:
            return
        count, time = len(rows), now()
        batch = pa.record_batch({
            "run": pa.array([self._run] * count),
            "ordinal": pa.array([range_.ordinal] * count, pa.int32()),
            "number": pa.array(range(count), pa.int32()),
            "row_key": pa.array([json.dumps(row.key, ensure_ascii=False) for row in rows]),
            "model": pa.array([row.model for row in rows]),
            "name": pa.array([row.name for row in rows], pa.string()),
            "reason": pa.array([row.reason for row in rows]),
            "noted_at": pa.array([time] * count, pa.timestamp("us")),
        })  # fmt: skip
        unit.write(self._target, [batch], Write.INSERT)


def kept(unit: Unit, tables: Tables, run: str, limit: int | None) -> list[Quarantined]:
    """The rows that a run left out, in the order of its ranges; at most `limit`."""
    table = tables.quarantine
    query = (
        sa.select(table.c.row_key, table.c.model, table.c.name, table.c.reason, table.c.noted_at)
        .where(table.c.run == run)
        .order_by(table.c.ordinal, table.c.number)
        .limit(limit)
    )
    return [
        Quarantined(key=json.loads(key), model=model, name=name, reason=reason, at=at)
        for key, model, name, reason, at in unit.fetch(query)
    ]
