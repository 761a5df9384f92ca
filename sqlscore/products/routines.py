"""What a product takes inside itself: functions and procedures, and the models that they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Engine


class Ready(Protocol):
    """One version of a model, ready to run without this package."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def graph(self) -> bytes: ...
    @property
    def features(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def predictions(self) -> tuple[tuple[str, str, bool], ...]: ...
    @property
    def signature(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Routines:
    """Functions and procedures that a product takes inside itself."""

    #: make or upgrade them, with folders of Python packages for the server and the versions that
    #: packages must have there; what it runs. `NoRoom` where the server runs no Python
    install: Callable[[Engine, Sequence[str], Mapping[str, str]], dict[str, Any]]
    #: what `install` would run, for a person with the product's own client, after the statements
    #: that make the owned tables; the folders are those of `install`
    install_sql: Callable[[Engine, Sequence[str], Sequence[str]], str]
    #: take them away, with ``purge=True`` the owned tables too
    uninstall: Callable[..., None]
    #: what `uninstall` would run
    uninstall_sql: Callable[..., str]
    #: who may call, and use which model, in the product's own words
    advice: str
    #: store versions that run there without this package; None: the product's functions have it
    keep: Callable[[Engine, Sequence[Ready]], None] | None = None
