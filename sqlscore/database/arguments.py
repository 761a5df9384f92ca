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
    from collections.abc import Callable, Mapping, Sequence


def job(**given: Any) -> Job:
    """The job of `Database.score`'s arguments, by name; for those left out its own defaults hold.

    Raises `SqlscoreError` for a word that nothing knows.
    """
    lag = given.pop("lag", None)
    kept = {name: _KEPT[name](value) if name in _KEPT else value for name, value in given.items()}
    return Job(lag_seconds=_seconds(lag), **kept)


def names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name, some, or none, as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _seconds(lag: timedelta | float | None) -> float:
    """A lag in seconds, or as much of another number."""
    return lag.total_seconds() if isinstance(lag, timedelta) else float(lag or 0)


def _params(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: encoded(value) for name, value in (given or {}).items()}


def _nulls(given: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(NullPolicy.of(policy)) for name, policy in (given or {}).items()}


def _types(given: str | Mapping[str, str] | None) -> dict[str, str]:
    return {name: str(rule) for name, rule in named_rules(given).items()}


def _constants(given: Mapping[str, Any] | None) -> Any:
    return plain(given or {})


def _mapping(given: Mapping[str, str] | None) -> dict[str, str]:
    return dict(given or {})


def _without(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names of optimisations that are left out, checked."""
    optimisations(given)
    return names(given)


def _route(given: str) -> str:
    return str(route_named(given))


#: argument -> what a job keeps of it, where that is not the value itself
_KEPT: dict[str, Callable[[Any], Any]] = {
    "models": names, "key": names, "mode": Mode.of, "params": _params, "columns": tuple,
    "lineage": Lineage.of, "map": _mapping, "nulls": _nulls, "types": _types,
    "constants": _constants, "max_bad": allowed, "provider": known, "provider_options": _mapping,
    "without": _without, "route": _route,
}  # fmt: skip
