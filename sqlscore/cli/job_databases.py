"""The databases of a job file: a URL, with values from the environment and a password file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlscore.cli import failures
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    import sqlalchemy as sa

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedDatabase:
    """One table ``[databases.NAME]``."""

    url: str  #: as it is written
    password_file: str | None = None  #: as it is written
    folder: Path = Path()  #: where a relative path to it begins: the job file's

    def resolved(self) -> sa.URL:
        """The URL to connect to. Raises `SqlscoreError` for what is not set, not there, no URL."""
        from sqlscore.products import parsed

        url = parsed(_expanded_url(self.url))
        if self.password_file is not None:
            file = self.folder / Path(expanded(self.password_file)).expanduser()
            url = url.set(password=_first_line(file))
        if url.password is not None:
            failures.keep_out(str(url.password))
        return url


def expanded(text: str) -> str:
    """The text with the environment's value in place of each ``${NAME}``."""
    return _VARIABLE.sub(lambda found: _value(found[1]), text)


def _expanded_url(text: str) -> str:
    """The same for a URL; user and password may hold any character, and need no encoding."""
    begin, at = text.find("://"), text.rfind("@")
    if not 0 <= begin < at:
        return expanded(text)
    account = _VARIABLE.sub(lambda f: quote(_value(f[1]), safe=""), text[begin + 3 : at])
    return f"{expanded(text[:begin])}://{account}@{expanded(text[at + 1 :])}"


def _value(name: str) -> str:
    if name not in os.environ:
        raise SqlscoreError(f"the environment variable {name!r} is not set")
    return os.environ[name]


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SqlscoreError(f"the password file {path} cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise SqlscoreError(f"the password file {path} has no password in its first line")
    return lines[0]
