"""The ranges of a run that are left, each by one statement of the database's own, with its mark."""

from __future__ import annotations

import dataclasses
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.jobs.duplicates import is_duplicate, named_modes
from sqlscore.products.product import Write
from sqlscore.relations import keys, sink
from sqlscore.relations.ranges import within
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlscore.jobs.brake import Brake
    from sqlscore.jobs.lease import Lease
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.pushed import Pushed
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Target, Unit
    from sqlscore.relations.ranges import KeyRange
    from sqlscore.relations.source import Condition


class Pusher:
    """Does a range inside the database: its predictions, counts and mark in one unit.

    Where the server gives one query several processes, so many ranges are done beside each other:
    no INSERT … SELECT has more than one. The lease is checked at the end of a unit, since whoever
    checks it holds its row until the commit.
    """

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
        at_a_time = min(beside(self._work), len(ranges))
        done = (
            map(self, _checked(ranges, brake))
            if at_a_time < 2
            else self._several(ranges, brake, at_a_time)
        )
        for rows in done:
            committed(rows)
            brake.pace(rows)

    def _several(self, ranges: Sequence[KeyRange], brake: Brake, most: int) -> Iterator[int]:
        waiting: deque[Future[int]] = deque()
        with ThreadPoolExecutor(most, thread_name_prefix="sqlscore-push") as pool:
            try:
                for range_ in _checked(ranges, brake):
                    waiting.append(pool.submit(self, range_))
                    if len(waiting) == most:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def __call__(self, range_: KeyRange) -> int:
        """How many rows the range had."""
        if self._how is not Write.UPSERT:
            return self._filled(range_, self._how)
        try:
            return self._filled(range_, None)
        except DatabaseError as error:
            if not is_duplicate(error):
                raise
        return self._filled(range_, Write.UPSERT)  # somebody else was quicker

    def _filled(self, range_: KeyRange, how: Write | None) -> int:
        """Fill a range; None: by INSERT where the target has no row in it, else by upsert."""
        source, product = self._prepared.source, self._work.product
        fill, names = product.fill, [c.name for c in self._prepared.wanted.columns]
        assert fill is not None
        inside = within(source.product, source.relation, self._prepared.key, range_)
        parts = [part for part in (inside, self._where) if part is not None]
        condition = sa.and_(*parts) if parts else None
        with self._work.unit() as unit:
            for setting in product.tuning.no_jit:
                unit.execute(sa.text(setting))
            if source.joins:
                keys.ask_once(unit, source, self._prepared.key, condition)
            counts = self._pushed.counts(unit, condition)
            how = how or (Write.UPSERT if self._has_rows(unit, range_) else Write.INSERT)
            with named_modes(self._how):
                fill(unit, self._target, names, self._pushed.rows(condition), how)
            self._held.check(unit)
            self._work.records.mark(unit, self._run, range_, counts.rows, counts)
            unit.commit()
            return counts.rows

    def _has_rows(self, unit: Unit, range_: KeyRange) -> bool:
        """Whether the target has a row in a range; to look for each key costs as much as INSERT."""
        relation = sink.relation(self._target)
        key = [
            dataclasses.replace(column, name=name)
            for column, name in zip(self._prepared.key, self._target.key, strict=True)
        ]
        there = sa.select(sa.literal(1)).select_from(relation).limit(1)
        inside = within(self._work.product, relation, key, range_)
        return bool(unit.fetch(there if inside is None else there.where(inside)))


def beside(work: Work) -> int:
    """How many ranges are done at a time: as the server and the pool of connections allow."""
    engine = work.engines.target
    if not isinstance(engine.pool, sa.QueuePool):
        return 1
    with translated("asking for parallel workers"), engine.connect() as connection:
        allowed = work.product.fills_beside(connection)
    # the lease's heartbeat and the look for a cancel need one now and then
    return max(1, min(allowed, engine.pool.size() - 2))


def _checked(ranges: Sequence[KeyRange], brake: Brake) -> Iterator[KeyRange]:
    for range_ in ranges:
        brake.check()
        yield range_
