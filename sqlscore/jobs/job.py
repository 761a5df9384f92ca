"""A job: what is to be scored. Its identity decides between a new run and a resumed one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlscore.errors import JobConflict, SqlscoreError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Mode(StrEnum):
    """What a run does with the rows that the target has."""

    UPSERT = "upsert"  #: rows with a key that is there get new values, the others are added
    APPEND = "append"  #: rows are added; a key that is there is an error
    UPDATE = "update"  #: columns of the source table itself get the predictions
    REPLACE = "replace"  #: the target holds the new rows in the end, and the old ones until then

    @classmethod
    def of(cls, name: str) -> Mode:
        """The mode of that name; `SqlscoreError` for any other."""
        if name not in list(cls):
            raise SqlscoreError(
                f"{name!r} is no mode.{nearest(name, map(str, cls))} There are: {', '.join(cls)}"
            )
        return cls(name)


class Lineage(StrEnum):
    """What a target can be told of where its rows come from."""

    MODEL = "model"  #: the model's name
    VERSION = "version"  #: its number
    SHA256 = "sha256"  #: of the model's bytes
    RUN = "run"  #: the run's id
    TIME = "time"  #: when the run began, UTC

    @classmethod
    def of(cls, given: bool | str | Sequence[str] | None) -> tuple[Lineage, ...]:
        """What a caller asks for: all of it (True, ``all``), some by name, or nothing."""
        if not given:
            return ()
        names = (given,) if isinstance(given, str) else given
        if names is True:
            return tuple(cls)
        for name in names:
            if name not in (*cls, "all"):
                raise SqlscoreError(
                    f"lineage= has no {name!r}.{nearest(name, cls)} There are: "
                    f"{', '.join(cls)}; or all"
                )
        return tuple(one for one in cls if one in names or "all" in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One source, one target, one or more models."""

    models: tuple[str, ...]  #: as typed: ``churn``, ``churn:3``, ``churn@production``
    source: str  #: a table, a view, or a SELECT
    target: str
    key: tuple[str, ...] = ()  #: empty: the source table's primary key
    mode: Mode = Mode.UPSERT
    where: str | None = None  #: a condition on the source's rows; None: all of them
    params: Mapping[str, Any] = field(default_factory=dict)  #: its parameters, as `encoded`
    columns: tuple[str, ...] = ()  #: passed through from the source to the target
    lineage: tuple[str, ...] = ()  #: kinds of lineage columns that the target gets
    map: Mapping[str, str] = field(default_factory=dict)  #: feature -> column, where names differ
    nulls: Mapping[str, Any] = field(default_factory=dict)  #: feature -> NULL policy
    types: Mapping[str, str] = field(default_factory=dict)  #: feature, or ``*`` -> type policy
    constants: Mapping[str, Any] = field(default_factory=dict)  #: input -> its value for all rows
    incremental: str | None = None  #: the watermark's column: only rows past it are read
    lag_seconds: float = 0.0  #: how far behind the newest watermark a run stays, for late commits
    only_new: bool = False  #: only rows whose key the target has not
    rescore: str | None = None  #: ``stale``: only rows whose lineage says another version
    sync: bool = False  #: predictions whose source row is gone are removed
    source_db: str | None = None  #: the source's database, without a password; None: the target's
    registry_db: str | None = None  #: the models' database, likewise
    finite: bool = False  #: a prediction that is NaN or infinite is an error, or a bad row
    quarantine: bool = False  #: rows that cannot be scored are left out, and kept with the reason
    max_bad: str | None = None  #: how many: a number of rows, or ``1%``; None: any number
    provider: str = "cpu"
    provider_options: Mapping[str, str] = field(default_factory=dict)  #: in ONNX Runtime's words
    without: tuple[str, ...] = ()  #: optimisations that are left out
    route: str = "bridge"  #: where the models run: ``bridge``, ``push-down`` or ``auto``
    name: str | None = None

    @property
    def identity(self) -> str:
        """The job's name, or the hash of what it does."""
        return self.name or self.fingerprint

    @property
    def fingerprint(self) -> str:
        """A hash of source, target, key, models as typed, mode and columns: of what is written."""
        parts = (
            self.source, self.target, self.key, self.models, self.mode, self.columns,
            sorted(self.map.items()), sorted(self.nulls.items()), self.incremental, self.only_new,
            self.source_db, self.registry_db,
        )  # fmt: skip
        # what came later counts where it is used: the jobs of before stay the same jobs
        later = [(name, value) for name, value in self._later().items() if value]
        said = json.dumps([*parts, *later], default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def _later(self) -> dict[str, Any]:
        return {
            "where": self.where, "params": sorted(self.params.items()), "lineage": self.lineage,
            "rescore": self.rescore, "sync": self.sync, "constants": sorted(self.constants.items()),
            "finite": self.finite, "types": sorted(self.types.items()),
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """As plain values, from which `from_json` makes an equal job."""
        return {**dataclasses.asdict(self), "mode": str(self.mode)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Job:
        """The job that `to_json` wrote."""
        names = ("models", "key", "columns", "lineage", "without")
        tuples = {name: tuple(values.get(name, ())) for name in names}
        return cls(**{**values, **tuples, "mode": Mode(values["mode"])})

    def refuse_other(self, stored: Job) -> None:
        """Raise `JobConflict` if an unfinished run of this job's name does something else."""
        pairs = {
            item.name: (getattr(stored, item.name), getattr(self, item.name))
            for item in dataclasses.fields(Job)
            if item.name not in _FREE
        }
        differing = [
            f"{name}: {before!r} then, {now!r} now"
            for name, (before, now) in pairs.items()
            if before != now
        ]
        if differing:
            raise JobConflict(
                f"an unfinished run of job {self.identity!r} began otherwise: "
                f"{'; '.join(differing)}. Finish it as it began, or give it up: --restart"
            )


#: what a resumed run may change: how fast it runs and whether bad rows stop it, not what it writes
_FREE = {"provider", "provider_options", "lag_seconds", "quarantine", "max_bad", "without"}
