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
    RegistryError,
    SignatureError,
    SqlscoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: what each error ends the process with: the first listed class in its line of descent
EXIT_CODES: dict[type[SqlscoreError], int] = {
    MissingExtra: 2,
    ModelError: 3,
    SignatureError: 3,
    RegistryError: 3,
    DatabaseError: 4,
    JobConflict: 5,
    SqlscoreError: 2,  # the rest: options that do not go together, files that are not there
}
USAGE = 2
INTERRUPTED = 130  #: as shells count: 128 + SIGINT


def exit_code(error: SqlscoreError) -> int:
    """The exit code for an error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def report(error: SqlscoreError, argv: Sequence[str]) -> int:
    """Say what went wrong: on stderr, or as the JSON document; the exit code."""
    code = exit_code(error)
    secrets = passwords([*argv, os.environ.get("SQLSCORE_DB", "")])
    message = without(str(error), secrets)
    if "--json" in argv:
        present.document({"error": _described(error, message, code)})
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
    message = without(format_message(), passwords(argv))
    if "--json" in argv:
        said = {"kind": "UsageError", "message": message, "exit_code": USAGE}
        present.document({"error": said})
    else:
        command = context.command_path if context else "sqlscore"
        present.failure(message, hint=f"Try: {command} --help")
    return USAGE


def _described(error: SqlscoreError, message: str, code: int) -> dict[str, object]:
    described: dict[str, object] = {
        "kind": type(error).__name__,
        "message": message,
        "exit_code": code,
    }
    if isinstance(error, DatabaseError) and error.code:
        described["code"] = error.code
    return described


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
