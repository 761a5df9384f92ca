"""On which line of a TOML text each table and key stands; tomllib has the values, and no lines.

A statement (a header, or a key and its value) ends on the first line on which it is TOML by
itself: tomllib is the judge of that, so texts and lists over several lines are no trap.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str, ...]


def lines(text: str) -> dict[Path, int]:
    """The path of each table and key, and the line on which it first stands, from 1."""
    found: dict[Path, int] = {}
    header: Path = ()
    for line, is_header, values in _statements(text):
        if is_header:
            header = _innermost(values)
            paths = [header[: i + 1] for i in range(len(header))]
        else:
            paths = [header + path for path in _paths(values)]
        for path in paths:
            found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Each statement's first line, whether it is a header, and its values."""
    waiting, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not waiting:
            first = number
        waiting += line + "\n"
        with suppress(tomllib.TOMLDecodeError):
            values = tomllib.loads(waiting)
            is_header = waiting.lstrip().startswith("[")
            waiting = ""
            if values:
                yield first, is_header, values


def _innermost(values: Mapping[str, Any]) -> Path:
    """The path of a header: one name in each table, down to an empty one."""
    path: Path = ()
    inner: Any = values
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        path += (name,)
    return path


def _paths(values: Mapping[str, Any]) -> Iterator[Path]:
    for name, value in values.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *path) for path in _paths(value))
