"""What an error looks like from outside: its exit code, its message, and never a password."""

from __future__ import annotations

import os
import re
import sys
import traceback
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sqlscore.cli import present
from sqlscore.errors import (
    DatabaseError,
    JobConflict,
    MissingExtra,
    ModelError,
    PushdownUnsupported,
    RegistryError,
    RunStopped,
    SignatureError,
    SqlscoreError,
    StatementError,
    TooManyBadRows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: what each error ends the process with: the first listed class in its line of descent
EXIT_CODES: dict[type[SqlscoreError], int] = {
    MissingExtra: 2,
    ModelError: 3,
    PushdownUnsupported: 3,
    SignatureError: 3,
    RegistryError: 3,
    DatabaseError: 4,
    JobConflict: 5,
    TooManyBadRows: 7,
    RunStopped: 8,
    SqlscoreError: 2,  # the rest: options that do not go together, unknown runs, missing files
}
USAGE = 2
QUARANTINED = 6  #: done, but rows were left out
INTERRUPTED = 130  #: as shells count: 128 + SIGINT


def exit_code(error: SqlscoreError) -> int:
    """The exit code for an error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def report(error: SqlscoreError, argv: Sequence[str]) -> int:
    """Say what went wrong: on stderr, or as the JSON document; the exit code."""
    code = exit_code(error)
    secrets = known_secrets(argv)
    message = without(str(error), secrets)
    if "--json" in argv:
        present.document({"error": described(error, message)})
    else:
        present.failure(message)
    if "--verbose" in argv:
        trace = "".join(traceback.format_exception(error))
        sys.stderr.write(without(trace, secrets))
    return code


def report_usage(error: Exception, argv: Sequence[str]) -> int:
    """Say what is wrong with the command line, as click found it; the exit code."""
    context = getattr(error, "ctx", None)
    format_message = getattr(error, "format_message", error.__str__)
    message = without(format_message(), passwords(argv)).replace("Value error, ", "")
    if "--json" in argv:
        said = {"kind": "UsageError", "message": message, "exit_code": USAGE}
        present.document({"error": said})
    else:
        command = context.command_path if context else "sqlscore"
        present.failure(message, hint=f"Try: {command} --help")
    return USAGE


def said(error: SqlscoreError) -> str:
    """The error's message, without any password that this process was given."""
    return without(str(error), known_secrets(sys.argv))


def described(error: SqlscoreError, message: str) -> dict[str, object]:
    """An error as a JSON object."""
    values: dict[str, object] = {
        "kind": type(error).__name__,
        "message": message,
        "exit_code": exit_code(error),
    }
    if isinstance(error, DatabaseError) and error.code:
        values["code"] = error.code
    if isinstance(error, StatementError) and error.line is not None:
        values |= {"line": error.line, "column": error.column}
    return values


_kept_out: set[str] = set()  # passwords that came by another way than a URL of the command line


def keep_out(secret: str) -> None:
    """Never print this text, whatever a driver's message holds."""
    _kept_out.add(secret)


def known_secrets(argv: Sequence[str]) -> set[str]:
    """The passwords that this process was given."""
    return _kept_out | passwords([*argv, os.environ.get("SQLSCORE_DB", "")])


def passwords(texts: Iterable[str]) -> set[str]:
    """The passwords in database URLs, as they are written and as they are meant."""
    found = set()
    for text in texts:
        for password in re.findall(r"://[^/@:\s]*:(.+)@", text):
            found |= {password, unquote(password)}
    return found


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by stars."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
