"""What sqlscore keeps inside a database: its own tables, functions, and compiled models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlscore import layout
from sqlscore.database.connected import Connected
from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.products.queue import NoRoom
from sqlscore.session import runtime_version
from sqlscore.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Engine

    from sqlscore.products.queue import Queue
    from sqlscore.products.routines import Ready, Routines
    from sqlscore.worker.serving import Worker


class Upkeep(Connected):
    """Makes, upgrades and takes away what is ours."""

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

    def install(self, *, python_path: Sequence[str] = (), queue: bool = False) -> dict[str, Any]:
        """Put the functions into the database, or upgrade them; what runs them there.

        python_path: folders on the server's machine that have the package sqlscore, for the Python
            of PL/Python; by default those of this process.
        queue: functions that put rows into a queue, which a `worker` serves, instead of those that
            run models inside the server; a server that cannot run any gets these unasked.

        The owned tables are made first. `DatabaseError` where the product takes no functions, and
        for what is missing on the server, with what to do.
        """
        routines = self.routines
        self.init()
        versions = {"sqlscore": VERSION, "onnxruntime": runtime_version()}
        if not queue:
            try:
                found = routines.install(self.engine, python_path, versions)
                self.models.note()
                return found | (self._prepare(routines.keep) if routines.keep else {})
            except NoRoom:
                if python_path or self.product.queue is None:
                    raise
        self.queue.install(self.engine)
        return {"queue": "served by: sqlscore worker", "sqlscore": VERSION}

    def install_sql(self, *, python_path: Sequence[str] = (), queue: bool = False) -> str:
        """What `install` would run, as one text for the database's own client; nothing is run.

        The tables' statements are those that are missing now. For who may not what it needs, and
        for who wants to read it first.
        """
        routines, tables = self.routines, self.init(dry_run=True)
        if not queue:
            try:
                return routines.install_sql(self.engine, python_path, tables)
            except NoRoom:
                if python_path or self.product.queue is None:
                    raise
        return self.queue.install_sql(self.engine, tables)

    def uninstall_sql(self, *, purge: bool = False) -> str:
        """What `uninstall` would run, as one text for the database's own client."""
        return self.routines.uninstall_sql(purge=purge)

    def worker(self, *, threads: int = 1, keep: timedelta = timedelta(days=1)) -> Worker:
        """A worker for the queue that `install` made: call its `serve`, or its `drain`.

        threads: how many parts of jobs are scored at a time.
        keep: how long the results of jobs stay after their end.

        `DatabaseError` where the product has no queue.
        """
        from sqlscore.worker.serving import Worker

        return Worker(
            self.engine, self.product, self.queue, self.models, threads=threads, keep=keep
        )

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
        from sqlscore.model.compiling import statements
        from sqlscore.model.forms import Form
        from sqlscore.model.installing import install

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
        self.routines.uninstall(self.engine, purge=purge)

    def _prepare(self, keep: Callable[[Engine, Sequence[Ready]], None]) -> dict[str, Any]:
        """Store every version as it runs inside; which, and why others were left out."""
        from sqlscore.model.preparing import prepared

        ready, left_out = [], {}
        for name in self.models:
            for version in self.models.versions(name):
                spec = str(version)
                try:
                    ready.append(prepared(self.models[spec]))
                except SqlscoreError as error:
                    left_out[spec] = str(error)
        keep(self.engine, ready)
        return {"models": [f"{one.name}:{one.version}" for one in ready], "left out": left_out}

    @property
    def queue(self) -> Queue:
        """How the product's queue is served; `DatabaseError` where there is none."""
        if self.product.queue is None:
            raise DatabaseError(f"there is no queue for {self.product.name}")
        return self.product.queue()

    @property
    def routines(self) -> Routines:
        """What the product takes inside itself; `DatabaseError` where it is nothing."""
        if self.product.routines is None:
            raise DatabaseError(
                f"nothing can be installed inside {self.product.name}. SQLite and DuckDB take "
                "functions on an open connection: sqlscore.attach(connection)"
            )
        return self.product.routines()
