"""Places in a text: an offset as line and column, and errors there. Pure."""

from __future__ import annotations

from sqlscore.errors import StatementError


def error_at(message: str, text: str, offset: int) -> StatementError:
    """The error at an offset in the text."""
    line, column = position(text, offset)
    return StatementError(message, line=line, column=column)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
