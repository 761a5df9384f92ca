"""``sqlscore score``: rows of a table in, predictions in a table out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import describe, options, present, progress
from sqlscore.jobs.job import Mode

if TYPE_CHECKING:
    from sqlscore.database import Database

Name = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="churn, churn:3 or churn@production; one or more."),
]
Source = Annotated[str, typer.Option(help="A table, a view or a SELECT.", metavar="RELATION")]
Target = Annotated[
    str | None, typer.Option(help="The table to write; made where it is missing.", metavar="TABLE")
]
Key = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMNS", help="What identifies a row (default: the primary key)."),
]
How = Annotated[
    Mode,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="upsert, append, update or replace: what rows that are there become.",
    ),
]
Columns = Annotated[
    list[str] | None, typer.Option(metavar="COLUMNS", help="Columns to pass to the target.")
]
Incremental = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Only rows past this column's watermark.")
]
Lag = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stay this far behind late commits: 30s, 5m.")
]
OnlyNew = Annotated[bool, typer.Option("--only-new", help="Only keys that the target has not.")]
JobName = Annotated[str | None, typer.Option(help="A name for the job, for runs to come.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the binding, and score nothing.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Score the first rows to the terminal, and write nothing.")
]
Restart = Annotated[bool, typer.Option("--restart", help="Give an unfinished run up; begin anew.")]
Abandon = Annotated[bool, typer.Option("--abandon", help="Give an unfinished run up; do no more.")]
SourceDb = Annotated[
    str | None, typer.Option(metavar="URL", help="Read from another database than --db.")
]
TargetDb = Annotated[
    str | None, typer.Option(metavar="URL", help="Write into another database than --db.")
]


def score(
    models: Name,
    source: Source,
    target: Target = None,
    key: Key = None,
    mode: How = Mode.UPSERT,
    where: options.Where = None,
    param: options.Param = None,
    columns: Columns = None,
    map: options.Map = None,
    null: options.Null = None,
    incremental: Incremental = None,
    lag: Lag = None,
    only_new: OnlyNew = False,
    name: JobName = None,
    dry_run: DryRun = False,
    limit: Limit = None,
    restart: Restart = False,
    abandon: Abandon = False,
    provider: options.Provider = "cpu",
    source_db: SourceDb = None,
    target_db: TargetDb = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Score the rows of a table, a view or a SELECT into a table.

    The same command after a kill goes on where it stopped; the target holds every key exactly once.

    Example: sqlscore score churn --source customers --target churn_scores
    """
    if target is None and not dry_run and limit is None:
        raise typer.BadParameter(
            "no target: give --target TABLE, or --dry-run or --limit to look first"
        )
    bound: dict[str, Any] = {
        "source": source,
        "key": options.names(key) or None,
        "where": where,
        "params": options.pairs(param, "--param"),
        "columns": options.names(columns),
        "map": options.pairs(map, "--map"),
        "nulls": options.pairs(null, "--null"),
    }
    places = {"target": target, "mode": mode, "source_db": source_db, "target_db": target_db}
    job = {
        "incremental": incremental, "lag": options.span(lag, "--lag"), "only_new": only_new,
        "name": name, "restart": restart, "abandon": abandon, "provider": provider,
    }  # fmt: skip
    with options.opened(db) as database:
        if limit is not None:
            looked = {"limit": limit, "provider": provider, "source_db": source_db}
            _preview(database, models, {**bound, **looked}, as_json=as_json)
        elif dry_run:
            _bind(database, models, {**bound, **places}, as_json=as_json)
        else:
            _run(database, models, {**bound, **places, **job}, as_json=as_json)


def _bind(database: Database, models: list[str], wanted: dict[str, Any], *, as_json: bool) -> None:
    bound = database.bind(models, **wanted)
    present.document(bound) if as_json else describe.show_bound(bound)


def _preview(
    database: Database, models: list[str], wanted: dict[str, Any], *, as_json: bool
) -> None:
    rows = database.preview(models, **wanted)
    present.document(rows.to_pylist()) if as_json else present.arrow_table(rows)


def _run(database: Database, models: list[str], job: dict[str, Any], *, as_json: bool) -> None:
    what = f"{', '.join(models)}: {job['source']} -> {job['target']}"
    try:
        with progress.shown(what, quiet=as_json) as update:
            run = database.score(models, on_progress=update, **job)
    except KeyboardInterrupt:
        present.note("Stopped. What is committed stays; the same command goes on from there.")
        raise
    present.document(describe.run_record(run)) if as_json else describe.show_run(run)
