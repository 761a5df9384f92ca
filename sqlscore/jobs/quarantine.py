"""Rows that cannot be scored: kept with key and reason, in the unit that writes their range.

What is kept of a row is its key, and why it could not be scored; nothing else that it holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.errors import SqlscoreError, TooManyBadRows
from sqlscore.products.product import Target, Write
from sqlscore.tables import now
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlscore.jobs.work import Work
    from sqlscore.predictor.badrows import BadRow
    from sqlscore.products.product import Unit
    from sqlscore.relations.ranges import KeyRange
    from sqlscore.tables import Tables

_REASONS = 3  #: that a message repeats


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


def allowed(given: float | str | None) -> str | None:
    """How many bad rows a run may have, as it is stored: a number of rows, or ``1%``."""
    if given is None:
        return None
    text = f"{given * 100:.12g}%" if isinstance(given, float) else str(given).strip()
    if re.fullmatch(r"\d+|\d+(\.\d+)?%", text) and not (text[-1] == "%" and float(text[:-1]) > 100):
        return text
    raise SqlscoreError(f"max_bad= takes a number of rows, or a share such as 1%, not {given!r}")


def most(text: str | None, total: int) -> int | None:
    """The number of rows that `allowed` text means for a run of so many; None: any number."""
    if text is None:
        return None
    return int(total * float(text[:-1]) / 100) if text.endswith("%") else int(text)


class Gate:
    """Counts the bad rows of a run, and stops it when there are too many."""

    def __init__(self, text: str | None, total: int, before: int) -> None:
        """`before` is how many the run has kept by now, in all its tries."""
        self._text, self._total, self._bad = text, total, before
        self._most = most(text, total)

    def let(self, bad: Sequence[Quarantined]) -> None:
        """Count the bad rows of one more range; `TooManyBadRows` before it is written."""
        self._bad += len(bad)
        if self._most is not None and self._bad > self._most:
            raise TooManyBadRows(
                f"{self._bad:,} rows of about {self._total:,} cannot be scored so far, and "
                f"max_bad= allows {self._text}: {'; '.join(_common(bad))}. The ranges before are "
                "written, with their quarantine. Mend the rows or allow more, and start the same "
                "job again: it goes on from there"
            )


def _common(bad: Sequence[Quarantined]) -> Iterator[str]:
    """The reasons that come most often, with the number of rows."""
    reasons = [f"{one.name}: {one.reason}" if one.name else one.reason for one in bad]
    often = sorted(set(reasons), key=lambda reason: (-reasons.count(reason), reason))
    yield from (f"{reasons.count(reason):,} times {reason}" for reason in often[:_REASONS])


class Quarantine:
    """The owned table, written through a run's own units."""

    def __init__(self, work: Work, run: str) -> None:
        table = work.tables.quarantine
        with translated("looking at the quarantine"), work.engines.target.connect() as connection:
            columns = work.product.describe(connection, table)
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
