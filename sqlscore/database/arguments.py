"""What callers write in their own way, in the one way in which a job keeps it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlscore.jobs.gate import allowed
from sqlscore.jobs.job import Job, Lineage, Mode
from sqlscore.optimisations import optimisations
from sqlscore.plan import route_named
from sqlscore.predictor.constants import plain
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.type_rules import named_rules
from sqlscore.relations.ranges import encoded
from sqlscore.session import known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def job(
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
    provider: str = "cpu",
    provider_options: Mapping[str, str] | None = None,
    without: str | Sequence[str] = (),
    route: str = "bridge",
) -> Job:
    """The job of `Database.score`'s arguments; `SqlscoreError` for a word that nothing knows."""
    return Job(
        models=names(models), source=source, target=target, key=names(key), mode=Mode.of(mode),
        where=where, params={n: encoded(value) for n, value in (params or {}).items()},
        columns=tuple(columns), lineage=Lineage.of(lineage), map=dict(map or {}),
        nulls={n: str(NullPolicy.of(policy)) for n, policy in (nulls or {}).items()},
        types={n: str(rule) for n, rule in named_rules(types).items()},
        constants=plain(constants or {}), incremental=incremental, lag_seconds=_seconds(lag),
        only_new=only_new, rescore=rescore, sync=sync, finite=finite, quarantine=quarantine,
        max_bad=allowed(max_bad), provider=known(provider),
        provider_options=dict(provider_options or {}), without=_without(without),
        route=str(route_named(route)), name=name,
    )  # fmt: skip


def names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name, some, or none, as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _seconds(lag: timedelta | float | None) -> float:
    """A lag in seconds, or as much of another number."""
    return lag.total_seconds() if isinstance(lag, timedelta) else float(lag or 0)


def _without(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names of optimisations that are left out, checked."""
    optimisations(given)
    return names(given)
