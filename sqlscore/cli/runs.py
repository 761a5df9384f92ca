"""``sqlscore run``: what ran, how it ended, and how to go on with it."""

from __future__ import annotations

from typing import Annotated

import typer

from sqlscore.cli import describe, limiting, options, outcome, present, progress

app = typer.Typer(help="Look at runs, and go on with unfinished ones.", no_args_is_help=True)

_FIRST = 5  #: rows of the quarantine that 'run show' shows

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as 'run list' shows it.")]


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """List the runs of this database, newest first.

    Example: sqlscore run list --limit 5
    """
    with options.opened(db) as database:
        runs = database.runs(limit=limit)
    if as_json:
        return present.document([describe.run_record(run) for run in runs])
    columns = ["run", "status", "models", "target", "rows", "started (UTC)", "took"]
    rows = [
        (
            run.id, str(run.status), run.models, run.target, f"{run.rows:,}",
            f"{run.started_at:%Y-%m-%d %H:%M}",
            "" if run.seconds is None else present.duration(run.seconds),
        )
        for run in runs
    ]  # fmt: skip
    return present.table(columns, rows, right=["rows", "took"])


@app.command()
def show(
    run: RunId,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show one run: what it scored, how far it is, what was NULL, how it ended.

    Example: sqlscore run show 4f1d0c2b7a90e3d5
    """
    with options.opened(db) as database:
        found = database.run(run)
        first = database.quarantine(found.id, _FIRST) if found.quarantined and not as_json else []
    if as_json:
        return present.document(describe.run_record(found))
    present.fields(describe.run_fields(found))
    describe.show_counts(found)
    return describe.show_quarantine(first, of=found.quarantined, run=found.id)


@app.command()
def quarantine(
    run: RunId,
    limit: Annotated[int, typer.Option(min=1, help="How many, in the order of the key.")] = 100,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """List the rows that a run could not score: their keys, and why.

    Example: sqlscore run quarantine 4f1d0c2b7a90e3d5
    """
    with options.opened(db) as database:
        found = database.run(run)
        rows = database.quarantine(found.id, limit)
    if as_json:
        return present.document(rows)
    if not rows:
        return present.say(f"Run {found.id} left no row out.")
    return describe.show_quarantine(rows, of=found.quarantined, run=found.id)


@app.command()
def cancel(
    run: RunId,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Ask a run to stop, wherever it goes on; it does before its next batch.

    What it has committed stays. `run resume`, or its own command, goes on with it.

    Example: sqlscore run cancel 4f1d0c2b7a90e3d5
    """
    with options.opened(db) as database:
        found = database.cancel(run)
    if as_json:
        return present.document(describe.run_record(found))
    return present.say(f"Asked run {found.id} to stop, which is {found.status} now.")


@app.command()
def resume(
    run: RunId,
    deadline: limiting.Deadline = None,
    memory: limiting.Memory = None,
    max_rows_per_second: limiting.RowsPerSecond = None,
    connections: limiting.Connections = None,
    lock_timeout: limiting.LockTimeout = None,
    statement_timeout: limiting.StatementTimeout = None,
    retries: limiting.Retries = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> int:
    """Go on with an unfinished run, with the models and the binding that it began with.

    Example: sqlscore run resume 4f1d0c2b7a90e3d5
    """
    limits = limiting.limits(dict(locals()))
    with (
        options.opened(db, connections=connections) as database,
        progress.shown(f"run {run}", quiet=as_json) as update,
    ):
        done = database.resume(run, limits=limits, on_progress=update)
    return outcome.ended(done, log=None, as_json=as_json)
