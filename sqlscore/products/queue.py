"""How a product's queue is put there and served: what differs between products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine, TextClause

    from sqlscore.types import Column


class NoRoom(DatabaseError):
    """The server takes no model inside it; where it takes a queue, that is put there instead."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One product's. Its tables are those of `worker.queue_tables`, made by its script."""

    #: make it or upgrade it
    install: Callable[[Engine], None]
    #: what `install` would run, for a person, after the statements that make the owned tables
    install_sql: Callable[[Engine, Sequence[str]], str]
    #: a column of a caller's query as its job describes it; of the type null where only its values
    #: tell the type
    column: Callable[[Any], Column]
    #: gives what waits for a new job, for so many seconds at most
    bell: Callable[[Engine], AbstractContextManager[Callable[[float], None]]]
    #: who may call, use which model, and work, in the product's own words
    advice: str
    #: statements that begin each of a worker's transactions, and hold in it alone
    begins: tuple[str, ...] = ()
    #: what takes a part, and what gives one back, where one statement that is a transaction does it
    take: TextClause | None = None
    give: TextClause | None = None
    #: predictions are stored as an array for each row, which the product joins best; else for each
    #: prediction
    by_row: bool = False
