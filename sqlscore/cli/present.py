"""How the commands show things: tables on stdout, notes on stderr, or one JSON document.

On a terminal tables have lines and colours and fit its width; elsewhere they are plain aligned
text that never wraps, so that it can be cut and searched.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import textwrap
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNFOLDED = 10_000  #: columns of a stream that is no terminal: nothing wraps there
_LEAST = 20  #: columns behind the branches of a tree, however deep


@cache
def console(*, stderr: bool = False) -> Console:
    """The one console of stdout, or of stderr."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNFOLDED
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=not stream.isatty())


def say(text: str = "", *, style: str | None = None) -> None:
    """A line on stdout."""
    console().print(escape(text), style=style)


def code(text: str) -> None:
    """SQL on stdout as it is, however long its lines are."""
    sys.stdout.write(text + "\n")


def tree(text: str) -> None:
    """Lines with branches; on a terminal, what a line has no room for goes on behind its branch."""
    out = console()
    if not out.is_terminal:
        say(text)
        return
    for line in text.splitlines():
        said = line.lstrip("│├└─ ")
        branch = line.removesuffix(said)
        behind = branch.replace("├─", "│ ").replace("└─", "  ")
        room = max(out.width - len(branch), _LEAST)
        first, *others = textwrap.wrap(said, room, break_on_hyphens=False) or [""]
        for part in (branch + first, *(behind + other for other in others)):
            say(part)


def heading(text: str) -> None:
    """A line that begins a part, with an empty one above."""
    console().print(f"\n[bold cyan]{escape(text)}[/]")


def typed(prompt: str, text: str) -> None:
    """What a user would type, each line of it behind its prompt."""
    first, *others = text.split("\n")
    indent = " " * len(prompt)
    for before, line in ((prompt, first), *((indent, other) for other in others)):
        console().print(f"[dim]{before}[/] [green]{escape(line)}[/]", soft_wrap=True)


def note(text: str) -> None:
    """A line on stderr: what is going on, apart from the result."""
    console(stderr=True).print(escape(text), style="dim")


def failure(message: str, *, hint: str = "") -> None:
    """What went wrong, on stderr."""
    err = console(stderr=True)
    err.print(f"[bold red]error:[/] {escape(message)}")
    if hint:
        err.print(escape(hint), style="dim")


def document(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()  # a command that goes on serving has said it


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Sequence[str] = (),
) -> None:
    """Rows under their columns; `right` names the columns of numbers."""
    terminal = console().is_terminal
    shown = Table(
        title=escape(title) if title else None,
        title_justify="left",
        title_style="bold",
        header_style="bold" if terminal else "",
        box=box.SIMPLE_HEAD if terminal else None,
        padding=(0, 1, 0, 0) if terminal else (0, 1),
        pad_edge=False,
        show_edge=False,
    )
    for name in columns:
        shown.add_column(
            escape(name), justify="right" if name in right else "left", overflow="fold"
        )
    for row in rows:
        shown.add_row(*(escape(text(value)) for value in row))
    _put(shown)
    say()


def arrow_table(rows: Any) -> None:
    """A `pyarrow.Table`, its numbers to the right."""
    import pyarrow as pa

    numbers = [
        field.name
        for field in rows.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    records = rows.to_pylist()
    table(rows.column_names, [list(record.values()) for record in records], right=numbers)


def fields(pairs: Mapping[str, object]) -> None:
    """Names and values, one pair a line; a pair whose value is None or empty is left out."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="bold" if console().is_terminal else "", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs.items():
        if value is not None and value != "":
            shown.add_row(escape(name), escape(text(value)))
    _put(shown)


def _put(shown: Table) -> None:
    """Rows on stdout; where that is no terminal, without the spaces at the lines' ends."""
    out = console()
    if out.is_terminal:
        out.print(shown)
        return
    with out.capture() as captured:
        out.print(shown)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    sys.stdout.write("\n".join(lines) + "\n")


def text(value: object) -> str:
    """A value as people read it; NULL is written out."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.42 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses as objects, NaN and ±inf as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
