"""What a forked process must not use of its parent's: connections, sessions, locks.

Servers that fork their workers (gunicorn, Celery) often connect and load models before they do. A
child that went on with its parent's connections would mix its words into the parent's; so in each
child everything that registered here is made new, and what it had is left alone: to close it would
close it for the parent.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_renewals: weakref.WeakKeyDictionary[Any, Callable[[Any], object]] = weakref.WeakKeyDictionary()
_left: list[object] = []  #: in a child: the parent's, so that nothing closes it


def after_fork(thing: T, renew: Callable[[T], object]) -> T:
    """The thing; `renew` is called with it in each forked child, and gives what must be kept."""
    _renewals[thing] = renew
    return thing


def _renew_all() -> None:
    _left.extend(renew(thing) for thing, renew in list(_renewals.items()))


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew_all)
