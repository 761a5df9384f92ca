"""``sqlscore worker``: serves the queue of a database."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import options, present

if TYPE_CHECKING:
    from sqlscore.worker.serving import Worker


def worker(
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Parts of jobs that are scored at a time.")
    ] = 1,
    keep: Annotated[
        str, typer.Option(metavar="TIME", help="How long results stay after a job's end.")
    ] = "1d",
    drain: Annotated[bool, typer.Option("--drain", help="Score what waits now, and end.")] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Score what callers put into the queue that 'sqlscore install' made, until it is stopped.

    Any number may run, on any machines: one that dies loses nothing. SIGTERM and Ctrl-C let it end
    what it has begun.

    Example: sqlscore worker --db postgresql://scorer@localhost/shop --threads 2
    """
    age = options.span(keep, "--keep")
    assert age is not None
    with options.opened(db) as database:
        serves = database.worker(threads=threads, keep=age)
        if drain:
            count = serves.drain()
            if as_json:
                return present.document({"parts": count})
            return present.say(f"Scored {count} parts.")
        _logged(verbose)
        _stopped_by_signals(serves)
        present.note(f"Serving the queue of {database.url}.")
        serves.serve()
    return None


def _logged(verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("sqlscore.worker").setLevel(logging.INFO if verbose else logging.WARNING)


def _stopped_by_signals(serves: Worker) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: serves.stop())
