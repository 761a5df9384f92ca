"""Every error that sqlscore raises on purpose, as one tree.

A message says what was wrong, where, and what to do about it. Errors of libraries are translated
once, at the border that owns the library, and stay reachable as ``__cause__``. No message ever
carries a password or the contents of a row.

    SqlscoreError
     ├─ ModelError            the file is no model that can run here
     │   └─ ProviderError     the execution provider asked for is not there, or refuses the model
     ├─ SignatureError        the caller's columns, names or types do not fit the model
     ├─ RegistryError         no such model, version or alias; or it is in use; or its bytes changed
     ├─ StatementError        a statement cannot be run as it is written; with line and column
     ├─ DatabaseError         the database refused, or cannot hold the promise that a run makes
     ├─ PushdownUnsupported   the model has no SQL form in this dialect
     ├─ TooManyBadRows        more rows cannot be scored than the run may leave out
     ├─ JobConflict           another run holds the target, or a resume does not match its run
     ├─ UnknownRun            no run has that id, or more than one begins with it
     ├─ RunStopped            a run was cancelled, or its deadline passed; it can be gone on with
     └─ MissingExtra          a package that an optional feature needs is not installed
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SqlscoreError(Exception):
    """The base of every error that sqlscore raises on purpose."""

    run: object = None  #: the `Run` that ended with this error, where there was one
    rows: tuple[int, ...] = ()  #: places in the batch, where some rows are wrong and others right
    line: int | None = None  #: in a script's whole text, from 1; None where no place is to blame
    column: int | None = None
    procedure: str | None = None  #: whose text the line is in, where it is not the script's

    def at_rows(self, rows: Iterable[int]) -> Self:
        """This error, which is about these places of the batch."""
        self.rows = tuple(map(int, rows))
        return self

    @property
    def message(self) -> str:
        """What was wrong, without the place."""
        return super().__str__()

    def __str__(self) -> str:
        """The place, where there is one, and what was wrong."""
        within = f"in the procedure {self.procedure}: " if self.procedure else ""
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        return f"{within}{place}{self.message}"


class ModelError(SqlscoreError):
    """The file is not an ONNX model that can run here."""


class ProviderError(ModelError):
    """The execution provider asked for is not available, or does not take this model."""


class SignatureError(SqlscoreError):
    """Columns, names or types do not fit what the model wants."""


class RegistryError(SqlscoreError):
    """A model, version or alias is missing, in use, or not what was stored."""


class StatementError(SqlscoreError):
    """A statement, or the script around it, cannot be run as it is written."""

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


class DatabaseError(SqlscoreError):
    """The database refused, or cannot keep the promise that was asked of it."""

    code: str | None = None  #: the database's own code, where it gave one: SQLSTATE or its number


class PushdownUnsupported(SqlscoreError):
    """The model cannot be written as SQL; `refusals` has every reason."""

    def __init__(self, refusals: Sequence[object]) -> None:
        self.refusals = tuple(refusals)
        reasons = "\n".join(f"  {refusal}" for refusal in self.refusals)
        super().__init__(
            f"the model has no SQL form:\n{reasons}\nScore it with 'sqlscore score' instead."
        )


class JobConflict(SqlscoreError):
    """Another run holds the target, or a resumed run is not the one that was started."""


class TooManyBadRows(SqlscoreError):
    """More rows cannot be scored than the run may leave out."""


class UnknownRun(SqlscoreError):
    """No run has that id, or more than one begins with it."""


class RunStopped(SqlscoreError):
    """A run was cancelled, or its deadline passed, before its end; it can be gone on with."""


class MissingExtra(SqlscoreError):
    """A package that an optional feature needs is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs a package that is not installed. Run: pip install 'sqlscore[{extra}]'"
        )
        self.extra = extra


def nearest(name: str, names: Iterable[str], most: int = 3) -> str:
    """The names most like `name`, as a clause to end a message with; empty where none is near."""
    by_fold = {n.casefold(): str(n) for n in names}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=most, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(by_fold[c]) for c in close)}?" if close else ""
