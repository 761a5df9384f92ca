"""Tables scored: a source's rows in, a target's predictions out; or what that would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.database import arguments
from sqlscore.database.bound import Bound
from sqlscore.database.connected import Connected
from sqlscore.jobs import run as runs
from sqlscore.jobs.engines import Engines
from sqlscore.jobs.prepare import prepare, ranged
from sqlscore.jobs.scorer import preview
from sqlscore.products import product_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    import pyarrow as pa
    import sqlalchemy as sa

    from sqlscore.jobs.limits import Limits
    from sqlscore.jobs.status import Run

_NOWHERE = "sqlscore_nowhere"  #: a table that is designed and never made


class Scoring(Connected):
    """Scores what lies in tables."""

    def score(
        self,
        models: str | Sequence[str],
        *,
        source: str,
        target: str,
        key: str | Sequence[str] | None = None,
        mode: str = "upsert",
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        columns: Sequence[str] = (),
        lineage: bool | str | Sequence[str] = (),
        map: Mapping[str, str] | None = None,
        nulls: Mapping[str, Any] | None = None,
        types: str | Mapping[str, str] | None = None,
        constants: Mapping[str, Any] | None = None,
        incremental: str | None = None,
        lag: timedelta | float | None = None,
        only_new: bool = False,
        rescore: str | None = None,
        sync: bool = False,
        finite: bool = False,
        quarantine: bool = False,
        max_bad: float | str | None = None,
        name: str | None = None,
        restart: bool = False,
        abandon: bool = False,
        provider: str = "cpu",
        provider_options: Mapping[str, str] | None = None,
        without: str | Sequence[str] = (),
        route: str = "bridge",
        limits: Limits | None = None,
        source_db: str | sa.URL | sa.Engine | None = None,
        target_db: str | sa.URL | sa.Engine | None = None,
        on_progress: Callable[[runs.Progress], None] | None = None,
    ) -> Run:
        """Score the rows of a source and write the predictions to a target; every row exactly once.

        models: ``churn`` (the newest version), ``churn:3`` or ``churn@production``; of several,
            each has its own prediction columns, which begin with its name.
        source: a table, a view, or a SELECT.
        target: a table; it is made where it is missing.
        key: what identifies a row; by default the source table's primary key.
        mode: ``upsert``, ``append``, ``update`` (the source table's own columns) or ``replace``.
        where: a condition on the source's rows, in its database's SQL: ``region = 'EU'``. With mode
            replace only the target's rows of this slice are replaced.
        params: values for the parameters of `where` and of a SELECT, which are written ``:day``.
        columns: passed through from the source to the target.
        lineage: columns of the target that say where a prediction comes from: True for all, or some
            of ``model``, ``version``, ``sha256``, ``run`` and ``time``.
        map: feature -> column, where their names differ.
        nulls: feature -> what a NULL becomes: ``auto``, ``error``, ``nan``, ``null``, or a value.
        types: a policy for all features, or feature -> policy, for numbers that the model's type
            does not hold: ``safe`` (the default) rounds floats, and takes only whole numbers for
            integers; ``exact`` takes neither; ``lossy`` takes the whole part, and counts it.
        constants: input -> its value, for inputs without a batch dimension: no column feeds them.
        incremental: a column that grows with each change; only rows past it are scored.
        lag: how far to stay behind its largest value (seconds for times), for late commits.
        only_new: only rows whose key the target does not have.
        rescore: ``"stale"``: only rows that the target has, with a lineage of another version than
            the models are now (after an alias moved).
        sync: in the end, predictions whose source row is gone are removed (mode upsert).
        finite: a prediction that is NaN or infinite is an error.
        quarantine: rows that cannot be scored are left out and kept with key and reason (see
            `Database.quarantine`); without it the first of them ends the run.
        max_bad: how many rows may be, before the run stops with `TooManyBadRows`: a number, or a
            share such as ``"1%"`` or 0.01.
        name: the job's; by default a hash of what it does. The same job after a kill resumes.
        restart, abandon: give an unfinished run up, to begin anew or to leave it.
        provider: ``cpu``, ``cuda``, ``openvino``, … of ONNX Runtime, or ``auto``: the fastest that
            is here, takes the model and agrees with the CPU. What ran is told in the run.
        provider_options: the provider's own options, in ONNX Runtime's words.
        without: optimisations to leave out, by name: ``projection`` reads every feature, also one
            that nothing in the model looks at.
        route: ``bridge``: rows come here, and ONNX Runtime scores them; ``push-down``: the models
            become SQL, and the database scores its own rows; ``auto``: the cheaper one of those
            that the job can take. What was taken, and why, is told in the run.
        limits: `Limits` of time, memory and speed, and how often it is tried again.
        source_db, target_db: where the source and the target are, if not here.

        Raises `SignatureError`, `RegistryError`, `DatabaseError`, `JobConflict`, `ProviderError`,
        and `RunStopped` where it was cancelled or its deadline passed; the run, where there was
        one, is the error's attribute ``run``.
        """
        job = arguments.job(
            models=models, source=source, target=target, key=key, mode=mode, where=where,
            params=params, columns=columns, lineage=lineage, map=map, nulls=nulls, types=types,
            constants=constants, incremental=incremental, lag=lag, only_new=only_new,
            rescore=rescore, sync=sync, finite=finite, quarantine=quarantine, max_bad=max_bad,
            provider=provider, provider_options=provider_options, without=without, route=route,
            name=name,
        )  # fmt: skip
        with Engines.opened(self.engine, source_db, target_db) as engines:
            return runs.start(
                job, engines, restart=restart, abandon=abandon, limits=limits,
                on_progress=on_progress,
            )  # fmt: skip

    def resume(
        self,
        run: str,
        *,
        limits: Limits | None = None,
        source_db: str | sa.URL | sa.Engine | None = None,
        target_db: str | sa.URL | sa.Engine | None = None,
        on_progress: Callable[[runs.Progress], None] | None = None,
    ) -> Run:
        """Go on with one unfinished run, by its id, or by how its id begins.

        The databases are those of the `score` that began it.
        """
        with Engines.opened(self.engine, source_db, target_db) as engines:
            return runs.resume(run, engines, limits=limits, on_progress=on_progress)

    def preview(
        self,
        models: str | Sequence[str],
        *,
        source: str,
        limit: int,
        key: str | Sequence[str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        columns: Sequence[str] = (),
        map: Mapping[str, str] | None = None,
        nulls: Mapping[str, Any] | None = None,
        types: str | Mapping[str, str] | None = None,
        constants: Mapping[str, Any] | None = None,
        provider: str = "cpu",
        provider_options: Mapping[str, str] | None = None,
        source_db: str | sa.URL | sa.Engine | None = None,
    ) -> pa.Table:
        """Score the first rows of a source and write them nowhere: key, columns, predictions."""
        job = arguments.job(
            models=models, source=source, target=_NOWHERE, key=key, where=where, params=params,
            columns=columns, map=map, nulls=nulls, types=types, constants=constants,
            provider=provider, provider_options=provider_options,
        )  # fmt: skip
        with Engines.opened(self.engine, source_db, None) as engines:
            return preview(prepare(job, engines), limit)

    def bind(
        self,
        models: str | Sequence[str],
        *,
        source: str,
        target: str | None = None,
        key: str | Sequence[str] | None = None,
        mode: str = "upsert",
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        columns: Sequence[str] = (),
        lineage: bool | str | Sequence[str] = (),
        map: Mapping[str, str] | None = None,
        nulls: Mapping[str, Any] | None = None,
        types: str | Mapping[str, str] | None = None,
        constants: Mapping[str, Any] | None = None,
        source_db: str | sa.URL | sa.Engine | None = None,
        target_db: str | sa.URL | sa.Engine | None = None,
    ) -> Bound:
        """What a run would read and write, without scoring: a dry run.

        Raises `SignatureError` with the nearest names for features that no column feeds.
        """
        job = arguments.job(
            models=models, source=source, target=target or _NOWHERE, key=key, mode=mode,
            where=where, params=params, columns=columns, lineage=lineage, map=map, nulls=nulls,
            types=types, constants=constants,
        )  # fmt: skip
        with Engines.opened(self.engine, source_db, target_db) as engines:
            return Bound.of(ranged(prepare(job, engines)), product_for(engines.target))
