"""``sqlscore job``: the jobs of a job file, checked, listed, run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import describe, failures, job_file, options, outcome, present, scoring
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

app = typer.Typer(help="Run the jobs of a job file.", no_args_is_help=True)

JobPath = Annotated[options.File, typer.Option("--file", metavar="FILE", help="The job file.")]
_HERE = options.File("sqlscore.toml")


@app.command()
def check(
    file: JobPath = _HERE, as_json: options.AsJson = False, verbose: options.Verbose = False
) -> None:
    """Check the whole file, and say all that is wrong with it at once; nothing is connected to.

    Example: sqlscore job check --file sqlscore.toml
    """
    found = job_file.read(file)
    if found.problems:
        raise SqlscoreError("\n".join(found.said(found.problems)))
    if as_json:
        return present.document({"file": file, "jobs": list(found.jobs)})
    return present.say(f"{file}: {len(found.jobs)} jobs, nothing wrong.")


@app.command("list")
def list_jobs(
    file: JobPath = _HERE, as_json: options.AsJson = False, verbose: options.Verbose = False
) -> None:
    """List the jobs of the file, and what each scores.

    Example: sqlscore job list
    """
    found = job_file.read(file)
    if as_json:
        return present.document([{"job": name, **_given(job)} for name, job in found.jobs.items()])
    rows = [
        (name, *(job[word] or "" for word in ("models", "source", "target", "mode", "database")))
        for name, job in found.jobs.items()
    ]
    present.table(["job", "models", "source", "target", "mode", "database"], rows)
    for line in found.said(found.problems):
        present.note(line)
    return None


def _given(job: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in job.items() if value not in (None, False)}


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="The jobs to run, in this order.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All jobs of the file, in its order.")
    ] = False,
    file: JobPath = _HERE,
    param: options.Param = None,
    restart: scoring.Restart = False,
    abandon: scoring.Abandon = False,
    log: outcome.LogOption = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> int:
    """Run jobs of the file, one after the other; one that fails does not keep the others back.

    Without a terminal each run is one line of a log. The exit code is that of the first failure.

    Example: sqlscore job run nightly
    """
    if bool(names) is everything:
        raise typer.BadParameter("name the jobs to run, or give --all")
    found = job_file.read(file)
    chosen = found.named(list(found.jobs) if everything else names or [])
    for word, value in options.pairs(param, "--param").items():
        _give([found.jobs[name] for name in chosen if name in found.jobs], word, value)
    if log is None and not as_json and not present.console().is_terminal:
        log = outcome.Log.TEXT
    more = {"restart": restart, "abandon": abandon}
    ended = [_run_one(found, name, more, db=db, log=log, quiet=as_json) for name in chosen]
    if as_json:
        present.document([document for document, _ in ended])
    return next((code for _, code in ended if code), 0)


def _give(jobs: Sequence[dict[str, Any]], name: str, value: str) -> None:
    """Give a parameter to the jobs that ask for it, in place of the file's value."""
    asks = re.compile(rf"(?<!:):{re.escape(name)}\b")
    asking = [job for job in jobs if asks.search(f"{job['source']} {job['where']}")]
    if not asking:
        raise typer.BadParameter(f"none of these jobs has a where or SELECT that asks for :{name}")
    for job in asking:
        job["param"] = [*(job["param"] or ()), f"{name}={value}"]


def _run_one(
    file: job_file.JobFile,
    name: str,
    more: Mapping[str, Any],
    *,
    db: str | None,
    log: outcome.Log | None,
    quiet: bool,
) -> tuple[dict[str, Any], int]:
    """Run one job: its JSON object, and what the process would have ended with for it alone."""
    try:
        # a job that cannot be run as it is written has failed, too, and no other for it
        with outcome.told(file.jobs.get(name, {"name": name, "on_failure": None}), log=log):
            given = {**file.job(name), **more}
            for word in ("source_db", "target_db"):
                given[word] = file.url(given[word]) if given[word] else None
            url = file.url(given["database"]) if given["database"] else db
            with options.opened(url, connections=given["connections"]) as database:
                run = scoring.run(
                    database, scoring.arguments(given), quiet=quiet or log is not None
                )
    except SqlscoreError as error:
        message = failures.said(error)
        if log is None and not quiet:
            present.failure(message)
        return {"error": failures.described(error, message)}, failures.exit_code(error)
    if not quiet:
        outcome.ended(run, log=log)
    return describe.run_record(run), outcome.exit_code(run)
