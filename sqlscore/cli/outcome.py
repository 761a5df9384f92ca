"""How a run that a command started has ended: shown to people, or as one line of a log."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import describe, failures, present
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlscore.jobs.status import Run


class Log(StrEnum):
    """The form of a log's lines."""

    TEXT = "text"
    JSON = "json"


LogOption = Annotated[
    Log | None,
    typer.Option(metavar="FORM", help="One line a run, as text or json, in place of the rest."),
]


def ended(run: Run, *, log: Log | None, as_json: bool = False) -> int:
    """Tell of a run that came to its end; what the process is to end with."""
    code = exit_code(run)
    if log is not None:
        _line(log, {**_of(run), "code": code})
    elif as_json:
        present.document(describe.run_record(run))
    else:
        describe.show_run(run)
    return code


def exit_code(run: Run) -> int:
    """What a run that came to its end ends the process with."""
    return failures.QUARANTINED if run.quarantined else 0


@contextmanager
def told(given: Mapping[str, Any], *, log: Log | None) -> Iterator[None]:
    """Tell of a run that fails in the block, and run the command that waits for that."""
    try:
        yield
    except KeyboardInterrupt:
        present.note("Stopped. What is committed stays; the same command goes on from there.")
        raise
    except SqlscoreError as error:
        run: Run | None = error.run  # type: ignore[assignment]
        message = failures.said(error)
        job = given["name"] or (run.job if run is not None else "")
        if log is not None:
            of_run = _of(run) if run is not None else {"job": job, "run": "", "status": "failed"}
            _line(log, {**of_run, "code": failures.exit_code(error), "error": message})
        if given["on_failure"]:
            _tell(given["on_failure"], {
                "SQLSCORE_RUN": run.id if run is not None else "",
                "SQLSCORE_JOB": job,
                "SQLSCORE_ERROR": message,
            })  # fmt: skip
        raise


def _of(run: Run) -> dict[str, Any]:
    """What a log says of a run; its seconds are all tries' together."""
    return {
        "job": run.job, "run": run.id, "status": str(run.status), "rows": run.rows,
        "total": run.total, "seconds": None if run.seconds is None else round(run.seconds, 3),
        "resumed": run.resumed, **({"quarantined": run.quarantined} if run.quarantined else {}),
    }  # fmt: skip


def _line(form: Log, values: Mapping[str, Any]) -> None:
    """One line on stdout; in text, a value with a space in it stands in quotes."""
    timed = {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **values}
    if form is Log.JSON:
        line = json.dumps(timed, ensure_ascii=False)
    else:
        line = " ".join(f"{name}={_text(value)}" for name, value in timed.items())
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    bare = text.strip('"')
    return bare if isinstance(value, str) and bare and not set(bare) & set(' "=\\') else text


def _tell(command: str, told: Mapping[str, str]) -> None:
    """Run a command without a shell; what goes wrong with it is a note, and no second failure."""
    try:
        words, env = shlex.split(command), {**os.environ, **told}
        done = subprocess.run(words, env=env, stdout=2, check=False)  # ours is for results
    except (OSError, ValueError) as error:  # not there, not to be run; a quote without its end
        present.note(f"The on_failure command could not be run: {error}")
        return
    if done.returncode:
        present.note(f"The on_failure command ended with {done.returncode}: {command}")
