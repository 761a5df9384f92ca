"""What a script can ask of its own run: rows, transactions, the error that it caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.errors import SqlscoreError, StatementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.statements.transactions import Transactions

_SEVERITY = 16  #: of an error that says none
_OTHER = 50_000  #: @@ERROR where an error has no number of T-SQL's


class Raised(StatementError):
    """An error of the script's own, by THROW or RAISERROR."""

    def __init__(self, message: str, *, number: int, severity: int, state: int) -> None:
        super().__init__(message)
        self.number, self.severity, self.state = number, severity, state


class Session:
    """What @@ROWCOUNT, ERROR_MESSAGE() and their like tell, in one script."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions
        self.row_count = 0
        self.error = 0  #: @@ERROR: of the last statement
        self.caught: SqlscoreError | None = None  #: in a CATCH block

    def catch(self, error: SqlscoreError) -> None:
        """A CATCH block begins."""
        self.caught = error
        self.error = error.number if isinstance(error, Raised) else _OTHER

    def variable(self, name: str) -> int | None:
        """What ``@@name`` is worth; None where nobody here knows."""
        known = {
            "ROWCOUNT": self.row_count, "ERROR": self.error, "TRANCOUNT": self.transactions.count
        }  # fmt: skip
        return known.get(name)

    def function(self, name: str) -> Callable[[], tuple[str, str | int | None]] | None:
        """The type and value of a function that asks of the run; None where it is none."""
        if name == "XACT_STATE":
            return lambda: ("smallint", self.transactions.state)
        if name not in _OF_THE_ERROR:
            return None
        type_, told = _OF_THE_ERROR[name]
        return lambda: (type_, None if self.caught is None else told(self.caught))


def _raised(kind: str, otherwise: int | None) -> Callable[[SqlscoreError], int | None]:
    return lambda error: getattr(error, kind, otherwise)


#: function -> its type, and what it tells. A number of its own has what the script raised; those
#: of the database are not SQL Server's
_OF_THE_ERROR: dict[str, tuple[str, Callable[[SqlscoreError], str | int | None]]] = {
    "ERROR_MESSAGE": ("nvarchar", lambda error: error.message),
    "ERROR_NUMBER": ("int", _raised("number", None)),
    "ERROR_SEVERITY": ("int", _raised("severity", _SEVERITY)),
    "ERROR_STATE": ("int", _raised("state", 1)),
    "ERROR_LINE": ("int", lambda error: error.line),
    "ERROR_PROCEDURE": ("nvarchar", lambda error: error.procedure),
}
