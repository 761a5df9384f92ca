"""What is stored of a run: one row of the owned table ``runs``, and one a key range in ``ranges``.

Written in the target's database, through the run's own units, so that a range's mark is there
exactly when its predictions are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import UnknownRun, nearest
from sqlscore.jobs.lease import owner
from sqlscore.jobs.plan import Plan
from sqlscore.jobs.quarantine import Quarantined, kept
from sqlscore.jobs.status import STOPPABLE, Run, Status
from sqlscore.predictor import Counts
from sqlscore.relations.ranges import KeyRange, decode, encode
from sqlscore.tables import now

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator, Mapping, Sequence

    from sqlscore.products.product import Unit
    from sqlscore.tables import Tables


_NAMED = 200  #: runs, the newest, among which a mistyped id is looked for


class Records:
    """The rows of ``runs`` and ``ranges`` in one database."""

    def __init__(self, tables: Tables) -> None:
        self._runs, self._ranges = tables.runs, tables.ranges
        self._watermarks, self._tables = tables.watermarks, tables

    def begin(self, unit: Unit, run: str, target: str, plan: Plan) -> None:
        """Store a new run, which has no ranges yet."""
        unit.execute(
            sa.insert(self._runs).values(
                id=run, job=plan.job.identity, status=Status.PLANNING, source=plan.job.source,
                target=target, plan=plan.to_json(), rows=0, counts=Counts().to_json(),
                owner=owner(), started_at=now(),
            )
        )  # fmt: skip

    def store_ranges(self, unit: Unit, run: str, ranges: Sequence[KeyRange], plan: Plan) -> None:
        """Fix the ranges: from here on the run can be resumed."""
        rows = [
            {"run": run, "ordinal": r.ordinal, "low": encode(r.low), "high": encode(r.high)}
            for r in ranges
        ]
        for start in range(0, len(rows), 500):
            unit.execute(sa.insert(self._ranges).values(rows[start : start + 500]))
        self.set(unit, run, plan=plan.to_json())
        self._move(unit, run, (Status.PLANNING,), Status.RUNNING)

    def mark(self, unit: Unit, run: str, range_: KeyRange, rows: int, counts: Counts) -> None:
        """Note that a range is done, in the unit that writes its predictions."""
        mine = sa.and_(self._ranges.c.run == run, self._ranges.c.ordinal == range_.ordinal)
        unit.execute(
            sa.update(self._ranges)
            .where(mine)
            .values(rows=rows, counts=counts.to_json(), done_at=now())
        )

    def set(self, unit: Unit, run: str, **values: object) -> None:
        """Change columns of a run's row."""
        unit.execute(sa.update(self._runs).where(self._runs.c.id == run).values(**values))

    def done(self, unit: Unit, run: str) -> Run:
        """Note that all of a run is done, with its sums; the run."""
        found = self.one(unit, run)
        end: dict[str, Any] = {"status": Status.DONE, "finished_at": now(), "error": None}
        self.set(unit, run, rows=found.rows, counts=found.counts.to_json(), **end)
        return dataclasses.replace(found, **end)

    def fail(self, unit: Unit, run: str, error: str, *, status: Status = Status.FAILED) -> None:
        """Note what ended a run; one that was past its ranges stays where it was."""
        self.set(unit, run, error=error[:2000], finished_at=now())
        self._move(unit, run, (*STOPPABLE, Status.CANCELLING), status)

    def cancel(self, unit: Unit, run: str) -> None:
        """Ask a run to stop, if it is where it can be."""
        self._move(unit, run, STOPPABLE, Status.CANCELLING)

    def cancelling(self, run: str) -> sa.Select[Any]:
        """A query that finds the run's row if it was asked to stop."""
        mine = sa.and_(self._runs.c.id == run, self._runs.c.status == Status.CANCELLING)
        return sa.select(self._runs.c.id).where(mine)

    def _move(self, unit: Unit, run: str, before: Sequence[Status], status: Status) -> None:
        """Change a run's status, if it is one of those before."""
        mine = sa.and_(self._runs.c.id == run, self._runs.c.status.in_(before))
        unit.execute(sa.update(self._runs).where(mine).values(status=status))

    def watermark(self, unit: Unit, job: str) -> tuple[str, str] | None:
        """How far a job got, as stored text, and by which run; None: it never ended."""
        marks = self._watermarks
        found = unit.fetch(sa.select(marks.c.high, marks.c.run).where(marks.c.job == job))
        return (found[0][0], found[0][1]) if found else None

    def set_watermark(self, unit: Unit, job: str, high: str, run: str) -> None:
        """Note how far a job got."""
        marks = self._watermarks
        unit.execute(sa.delete(marks).where(marks.c.job == job))
        unit.execute(sa.insert(marks).values(job=job, high=high, run=run, updated_at=now()))

    def ranges_left(self, unit: Unit, run: str) -> list[KeyRange]:
        """The ranges that are not done, in their order."""
        table = self._ranges
        query = (
            sa.select(table.c.ordinal, table.c.low, table.c.high)
            .where(table.c.run == run, table.c.done_at.is_(None))
            .order_by(table.c.ordinal)
        )
        return [
            KeyRange(ordinal=int(ordinal), low=decode(low), high=decode(high))
            for ordinal, low, high in unit.fetch(query)
        ]

    def quarantined(self, unit: Unit, run: str, *, limit: int | None) -> builtins.list[Quarantined]:
        """The rows that a run left out, in the order of its ranges."""
        return kept(unit, self._tables, self.one(unit, run).id, limit)

    def plan(self, unit: Unit, run: str) -> Plan:
        """The stored plan of a run."""
        query = sa.select(self._runs.c.plan).where(self._runs.c.id == run)
        return Plan.from_json(unit.fetch(query)[0][0])

    def plans(self, unit: Unit, target: str, *, limit: int) -> builtins.list[Plan]:
        """The plans of the newest runs on a target, the newest first."""
        query = sa.select(self._runs.c.plan).where(self._runs.c.target == target)
        newest = query.order_by(self._runs.c.started_at.desc(), self._runs.c.id).limit(limit)
        return [Plan.from_json(text) for (text,) in unit.fetch(newest)]

    def last(self, unit: Unit, **where: str) -> Run | None:
        """The newest run with these values in its columns."""
        return next(iter(self.list(unit, limit=1, **where)), None)

    def one(self, unit: Unit, run: str) -> Run:
        """The run of that id, or of the one id that begins so; `UnknownRun` if there is none."""
        if any((found := one).id == run for one in self.list(unit, limit=1, id=run)):
            return found
        ids = self._runs.c.id
        begins = sa.select(ids).where(ids.startswith(run, autoescape=True)) if run else None
        # SQLite finds what differs in case only, too
        near = [] if begins is None else [i for (i,) in unit.fetch(begins) if i.startswith(run)]
        alike = [i for i in near if i == run] or near
        if len(alike) != 1:
            what = "more than one run begins with" if alike else "there is no run"
            newest = sa.select(ids).order_by(self._runs.c.started_at.desc(), ids).limit(_NAMED)
            known = [i for (i,) in unit.fetch(newest)]
            raise UnknownRun(f"{what} {run!r}.{nearest(run, known)} See: sqlscore run list")
        return self.list(unit, limit=1, id=alike[0])[0]

    def list(self, unit: Unit, *, limit: int | None, **where: str) -> list[Run]:
        """The newest runs first."""
        query = sa.select(self._runs).order_by(self._runs.c.started_at.desc(), self._runs.c.id)
        for name, value in where.items():
            query = query.where(self._runs.c[name] == value)
        names = list(self._runs.c.keys())
        found = [dict(zip(names, row, strict=True)) for row in unit.fetch(query.limit(limit))]
        return [self._run(row, list(self._done(unit, row["id"]))) for row in found]

    def _done(self, unit: Unit, run: str) -> Iterator[tuple[int | None, str | None]]:
        table = self._ranges
        yield from unit.fetch(sa.select(table.c.rows, table.c.counts).where(table.c.run == run))

    def _run(self, row: Mapping[str, Any], ranges: Sequence[tuple[int | None, str | None]]) -> Run:
        plan = Plan.from_json(row["plan"])
        done = [(rows or 0, Counts.from_json(text)) for rows, text in ranges if text is not None]
        return Run(
            id=row["id"], job=row["job"], status=Status(row["status"]), models=plan.versions,
            source=row["source"], target=row["target"], mode=plan.job.mode,
            rows=sum(rows for rows, _ in done), total=plan.total, ranges=len(ranges),
            ranges_done=len(done), counts=sum((counts for _, counts in done), Counts()),
            owner=row["owner"], started_at=row["started_at"], finished_at=row["finished_at"],
            error=row["error"], removed=plan.removed, providers=plan.providers,
            route=plan.route, because=plan.because,
            unmarked=(plan.watermark or {}).get("nulls", 0),
        )  # fmt: skip
