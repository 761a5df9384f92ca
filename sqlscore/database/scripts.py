"""Scripts with PREDICT in them: run, explained, or one transaction of the caller's."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlscore.database.connected import Connected
from sqlscore.plan import Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

    from sqlscore.statements.explaining import Explanation
    from sqlscore.statements.face import Statements
    from sqlscore.statements.results import Result


class Scripts(Connected):
    """Runs scripts, in T-SQL or another dialect."""

    def sql(
        self,
        text: str,
        *,
        route: str = "bridge",
        without: str | Sequence[str] = (),
        dialect: str = "tsql",
    ) -> Result:
        """Run a T-SQL script, with PREDICT in it or without; the rows of its last SELECT.

        What writes has run when this returns, each statement as a transaction of its own. A SELECT
        that ends the script runs when its rows are read: once, as batches, Arrow, pandas or polars.
        Rows of SELECTs before it are in its `earlier`, what was printed in its `messages`. On
        databases other than SQL Server the statements around PREDICT are translated.

        route: where models run: ``bridge``, here, as ONNX Runtime has it; ``push-down``, in the
            database, as SQL, where each model has such a form: else a `StatementError` says why;
            or ``auto``, the cheaper one of those that a model can take.
        without: optimisations to leave out, by name: ``projection``, ``folding``, ``pruning``,
            ``thresholds``, ``statistics``.
        dialect: in which the text is written: ``tsql``; ``bigquery``, with ML.PREDICT; or
            ``oracle``, with PREDICTION and PREDICTION_PROBABILITY.

        Raises `StatementError` with line and column for what cannot be understood, bound or run.
        """
        return self._statements.run(text, Wishes.of(route, without), dialect=dialect)

    def explain(
        self,
        text: str,
        *,
        analyze: bool = False,
        route: str = "bridge",
        without: str | Sequence[str] = (),
        dialect: str = "tsql",
    ) -> Explanation:
        """The plan of a statement, which prints as a tree; DECLARE and SET may stand before it.

        Says for each PREDICT which route its rows go and why, what is read, and the rewritten SQL.
        No row is scored and nothing is written, unless `analyze` runs it, to tell rows and times.
        """
        return self._statements.explain(
            text, Wishes.of(route, without), analyze=analyze, dialect=dialect
        )

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """One transaction for the statements inside: they see each other's rows before the commit.

        Gives the connection, on which the caller's own statements belong to the transaction too.
        An error that leaves the block rolls all of it back. Rows must be read inside.
        """
        return self._statements.begin()

    @cached_property
    def _statements(self) -> Statements:
        from sqlscore.statements.face import Statements

        return Statements(self.engine, self.product)
