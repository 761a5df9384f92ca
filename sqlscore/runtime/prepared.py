"""Statements that a server process keeps prepared, and what else it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 64  #: of each kind that a process keeps; the one that came first goes first
_plans: dict[tuple[str, int], Any] = {}


def ask(plpy: Any, text: str, *values: str) -> Any:
    """The rows of one of our own statements, with texts for its parameters."""
    return plpy.execute(plan(plpy, text, ["pg_catalog.text"] * len(values)), list(values))


def plan(plpy: Any, text: str, types: Sequence[str]) -> Any:
    """The statement, prepared; the server sees to it that it is planned anew where that is due."""
    key = (text, len(types))
    if key not in _plans:
        keep(_plans, key, plpy.prepare(text, list(types)))
    return _plans[key]


def keep(kept: dict[Any, Any], key: object, value: object) -> None:
    """Keep one more, and no more than are useful: the first that came goes."""
    kept[key] = value
    if len(kept) > _MOST:
        del kept[next(iter(kept))]
