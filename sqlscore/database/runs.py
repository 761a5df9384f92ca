"""The runs that a database has seen: listed, looked into, stopped, and cleaned up after."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlscore.database.connected import Connected
from sqlscore.errors import JobConflict, UnknownRun
from sqlscore.jobs.brake import cancel_here
from sqlscore.jobs.cleaning import Cleaned, clean
from sqlscore.jobs.engines import Engines
from sqlscore.jobs.holders import as_they_are
from sqlscore.jobs.records import Records
from sqlscore.jobs.status import STOPPABLE
from sqlscore.jobs.work import Work
from sqlscore.tables import now, opened
from sqlscore.transact import transact

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from sqlscore.jobs.quarantine import Quarantined
    from sqlscore.jobs.status import Run
    from sqlscore.products.product import Unit
    from sqlscore.tables import Tables

T = TypeVar("T")


class Runs(Connected):
    """Tells of runs, and stops them."""

    def runs(self, limit: int | None = 20) -> list[Run]:
        """The newest runs first; those that run now show how far they are."""
        return self._runs(lambda records, unit: records.list(unit, limit=limit))

    def run(self, id: str) -> Run:
        """One run, by its id or by how its id begins. `UnknownRun` if there is none."""
        found = self._runs(lambda records, unit: [records.one(unit, id)])
        if not found:
            raise UnknownRun(f"there is no run {id!r}: this database has seen none")
        return found[0]

    def quarantine(self, run: str, limit: int | None = None) -> list[Quarantined]:
        """The rows that a run could not score: key, model, feature or prediction, and reason."""
        found = self._asked(
            lambda tables, unit: Records(tables).quarantined(unit, run, limit=limit)
        )
        return found or []

    def clean(self, *, older_than: timedelta, dry_run: bool = False) -> Cleaned:
        """Take away the records of runs that ended longer ago, and what ended runs staged.

        Runs that can be resumed stay, as do the newest of each target and those that a watermark
        or a lease names. A table is dropped only if the plan of an ended run names it.
        dry_run: only say what would go.
        """
        if self._tables() is None:
            return Cleaned(runs=(), rows={}, tables=(), dry_run=dry_run)
        work = Work.on(Engines.one(self.engine))
        return clean(work, before=now() - older_than, dry_run=dry_run)

    def cancel(self, run: str) -> Run:
        """Ask a run to stop, in whatever process it is; it does before its next batch.

        What it has committed stays, and it can be resumed. `JobConflict` where nothing runs, and
        `UnknownRun` where there is no such run.
        """
        found = self.run(run)
        if found.status not in STOPPABLE:
            raise JobConflict(
                f"run {found.id} is {found.status}: nothing of it runs that could be stopped"
            )
        if not cancel_here(found.id):
            self._asked(lambda tables, unit: _cancelled(tables, unit, found.id))
        return self.run(found.id)

    def _runs(self, question: Callable[[Records, Unit], list[Run]]) -> list[Run]:
        def ask(tables: Tables, unit: Unit) -> list[Run]:
            return as_they_are(question(Records(tables), unit), unit, tables, self.product)

        return self._asked(ask) or []

    def _tables(self) -> Tables | None:
        if self.product.absent(self.engine):
            return None
        look = partial(opened, self.engine, schemas=self.product.schemas)
        return transact(self.engine, look, "looking for runs")

    def _asked(self, question: Callable[[Tables, Unit], T]) -> T | None:
        """The answer of the owned tables; None where there are none."""
        tables = self._tables()
        if tables is None:
            return None
        with self.product.unit(self.engine, None) as unit:
            return question(tables, unit)


def _cancelled(tables: Tables, unit: Unit, run: str) -> None:
    Records(tables).cancel(unit, run)
    unit.commit()
