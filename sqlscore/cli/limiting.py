"""The options that say what a run may take; `score`, `run resume` and the job file have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.jobs.limits import Limits

Deadline = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop between two batches after it: 2h.")
]
Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="What this process may hold: 400MB.")
]
RowsPerSecond = Annotated[
    float | None,
    typer.Option("--max-rows-per-second", metavar="ROWS", help="Read no faster than this."),
]
Connections = Annotated[
    int | None,
    typer.Option(metavar="NUMBER", min=1, help="The most to have to a database at once."),
]
LockTimeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="Wait no longer for another session's lock: 5s.")
]
StatementTimeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="Let no statement take longer: 10m.")
]
Retries = Annotated[
    int | None,
    typer.Option(metavar="TIMES", min=0, help="Try again what passes by itself (default: 8)."),
]


def limits(given: Mapping[str, Any]) -> Limits:
    """What a run may take, from the options by name."""
    from sqlscore.jobs.limits import RETRIES, Limits

    return Limits(
        deadline=options.span(given["deadline"], "--deadline"),
        memory=options.size(given["memory"], "--memory"),
        max_rows_per_second=given["max_rows_per_second"],
        lock_timeout=options.span(given["lock_timeout"], "--lock-timeout"),
        statement_timeout=options.span(given["statement_timeout"], "--statement-timeout"),
        retries=RETRIES if given["retries"] is None else given["retries"],
    )
