"""The ranges of a run that are left, each by one statement of the database's own, with its mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.jobs.duplicates import named_modes
from sqlscore.relations.ranges import within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.jobs.brake import Brake
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.pushed import Pushed
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Target, Unit, Write
    from sqlscore.relations.ranges import KeyRange
    from sqlscore.relations.source import Condition


class Pusher:
    """Does a range inside the database: its predictions, counts and mark in one unit."""

    def __init__(
        self, work: Work, held: Lease, run: str, prepared: Prepared, pushed: Pushed,
        target: Target, how: Write, where: Condition,
    ) -> None:  # fmt: skip
        self._work, self._held, self._run, self._prepared = work, held, run, prepared
        self._pushed, self._target, self._how, self._where = pushed, target, how, where

    def all(
        self, ranges: Sequence[KeyRange], brake: Brake, committed: Callable[[int], None]
    ) -> None:
        """Do the ranges in their order; the run stops between two of them."""
        for range_ in ranges:
            brake.check()
            rows = self(range_)
            committed(rows)
            brake.pace(rows)

    def __call__(self, range_: KeyRange) -> int:
        """How many rows the range had."""
        source, found = self._prepared.source, [0]
        inside = within(source.product, source.relation, self._prepared.key, range_)
        parts = [part for part in (inside, self._where) if part is not None]
        condition = sa.and_(*parts) if parts else None
        product, names = self._work.product, [c.name for c in self._prepared.wanted.columns]
        fill = product.fill
        assert fill is not None

        def write(unit: Unit) -> None:
            for setting in product.tuning.no_jit:
                unit.execute(sa.text(setting))
            counts = self._pushed.counts(unit, condition)
            with named_modes(self._how):
                fill(unit, self._target, names, self._pushed.rows(condition), self._how)
            self._work.records.mark(unit, self._run, range_, counts.rows, counts)
            found[0] = counts.rows

        self._work.tell(self._held, write)
        return found[0]
