"""Statements that score in the words of other databases, as the T-SQL that they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.errors import StatementError, nearest
from sqlscore.predict import script
from sqlscore.predict.doors import bigquery, oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.predict.statements import Batch

#: the dialect that a user names -> what reads a text of it
DIALECTS: dict[str, Callable[[str], tuple[Batch, ...]]] = {
    "tsql": script.read,
    "bigquery": bigquery.read,
    "oracle": oracle.read,
}


def read(text: str, dialect: str) -> tuple[Batch, ...]:
    """The statements of a text. `StatementError` for what is not understood, or another dialect."""
    if dialect not in DIALECTS:
        near = nearest(dialect, list(DIALECTS))
        raise StatementError(
            f"there is no dialect {dialect!r}.{near} Dialects are: {', '.join(DIALECTS)}"
        )
    return DIALECTS[dialect](text)
