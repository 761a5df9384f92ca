"""The face of one database: its models, and the jobs that score its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

import sqlscore
from sqlscore import layout
from sqlscore.errors import DatabaseError, JobConflict
from sqlscore.forking import after_fork
from sqlscore.jobs import run as runs
from sqlscore.jobs.brake import cancel_here
from sqlscore.jobs.cleaning import Cleaned, clean
from sqlscore.jobs.engines import Engines
from sqlscore.jobs.gate import allowed
from sqlscore.jobs.holders import as_they_are
from sqlscore.jobs.job import Job, Lineage, Mode
from sqlscore.jobs.planning import range_rows
from sqlscore.jobs.prepare import prepare
from sqlscore.jobs.records import Records
from sqlscore.jobs.scorer import preview
from sqlscore.jobs.status import STOPPABLE, Run
from sqlscore.jobs.work import Work
from sqlscore.model.compiling import statements
from sqlscore.model.forms import Form
from sqlscore.model.installing import install
from sqlscore.model.models import Models
from sqlscore.optimisations import optimisations
from sqlscore.plan import Wishes
from sqlscore.predictor.constants import plain
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.type_rules import named_rules
from sqlscore.products import disconnected, engine_for, product_for
from sqlscore.prove import runtime_version
from sqlscore.registry import Registry
from sqlscore.relations import source as sources
from sqlscore.relations.ranges import encoded
from sqlscore.statements.face import Statements
from sqlscore.tables import now, opened, placed, placed_like
from sqlscore.transact import transact

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from sqlscore.jobs.limits import Limits
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.quarantine import Quarantined
    from sqlscore.products.product import Routines, Unit
    from sqlscore.statements.explaining import Explanation
    from sqlscore.statements.results import Result
    from sqlscore.tables import Tables


T = TypeVar("T")


def connect(url: str | sa.URL | sa.Engine, *, schema: str | None = None) -> Database:
    """A database by its SQLAlchemy URL, or over an Engine of the caller's.

    schema: where sqlscore's own tables are; their prefix where the product has no schemas. By
        default the URL's parameter ``sqlscore_schema``, else the environment variable
        ``SQLSCORE_SCHEMA``, else ``sqlscore``.

    Nothing is connected or created before it is needed. Raises `DatabaseError` for what is no URL,
    `MissingExtra` where the driver is not installed.
    """
    engine = url if isinstance(url, sa.Engine) else engine_for(url)
    return Database(engine if schema is None else placed(engine, schema))


class Database:
    """One database, with the models that it keeps and the runs that it saw."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = after_fork(engine, disconnected)
        self.product = product_for(engine)

    @property
    def url(self) -> str:
        """The URL, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @cached_property
    def models(self) -> Models:
        """The models that this database keeps, by name."""
        return Models(Registry(self.engine, self.product))

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
        params: values for the parameters of `where`, which are written ``:day``.
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
        limits: `Limits` of time, memory and speed, and how often it is tried again.
        source_db, target_db: where the source and the target are, if not here.

        Raises `SignatureError`, `RegistryError`, `DatabaseError`, `JobConflict`, `ProviderError`,
        and `RunStopped` where it was cancelled or its deadline passed; the run, where there was
        one, is the error's attribute ``run``.
        """
        job = Job(
            models=_names(models), source=source, target=target, key=_names(key),
            mode=Mode.of(mode), where=where, params=_params(params), columns=tuple(columns),
            lineage=Lineage.of(lineage), map=dict(map or {}), nulls=_policies(nulls),
            types=_types(types),
            constants=plain(constants or {}),
            incremental=incremental, lag_seconds=_seconds(lag), only_new=only_new,
            rescore=rescore, sync=sync, finite=finite, quarantine=quarantine,
            max_bad=allowed(max_bad), provider=provider,
            provider_options=dict(provider_options or {}), name=name, without=_left_out(without),
        )  # fmt: skip
        with _engines(self, source_db, target_db) as engines:
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
        with _engines(self, source_db, target_db) as engines:
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
        job = Job(
            models=_names(models), source=source, target=_NOWHERE, key=_names(key),
            where=where, params=_params(params), map=dict(map or {}), columns=tuple(columns),
            nulls=_policies(nulls), types=_types(types), constants=plain(constants or {}),
            provider=provider, provider_options=dict(provider_options or {}),
        )  # fmt: skip
        with _engines(self, source_db, None) as engines:
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
        job = Job(
            models=_names(models), source=source, target=target or _NOWHERE, key=_names(key),
            mode=Mode.of(mode), where=where, params=_params(params), columns=tuple(columns),
            lineage=Lineage.of(lineage), map=dict(map or {}), nulls=_policies(nulls),
            types=_types(types),
            constants=plain(constants or {}),
        )  # fmt: skip
        with _engines(self, source_db, target_db) as engines:
            return Bound.of(prepare(job, engines))

    def sql(self, text: str, *, route: str = "bridge", without: str | Sequence[str] = ()) -> Result:
        """Run a T-SQL script, with PREDICT in it or without; the rows of its last SELECT.

        What writes has run when this returns, each statement as a transaction of its own. A SELECT
        that ends the script runs when its rows are read: once, as batches, Arrow, pandas or polars.
        Rows of SELECTs before it are in its `earlier`, what was printed in its `messages`. On
        databases other than SQL Server the statements around PREDICT are translated.

        route: where models run: ``bridge``, here, as ONNX Runtime has it; or ``push-down``, in the
            database, as SQL, where each model has such a form: else a `StatementError` says why.
        without: optimisations to leave out, by name: ``projection`` (see the docs' performance).

        Raises `StatementError` with line and column for what cannot be understood, bound or run.
        """
        return self._statements.run(text, Wishes.of(route, without))

    def explain(
        self,
        text: str,
        *,
        analyze: bool = False,
        route: str = "bridge",
        without: str | Sequence[str] = (),
    ) -> Explanation:
        """The plan of a statement, which prints as a tree; DECLARE and SET may stand before it.

        Says for each PREDICT which route its rows go and why, what is read, and the rewritten SQL.
        No row is scored and nothing is written, unless `analyze` runs it, to tell rows and times.
        """
        return self._statements.explain(text, Wishes.of(route, without), analyze=analyze)

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """One transaction for the statements inside: they see each other's rows before the commit.

        Gives the connection, on which the caller's own statements belong to the transaction too.
        An error that leaves the block rolls all of it back. Rows must be read inside.
        """
        return self._statements.begin()

    @cached_property
    def _statements(self) -> Statements:
        return Statements(self.engine, self.product)

    def runs(self, limit: int | None = 20) -> list[Run]:
        """The newest runs first; those that run now show how far they are."""
        return self._runs(lambda records, unit: records.list(unit, limit=limit))

    def run(self, id: str) -> Run:
        """One run, by its id or by how its id begins. `JobConflict` if there is none."""
        found = self._runs(lambda records, unit: [records.one(unit, id)])
        if not found:
            raise JobConflict(f"there is no run {id!r}: this database has seen none")
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

    def init(self, *, grants: bool | Mapping[str, str] = False, dry_run: bool = False) -> list[str]:
        """Make or upgrade sqlscore's own tables, and grant rights on them; the SQL that was run.

        They are made when they are first needed, too; this is for who wants to see it.
        grants: ``{"job": "etl", "models": "analysts", "reader": "dashboards"}``, roles that exist;
            True for sqlscore_job, sqlscore_models and sqlscore_reader.
        dry_run: only say what would be run.
        """
        roles = grants if isinstance(grants, Mapping) else (layout.ROLES if grants else {})
        act = layout.script if dry_run else layout.make
        return act(self.engine, self.product, roles)

    def upgrade(self, *, dry_run: bool = False) -> list[str]:
        """Bring sqlscore's own tables to the layout of this version; the SQL that was run.

        `DatabaseError` where there are none, or of a newer layout.
        """
        layout.refuse_absent(self.engine, self.product)
        return self.init(dry_run=dry_run)

    def cancel(self, run: str) -> Run:
        """Ask a run to stop, in whatever process it is; it does before its next batch.

        What it has committed stays, and it can be resumed. `JobConflict` where nothing runs.
        """
        found = self.run(run)
        if found.status not in STOPPABLE:
            raise JobConflict(
                f"run {found.id} is {found.status}: nothing of it runs that could be stopped"
            )
        if not cancel_here(found.id):
            self._asked(lambda tables, unit: _cancelled(tables, unit, found.id))
        return self.run(found.id)

    def install(self, *, python_path: Sequence[str] = ()) -> dict[str, Any]:
        """Put the functions into the database, or upgrade them; what runs them there.

        python_path: folders on the server's machine that have the package sqlscore, for the Python
            of PL/Python; by default those of this process.

        The owned tables are made first. `DatabaseError` where the product takes no functions, and
        for what is missing on the server, with what to do.
        """
        routines = self._routines()
        self.init()
        versions = {"sqlscore": sqlscore.__version__, "onnxruntime": runtime_version()}
        return routines.install(self.engine, python_path, versions)

    def install_model(
        self,
        model: str,
        *,
        form: str = "view",
        table: str | None = None,
        key: str | Sequence[str] = (),
        map: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> tuple[str, ...]:
        """Compile a model and put it into the database; the names of what is there now.

        form: ``view`` (the key and the predictions of a table), ``function`` or ``procedure``; see
            `sqlscore.compile`.

        It keeps the version that it was made of, wherever an alias points later. What sqlscore
        compiled before under the same name is replaced, anything else is a `DatabaseError`; so is a
        form that the product does not take. PushdownUnsupported where the model has no SQL form.
        """
        compiled = statements(
            self.models[model], dialect=self.product.dialect, table=table or "data", key=key,
            map=map, form=form, name=name,
        )  # fmt: skip
        chosen = Form.of(form)
        if table is None and chosen is not Form.FUNCTION:
            raise DatabaseError(f"a {chosen} needs a table: the rows that it scores")
        return install(self.engine, self.product, compiled, chosen)

    def uninstall(self, *, purge: bool = False) -> None:
        """Take the functions away. Models and runs stay, unless `purge`.

        `DatabaseError` that names what depends on them.
        """
        self._routines().uninstall(self.engine, purge=purge)

    def _routines(self) -> Routines:
        if self.product.routines is None:
            raise DatabaseError(
                f"nothing can be installed inside {self.product.name}. SQLite and DuckDB take "
                "functions on an open connection: sqlscore.attach(connection)"
            )
        return self.product.routines()

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

    def close(self) -> None:
        """Close the connections that are held."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"sqlscore.connect({self.url!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundColumn:
    """One feature of a model and the column that it takes."""

    model: str  #: as typed
    feature: str
    column: str
    cast: str  #: ``numeric(10,2) -> double -> float``
    nulls: str  #: the policy as it works: ``nan``, ``null``, ``error``, ``=value``; or ``not read``


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What a run would read and write."""

    source: str
    target: str
    target_exists: bool
    key: tuple[str, ...]
    features: tuple[BoundColumn, ...]
    predictions: tuple[tuple[str, str, str], ...]  #: prediction, column, the column's type
    by_position: bool  #: an unnamed block: the columns are taken in their order
    ranges: int | None  #: None: the SELECT is evaluated once, into a staging table, and then cut
    rows: int | None  #: about

    @classmethod
    def of(cls, prepared: Prepared) -> Bound:
        """What a prepared job binds; its rows are counted, and none is read."""
        ranges = rows = None
        if prepared.source.repeatable:
            size = range_rows(prepared)
            source, key, where = prepared.source, prepared.key, prepared.where
            found = sources.ranges_of(source, key, rows=size, where=where)
            ranges = len(found)
            rows = (ranges - 1) * size + sources.count(source, key, found[-1], where)
        return cls(
            source=prepared.job.source, target=prepared.target.table.fullname,
            target_exists=prepared.exists, key=tuple(column.name for column in prepared.key),
            features=tuple(_features(prepared)), predictions=tuple(_predictions(prepared)),
            by_position=any(model.binding.by_position for model in prepared.models),
            ranges=ranges, rows=rows,
        )  # fmt: skip


def _features(prepared: Prepared) -> Iterator[BoundColumn]:
    for model in prepared.models:
        for bound in model.binding.features:
            policy = NullPolicy.of(prepared.job.nulls.get(bound.feature.name, "auto"))
            yield BoundColumn(
                model=model.spec, feature=bound.feature.name, column=bound.column.name,
                cast=bound.cast, nulls=str(policy.resolved(bound.feature)),
            )  # fmt: skip
        for bound in model.binding.idle:
            yield BoundColumn(
                model=model.spec, feature=bound.feature.name, column=bound.column.name,
                cast=bound.cast, nulls="not read",
            )  # fmt: skip


def _predictions(prepared: Prepared) -> Iterator[tuple[str, str, str]]:
    declared = {column.name: column.declared or "" for column in prepared.wanted.predictions}
    for model in prepared.models:
        for bound in model.binding.predictions:
            yield bound.prediction.name, bound.column, declared[bound.column]


_NOWHERE = "sqlscore_nowhere"  #: a table that is designed and never made


def _cancelled(tables: Tables, unit: Unit, run: str) -> None:
    Records(tables).cancel(unit, run)
    unit.commit()


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _left_out(without: str | Sequence[str]) -> tuple[str, ...]:
    """The names of optimisations that are left out, checked."""
    optimisations(without)
    return (without,) if isinstance(without, str) else tuple(without)


def _policies(nulls: Mapping[str, Any] | None) -> dict[str, str]:
    """NULL policies as text, in which they are stored with a run."""
    return {name: str(NullPolicy.of(policy)) for name, policy in (nulls or {}).items()}


def _types(given: str | Mapping[str, str] | None) -> dict[str, str]:
    """Policies of types as text, by feature."""
    return {name: str(rule) for name, rule in named_rules(given).items()}


def _params(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters as they are stored with a run."""
    return {name: encoded(value) for name, value in (given or {}).items()}


def _seconds(lag: timedelta | float | None) -> float:
    return lag.total_seconds() if isinstance(lag, timedelta) else float(lag or 0)


@contextmanager
def _engines(
    database: Database,
    source: str | sa.URL | sa.Engine | None,
    target: str | sa.URL | sa.Engine | None,
) -> Iterator[Engines]:
    """The engines of a job; those made here for a URL are disposed of after it."""
    with ExitStack() as stack:

        def engine(given: str | sa.URL | sa.Engine | None) -> sa.Engine:
            if given is None or isinstance(given, sa.Engine):
                return database.engine if given is None else given
            made = placed_like(engine_for(given), database.engine)
            if made.url == database.engine.url and made.url.database not in (None, "", ":memory:"):
                return database.engine
            stack.callback(made.dispose)
            return made

        yield Engines(registry=database.engine, source=engine(source), target=engine(target))
