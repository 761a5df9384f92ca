"""What callers write in their own way, in the one way in which a job keeps it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlscore.optimisations import optimisations
from sqlscore.plan import route_named
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.type_rules import named_rules
from sqlscore.relations.ranges import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name, some, or none, as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def nulls(given: Mapping[str, Any] | None) -> dict[str, str]:
    """NULL policies as text, in which they are stored with a run."""
    return {name: str(NullPolicy.of(policy)) for name, policy in (given or {}).items()}


def types(given: str | Mapping[str, str] | None) -> dict[str, str]:
    """Policies of types as text, by feature."""
    return {name: str(rule) for name, rule in named_rules(given).items()}


def params(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters as they are stored with a run."""
    return {name: encoded(value) for name, value in (given or {}).items()}


def seconds(lag: timedelta | float | None) -> float:
    """A lag in seconds, or as much of another number."""
    return lag.total_seconds() if isinstance(lag, timedelta) else float(lag or 0)


def route(given: str) -> str:
    """The name of a route, checked."""
    return str(route_named(given))


def without(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names of optimisations that are left out, checked."""
    optimisations(given)
    return (given,) if isinstance(given, str) else tuple(given)
