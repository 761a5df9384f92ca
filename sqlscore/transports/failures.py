"""Errors of drivers and readers, turned into `DatabaseError` at the border.

A message of ours carries the database's own code and first line. Details in further lines, and
values that a first line quotes, are left out: they are contents of rows, and logs outlive rows.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy.exc

from sqlscore.errors import DatabaseError, SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

#: where products quote a row's value in the first line of a message
_ROW_CONTENTS = (
    re.compile(r"(?<=entry )'.*'(?= for key)"),  # MariaDB: duplicate key
    re.compile(r"(?<=value: )'.*'(?= for column)"),  # MariaDB: does not fit
    re.compile(r"(?<=: )\".*\"$"),  # PostgreSQL: invalid input syntax
    re.compile(r"(?<=value )\".*\"(?= is out of range)"),  # PostgreSQL
    re.compile(r"(?<=key )\".*\"(?= violates)"),  # DuckDB: duplicate key
    re.compile(r"(?<=string )['\"].*['\"](?= to )"),  # DuckDB: conversion
    re.compile(r"(?<=key value is )\(.*\)"),  # SQL Server: duplicate key
    re.compile(r"(?<=Truncated value: )'.*'"),  # SQL Server: too long
    re.compile(r"(?<=value )'.*'(?= to data type)"),  # SQL Server: conversion
    re.compile(r"(?<=value )[-+.\w]+(?= (?:can't be cast|is out of range))"),  # DuckDB: conversion
)
#: what pyodbc says: SQLSTATE, who speaks, the words, the server's number, the function of ODBC
_ODBC = re.compile(r"^\[\w{5}\] (?:\[[^]]*\])*(.*?) \((\d+)\) \(SQL\w+\)", re.DOTALL)
#: codes that say "you may not": SQLSTATE, MariaDB's numbers for a database, a table, a column, SQL
#: Server's for an object, a column, and a statement
_NO_RIGHT = {"42501", "1044", "1142", "1143", "229", "230", "262"}
_DENIED = re.compile(r"^([A-Z][A-Z ]*) command denied")  # MariaDB: the right itself
_BY_NAME = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP)\b")  # of a statement
#: words of an error -> what to do about it
_ADVICE = {
    "unsupported startup parameter": "Set ignore_startup_parameters = extra_float_digits,options "
    "in PgBouncer's configuration",
}
_COPIED = re.compile(r"^COPY .*, line \d+, column ([^:\n]+)", re.MULTILINE)


def database_error(error: BaseException, doing: str, url: URL | None = None) -> DatabaseError:
    """A `DatabaseError` that says what was being done, and the database's own code and words."""
    original = getattr(error, "orig", None) or error
    code = _code(original)
    words = _words(original)
    password = url.password if url is not None else None
    if password:
        words = words.replace(str(password), "***")
    number = f" ({code})" if code else ""
    column = _column(original)
    place = f" (column {column!r})" if column else ""
    right = _missing_right(error, code, words)
    advice = "".join(f". {what}" for told, what in _ADVICE.items() if told in words)
    failure = DatabaseError(f"{doing} failed{number}: {words}{place}{right}{advice}")
    failure.code = code
    return failure


def _missing_right(error: BaseException, code: str | None, words: str) -> str:
    """Which right is missing, and what to do, as a sentence; empty where none is."""
    if code not in _NO_RIGHT:
        return ""
    named = _DENIED.search(words) or _BY_NAME.match(getattr(error, "statement", None) or "")
    right = named[1] if named and "must be owner" not in words else "to do so"
    if "denied for schema" in words and right != "CREATE":  # PostgreSQL, whatever was asked of it
        right = "USAGE"
    return (
        f". The right {right} is missing. Those that sqlscore's own "
        "tables need are printed, to be run by who may grant them, by: "
        "sqlscore init --print-sql --grants"
    )


@contextmanager
def translated(doing: str, *kinds: type[BaseException], url: URL | None = None) -> Iterator[None]:
    """Raise SQLAlchemy's errors, and those of `kinds`, as `DatabaseError` with their cause."""
    foreign: tuple[type[BaseException], ...] = (sqlalchemy.exc.SQLAlchemyError, *kinds)
    try:
        yield
    except SqlscoreError:
        raise
    except foreign as error:
        raise database_error(error, doing, url) from error


def _code(error: BaseException) -> str | None:
    """MySQL's or SQL Server's number, SQLSTATE, or SQLite's name of an error; None without one."""
    told = _odbc(error)
    if told is not None:
        return told[2] if told[2] != "0" else str(error.args[0])
    first = error.args[0] if error.args else None
    if isinstance(first, int):  # before its SQLSTATE, which is HY000 for a lock timeout and most
        return str(first)
    for attribute in ("sqlstate", "pgcode", "sqlite_errorname"):
        value = getattr(error, attribute, None)
        if isinstance(value, str):
            return value
    return None


def _odbc(error: BaseException) -> re.Match[str] | None:
    """What an error of pyodbc says: the words, and the server's number; 0 for a driver's own."""
    words = error.args[1] if len(error.args) == 2 else None
    return _ODBC.match(words) if isinstance(words, str) else None


def _column(error: BaseException) -> str | None:
    """The column that PostgreSQL names beside its message; None where there is none."""
    diagnosis = getattr(error, "diag", None)
    named: str | None = getattr(diagnosis, "column_name", None)
    copied = _COPIED.search(getattr(diagnosis, "context", None) or "")
    return named or (copied[1] if copied else None)


def _words(error: BaseException) -> str:
    """The first line of a driver's message, without the values that it quotes."""
    told = _odbc(error)
    if told is not None:
        return without_contents(told[1].strip().splitlines()[0])
    texts = [str(a) for a in error.args if not isinstance(a, int)] or [str(error)]
    return without_contents((texts[0].strip() or type(error).__name__).splitlines()[0])


def without_contents(line: str) -> str:
    """A line of a product's message, without the values of rows that it quotes."""
    for contents in _ROW_CONTENTS:
        line = contents.sub("…", line)
    return line
