"""One short transaction on the owned tables, tried again where another one got in its way.

Products differ in how they say so: PostgreSQL waits or reports a serialization failure, MariaDB a
deadlock, SQLite that the file is locked, DuckDB a conflict, at the statement or at the commit. All
of it is answered the same way: roll back, wait a little, do the whole transaction again.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from sqlscore.transports.failures import database_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Engine

    from sqlscore.errors import DatabaseError

T = TypeVar("T")

TRIES = 12  #: with waits that grow up to a second: about five seconds in all
_LONGEST_WAIT = 1.0  #: seconds

#: codes that say "another transaction was first": SQLSTATE, MariaDB's number, SQLite's name
_IN_THE_WAY = {
    "40001": "serialization failure",
    "40P01": "deadlock",
    "55P03": "lock not available",
    "42P06": "another one made the schema",
    "42701": "another one made the column",
    "42P07": "another one made the table",
    "1020": "record has changed since last read",
    "1050": "another one made the table",
    "1060": "another one made the column",
    "1205": "lock wait timeout",
    "1213": "deadlock",
    "1222": "lock request time out",
    "2714": "another one made the table",
    "2759": "another one made the schema",
    "1684": "another one is changing the table",
    "SQLITE_BUSY": "the file is locked",
    "SQLITE_BUSY_SNAPSHOT": "the file was written since it was read",
    "SQLITE_LOCKED": "a table is locked by another connection of this process",
    "SQLITE_LOCKED_SHAREDCACHE": "a table is locked in the shared cache",
}


def transact(engine: Engine, work: Callable[[], T], doing: str, *, also: Collection[str] = ()) -> T:
    """What `work` returns; it opens and commits one transaction, and may be called again.

    `also` are further codes that say that another transaction was first. Raises DatabaseError (with
    `doing` in its message) for what trying again does not mend.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except DBAPIError as error:
            failure = database_error(error, doing, engine.url)
            again = failure.code in also or _in_the_way(error, failure)
            if attempt == TRIES or not again:
                raise failure from error
        time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.01 * 2**attempt)))
    raise AssertionError("unreachable")


def _in_the_way(error: DBAPIError, failure: DatabaseError) -> bool:
    return (
        # every constraint of the owned tables is a primary key: another one took the number
        isinstance(error, IntegrityError)
        or failure.code in _IN_THE_WAY
        or type(error.orig).__name__ == "TransactionException"  # DuckDB gives no codes
        or "already exists" in str(failure)  # SQLite and DuckDB: another one made the table
    )
