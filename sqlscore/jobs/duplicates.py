"""A key that is there already, where a run only adds rows: said with the mode that takes it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Write

if TYPE_CHECKING:
    from collections.abc import Iterator

#: codes of a key that is there already: SQLSTATE, MariaDB's number, SQL Server's, SQLite's
_DUPLICATE = {
    "23505",
    "1062",
    "2627",
    "2601",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_UNIQUE",
}


def is_duplicate(error: DatabaseError) -> bool:
    """Whether an error is about a key that is there already."""
    return error.code in _DUPLICATE or "duplicate key" in str(error).casefold()


@contextmanager
def named_modes(how: Write) -> Iterator[None]:
    """Say which mode takes a key that is there, where append does not."""
    try:
        yield
    except DatabaseError as error:
        if how is not Write.INSERT or not is_duplicate(error):
            raise
        told = DatabaseError(
            f"{error}. Mode append adds rows, and the target has a row with one of these keys: use "
            "mode upsert to give it the new values, or replace for all rows anew"
        )
        told.code = error.code
        raise told from error
