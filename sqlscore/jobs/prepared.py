"""A job as it is when all that it names was found: what every step of its run reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlscore.jobs.bound import BoundModel
    from sqlscore.jobs.job import Job
    from sqlscore.products.product import Target
    from sqlscore.relations.fitting import Wanted
    from sqlscore.relations.source import Condition, Source
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """All that a run needs to know before the first row is read."""

    job: Job
    source: Source
    key: tuple[Column, ...]
    passed: tuple[Column, ...]
    models: tuple[BoundModel, ...]
    wanted: Wanted
    target: Target
    where: Condition  #: the job's own condition on the source's rows
    exists: bool  #: the target is there already
