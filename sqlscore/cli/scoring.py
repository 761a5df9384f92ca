"""``sqlscore score``: rows of a table in, predictions in a table out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import describe, limiting, options, outcome, present, progress
from sqlscore.jobs.job import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.database import Database
    from sqlscore.jobs.job import Job
    from sqlscore.jobs.status import Run

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
Told = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KINDS",
        help="Say in the target where predictions come from: all, or model, version, sha256, run, "
        "time.",
    ),
]
Incremental = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Only rows past this column's watermark.")
]
Lag = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stay this far behind late commits: 30s, 5m.")
]
OnlyNew = Annotated[bool, typer.Option("--only-new", help="Only keys that the target has not.")]
Rescore = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="stale: only rows scored with another version than the models' now."
    ),
]
Sync = Annotated[
    bool, typer.Option("--sync", help="Remove predictions whose source row is gone, in the end.")
]
Finite = Annotated[
    bool, typer.Option("--finite", help="A prediction that is NaN or infinite is an error.")
]
Quarantine = Annotated[
    bool,
    typer.Option("--quarantine", help="Leave rows out that cannot be scored, and keep the reason."),
]
MaxBad = Annotated[
    str | None,
    typer.Option(metavar="LIMIT", help="Stop at more rows in quarantine: 1%, or a number."),
]
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
OnFailure = Annotated[
    str | None,
    typer.Option(metavar="COMMAND", help="Run where the run fails; no shell sees it."),
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
    lineage: Told = None,
    map: options.Map = None,
    null: options.Null = None,
    types: options.Types = None,
    constant: options.Constants = None,
    incremental: Incremental = None,
    lag: Lag = None,
    only_new: OnlyNew = False,
    rescore: Rescore = None,
    sync: Sync = False,
    finite: Finite = False,
    quarantine: Quarantine = False,
    max_bad: MaxBad = None,
    name: JobName = None,
    dry_run: DryRun = False,
    limit: Limit = None,
    restart: Restart = False,
    abandon: Abandon = False,
    provider: options.Provider = "cpu",
    provider_option: options.ProviderOptions = None,
    without: options.Without = None,
    route: options.Route = "bridge",
    source_db: SourceDb = None,
    target_db: TargetDb = None,
    deadline: limiting.Deadline = None,
    memory: limiting.Memory = None,
    max_rows_per_second: limiting.RowsPerSecond = None,
    connections: limiting.Connections = None,
    lock_timeout: limiting.LockTimeout = None,
    statement_timeout: limiting.StatementTimeout = None,
    retries: limiting.Retries = None,
    on_failure: OnFailure = None,
    log: outcome.LogOption = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> int:
    """Score the rows of a table, a view or a SELECT into a table.

    The same command after a kill goes on where it stopped; the target holds every key exactly once.

    Example: sqlscore score churn --source customers --target churn_scores
    """
    given = dict(locals())  # the options by name, in the words of a job file
    if target is None and not dry_run and limit is None:
        raise typer.BadParameter(
            "no target: give --target TABLE, or --dry-run or --limit to look first"
        )
    wanted = arguments(given)
    if limit is None and not dry_run:
        with outcome.told(given, log=log), options.opened(db, connections=connections) as database:
            ended = run(database, wanted, quiet=as_json or log is not None)
        return outcome.ended(ended, log=log, as_json=as_json)
    with options.opened(db, connections=connections) as database:
        if limit is not None:
            chosen = options.pairs(provider_option, "--provider-option")
            looked = {
                "limit": limit, "provider": provider, "provider_options": chosen,
                "source_db": source_db,
            }  # fmt: skip
            _preview(database, models, {**_bound(given), **looked}, as_json=as_json)
        else:
            _bind(database, models, {**_bound(given), **_places(given)}, as_json=as_json)
    return 0


def job(given: Mapping[str, Any]) -> Job:
    """The job of the options of this command or of a job file, by name, each option checked."""
    from sqlscore.database import arguments as of_python

    return of_python.job(**_of_job(given))


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `Database.score` takes, from the options of this command or of a job file."""
    job(given)  # what is wrong with a word is said before anything is connected to
    return {
        **_of_job(given),
        **{name: given[name] for name in ("restart", "abandon", "source_db", "target_db")},
        "limits": limiting.limits(given),
    }


def _of_job(given: Mapping[str, Any]) -> dict[str, Any]:
    as_they_are = (
        "target", "mode", "incremental", "only_new", "rescore", "sync", "finite", "quarantine",
        "max_bad", "name", "provider", "route",
    )  # fmt: skip
    return {
        "models": given["models"],
        **_bound(given),
        **{name: given[name] for name in as_they_are},
        "lineage": options.names(given["lineage"]),
        "lag": options.span(given["lag"], "--lag"),
        "provider_options": options.pairs(given["provider_option"], "--provider-option"),
        "without": options.names(given["without"]),
    }


def _bound(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is read, and which column feeds which feature."""
    return {
        "source": given["source"],
        "key": options.names(given["key"]) or None,
        "where": given["where"],
        "params": options.pairs(given["param"], "--param"),
        "columns": options.names(given["columns"]),
        "map": options.pairs(given["map"], "--map"),
        "nulls": options.pairs(given["null"], "--null"),
        "types": options.types(given["types"]),
        "constants": options.constants(given["constant"]),
    }


def _places(given: Mapping[str, Any]) -> dict[str, Any]:
    """Where it is read and written, and how."""
    places = {name: given[name] for name in ("target", "mode", "source_db", "target_db")}
    return {**places, "lineage": options.names(given["lineage"])}


def _bind(database: Database, models: list[str], wanted: dict[str, Any], *, as_json: bool) -> None:
    bound = database.bind(models, **wanted)
    present.document(bound) if as_json else describe.show_bound(bound)


def _preview(
    database: Database, models: list[str], wanted: dict[str, Any], *, as_json: bool
) -> None:
    rows = database.preview(models, **wanted)
    present.document(rows.to_pylist()) if as_json else present.arrow_table(rows)


def run(database: Database, wanted: Mapping[str, Any], *, quiet: bool = False) -> Run:
    """Score as `arguments` says, and show how far it is."""
    what = f"{', '.join(wanted['models'])}: {wanted['source']} -> {wanted['target']}"
    with progress.shown(what, quiet=quiet) as update:
        return database.score(**wanted, on_progress=update)
