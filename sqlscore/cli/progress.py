"""How far a run is: a bar with rows/s and time left on a terminal, a few lines elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlscore.cli import present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_LINE = (
    5.0  #: seconds until the first line between start and end; then twice as long each time
)


class Progress(Protocol):
    """How far a run is."""

    @property
    def rows(self) -> int: ...
    @property
    def total(self) -> int | None: ...
    @property
    def seconds(self) -> float: ...


def line(rows: int, total: int | None, seconds: float) -> str:
    """One line of it: rows done, of how many, how fast, how long still."""
    speed = rows / seconds if seconds else 0.0
    of_total = f" of about {total:,}" if total else ""
    left = (total - rows) / speed if total and speed and total > rows else 0.0
    end = f", {present.duration(left)} left" if left else ""
    return f"{rows:,}{of_total} rows, {speed:,.0f} rows/s{end}"


def short(rows: int, total: int | None, seconds: float) -> str:
    """The same for a bar to stand beside it in 80 columns."""
    speed = rows / seconds if seconds else 0.0
    of_total = f"/{total:,}" if total else ""
    left = f", {present.duration((total - rows) / speed)} left" if total and speed else ""
    return f"{rows:,}{of_total}, {speed:,.0f} rows/s{left}"


class Lines:
    """Lines on stderr: one at the start, then ever fewer."""

    def __init__(self, what: str) -> None:
        self._next = FIRST_LINE
        present.note(what)

    def __call__(self, progress: Progress) -> None:
        """Print a line when its time has come; the end has a line of its own."""
        if progress.seconds >= self._next and progress.rows != progress.total:
            self._next = progress.seconds * 2
            present.note(line(progress.rows, progress.total, progress.seconds))


@contextmanager
def shown(what: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """What to call with each `Progress`; nothing is shown where `quiet`."""
    if quiet:
        yield lambda _: None
    elif present.console(stderr=True).is_terminal:
        with _bar(what) as update:
            yield update
    else:
        yield Lines(what)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[Progress], None]]:
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[line]}")]
    with Bar(*columns, console=present.console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(what), total=None, line="")

        def update(progress: Progress) -> None:
            now = short(progress.rows, progress.total, progress.seconds)
            bar.update(task, completed=progress.rows, total=progress.total, line=now)

        yield update
