"""``sqlscore demo`` and ``sqlscore doctor``: see it work, and see what works here."""

from __future__ import annotations

import shlex
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import describe, failures, options, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.demo import Accuracy, Step
    from sqlscore.doctor import Check

Keep = Annotated[
    options.File | None,
    typer.Option(metavar="FOLDER", help="Keep the demo's files in this folder."),
]
#: no environment variable here: the demo goes into somebody's database only when told to
DemoDb = Annotated[
    str | None, typer.Option("--db", metavar="URL", help="Use this database, and leave it there.")
]


def demo(
    keep: Keep = None,
    db: DemoDb = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the whole story on real rows: a model added, bound, scored and checked.

    It runs on an SQLite file of its own, and needs neither a server nor the network.

    Example: sqlscore demo --keep penguins
    """
    from sqlscore.demo import told

    began = time.perf_counter()
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sqlscore-")))
        else:
            folder = keep
            folder.mkdir(parents=True, exist_ok=True)
        steps = []
        for number, step in enumerate(told(folder, db), 1):
            steps.append(step)
            if not as_json:
                _show(number, step)
    seconds = time.perf_counter() - began
    if as_json:
        present.document({"steps": [_record(step) for step in steps], "seconds": seconds})
    else:
        _go_on(keep, db, seconds)


def _show(number: int, step: Step) -> None:
    present.heading(f"{number}. {step.title}")
    for prompt, text in (("$", step.shell), (">>>", step.python), ("sql>", step.sql)):
        if text:
            present.typed(prompt, text)
    present.say()
    _SHOWS[type(step.result).__name__](step.result)


def _accuracy(found: Accuracy) -> None:
    without = found.held_out - found.guessed
    present.say(
        f"{found.right} of {found.guessed} right: {found.share:.1%}. "
        f"{without} of the {found.held_out} held-out rows have no guess, for their sex is NULL."
    )


_SHOWS: dict[str, Callable[[Any], None]] = {
    "Version": lambda version: present.fields(describe.version_fields(version, {})),
    "Bound": describe.show_bound,
    "Run": describe.show_run,
    "Table": present.arrow_table,
    "Accuracy": _accuracy,
}


def _record(step: Step) -> dict[str, object]:
    result = step.result
    record = {name: getattr(step, name) for name in ("title", "shell", "python", "sql")}
    return {**record, "result": result.to_pylist() if hasattr(result, "to_pylist") else result}


def _go_on(keep: Path | None, db: str | None, seconds: float) -> None:
    present.heading(f"That took {present.duration(seconds)}. Now you")
    if keep is None and db is None:
        present.say("Keep the files and try the commands yourself:")
        present.typed("$", "sqlscore demo --keep penguins")
        return
    if keep is not None:
        present.typed("$", f"cd {shlex.quote(str(keep))}")
    url = "sqlite:///penguins.db" if db is None else failures.without(db, failures.passwords([db]))
    present.typed("$", f"export SQLSCORE_DB={shlex.quote(url)}")
    for command in ("model list", "run list", "model show penguins", "doctor"):
        present.typed("$", f"sqlscore {command}")


def doctor(
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure what things cost there, for the planner."),
    ] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Say what works here and what to install; with a database, whether it is fit and ready.

    Ends with 4 where something that is needed does not work. --calibrate makes a table of 50,000
    rows in the database, times reading, writing and models on it, and drops it again.

    Example: sqlscore doctor --db postgresql://me@host/name
    """
    from sqlscore.calibration import calibrated
    from sqlscore.doctor import State, examined

    checks = list(examined(db))
    if calibrate:
        if db is None:
            raise typer.BadParameter("--calibrate measures a database: give --db URL")
        checks += calibrated(db)
    usable = all(check.state is not State.BAD for check in checks)
    if as_json:
        present.document({"usable": usable, "checks": checks})
    else:
        _show_checks(checks)
    if not usable:
        raise typer.Exit(4)


def _show_checks(checks: list[Check]) -> None:
    present.table(
        ["", "what", "found"],
        [(str(check.state), check.subject, check.found) for check in checks],
    )
    for check in checks:
        if check.remedy:
            present.say(f"{check.subject}: {check.remedy}")
