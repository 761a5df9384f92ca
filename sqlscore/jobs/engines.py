"""The databases of a run: its models, its rows and its predictions may lie in three."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.products import engine_beside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlscore.jobs.job import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """The three databases of a run, usually one."""

    registry: sa.Engine
    source: sa.Engine
    target: sa.Engine  #: holds the run's marks, lease and staging too

    @classmethod
    def one(cls, engine: sa.Engine) -> Engines:
        """All three in one."""
        return cls(registry=engine, source=engine, target=engine)

    @classmethod
    @contextmanager
    def opened(
        cls,
        here: sa.Engine,
        source: str | sa.URL | sa.Engine | None,
        target: str | sa.URL | sa.Engine | None,
    ) -> Iterator[Engines]:
        """The engines of a job whose models are here; those made for a URL are disposed of."""
        with ExitStack() as stack:

            def engine(given: str | sa.URL | sa.Engine | None) -> sa.Engine:
                if given is None or isinstance(given, sa.Engine):
                    return here if given is None else given
                made = engine_beside(given, here)
                if made.url == here.url and made.url.database not in (None, "", ":memory:"):
                    return here
                stack.callback(made.dispose)
                return made

            yield cls(registry=here, source=engine(source), target=engine(target))

    def placed(self, job: Job) -> Job:
        """The job with the databases of its source and models, where they are not the target's."""
        return dataclasses.replace(
            job, source_db=self._other(self.source), registry_db=self._other(self.registry)
        )

    def _other(self, engine: sa.Engine) -> str | None:
        return None if engine is self.target else engine.url.render_as_string(hide_password=True)
