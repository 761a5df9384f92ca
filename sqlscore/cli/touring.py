"""``sqlscore demo`` and ``sqlscore doctor``: see it work, and see what works here."""

from __future__ import annotations

from typing import Annotated

import typer

from sqlscore.cli import options, present


def demo(
    keep: Annotated[
        options.File | None,
        typer.Option(metavar="FOLDER", help="Keep the demo's files in this folder."),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Another database than a new SQLite file."),
    ] = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the whole story on real rows: a model added, bound, scored and checked.

    Example: sqlscore demo --keep demo
    """
    present.say("todo")


def doctor(
    db: options.Db = None, as_json: options.AsJson = False, verbose: options.Verbose = False
) -> None:
    """Say what works here and what to install, and with a database whether it is fit.

    Example: sqlscore doctor --db postgresql://me@host/name
    """
    present.say("todo")
