"""The rows of a query with their predictions, in batches: for every function over rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from sqlscore.runtime.numbers import Numbers
from sqlscore.runtime.overlap import overlapped
from sqlscore.runtime.prepared import ask, keep
from sqlscore.runtime.queries import fetched
from sqlscore.runtime.signals import without_signals
from sqlscore.session.company import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from sqlscore.runtime.chosen import Chosen
    from sqlscore.runtime.general import General
    from sqlscore.runtime.records import Columns
    from sqlscore.runtime.taken import Taken

Result = TypeVar("Result")

#: how many processes more a query may have is a setting that every administrator knows
_MOST_WORKERS = (
    "SELECT pg_catalog.current_setting('max_parallel_workers_per_gather')::pg_catalog.int4 AS most"
)
_bound: dict[Any, Numbers | General] = {}


def bound_to(
    plpy: Any,
    chosen: Chosen,
    query: str,
    columns: Mapping[str, int],
    carry: tuple[str, ...] | None = None,
) -> Numbers | General:
    """The model bound to a query's columns, with those that feed no feature, or with `carry`."""
    key = (chosen.key, query, tuple(columns.items()), carry)
    if key not in _bound:
        found: Numbers | General | None = None
        if chosen.numeric is not None:
            found = Numbers.of(chosen.numeric, query, columns, plpy.quote_ident, carry)
        if found is None:
            found = general().General.of(plpy, chosen, query, columns, carry)
        keep(_bound, key, found)
    return _bound[key]


def scored(
    plpy: Any,
    bound: Numbers | General,
    then: Callable[[Columns], Result],
    params: Sequence[str | None] = (),
) -> Iterator[Result]:
    """What `then` makes of the rows of a query with their predictions, in batches."""
    rows = fetched(plpy, bound.text, params)
    return overlapped(
        rows, lambda taken: then(bound.score(taken)), threads=_threads(plpy), small=_small
    )


def general() -> ModuleType:
    """What scores all that is not plain: imported, with Arrow and onnx, when it is first needed."""
    with without_signals():
        from sqlscore.runtime import general as found
    return found


def _threads(plpy: Any) -> Callable[[], int]:
    """What tells how many threads may score for one call beside the server's own."""

    def allowed() -> int:
        most: int = ask(plpy, _MOST_WORKERS)[0]["most"]
        return max(1, min(most, len(os.sched_getaffinity(0))))

    return allowed


def _small(rows: Taken) -> bool:
    return len(rows) < MOST_ROWS
