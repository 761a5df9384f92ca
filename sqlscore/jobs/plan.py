"""A run's plan, as it is stored: what a resume needs to go on as the run began."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore.jobs.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a resume needs to go on as the run began, beside the ranges."""

    job: Job
    versions: tuple[str, ...]  #: exact: ``churn:3``
    sha256: tuple[str, ...]
    features: tuple[Mapping[str, str], ...]  #: for each model: feature -> column
    written: tuple[str, ...]  #: the target's columns that are written, in their order
    total: int | None = None
    staging: str | None = None  #: table that took the rows of a SELECT that can't be asked twice
    staged: str | None = None  #: table that is to take the target's place
    made: tuple[str, ...] = ()  #: the target's columns, if sqlscore made it: it may be swapped
    chosen: bool = False  #: the source's columns were named one by one
    watermark: Mapping[str, Any] | None = None  #: column, low and high as stored text, NULLs
    key: tuple[str, ...] = ()  #: the target's columns that hold the key
    keys: str | None = None  #: table that takes the source's keys, if it is in another database
    providers: tuple[str, ...] = ()  #: for each model: what was taken, and why; none: the CPU
    removed: int = 0  #: rows of the target whose source row is gone
    route: str = "bridge"  #: where the models run: never ``auto``
    because: tuple[str, ...] = ()  #: why there, where that was chosen

    def to_json(self) -> str:
        """As JSON text, from which `from_json` makes an equal plan."""
        return json.dumps({**dataclasses.asdict(self), "job": self.job.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote."""
        values = json.loads(text)
        tuples = (
            "versions",
            "sha256",
            "features",
            "written",
            "made",
            "key",
            "providers",
            "because",
        )
        values |= {name: tuple(values.get(name, ())) for name in tuples}
        return cls(**{**values, "job": Job.from_json(values["job"])})


_TUPLES = ("versions", "sha256", "features", "written", "made", "key", "providers", "because")
