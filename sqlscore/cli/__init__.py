"""The command ``sqlscore``: parse, call one function, present.

`main` alone turns errors into messages and exit codes (`failures.EXIT_CODES`); commands raise.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import (
    compiling,
    failures,
    installing,
    jobs,
    models,
    predicting,
    present,
    runs,
    scoring,
    serving,
    statements,
    touring,
    upkeep,
    working,
)
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    name="sqlscore",
    epilog="New here? Run: sqlscore demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a trace is for --verbose, and never with values in it
    rich_markup_mode="rich",
)
FIRST, SCORING, SQL = "Begin here", "Models, predictions, runs", "SQL with models in it"
INSIDE, OWN = "In and beside the database", "sqlscore's own tables"
app.command(rich_help_panel=FIRST)(touring.demo)
app.command(rich_help_panel=FIRST)(touring.doctor)
app.command(rich_help_panel=SCORING)(predicting.predict)
app.add_typer(models.app, name="model", rich_help_panel=SCORING)
app.command(rich_help_panel=SCORING)(scoring.score)
app.add_typer(jobs.app, name="job", rich_help_panel=SCORING)
app.add_typer(runs.app, name="run", rich_help_panel=SCORING)
app.command(rich_help_panel=SQL)(statements.sql)
app.command(rich_help_panel=SQL)(statements.explain)
app.command(rich_help_panel=SQL)(compiling.compile)
app.command(rich_help_panel=INSIDE)(installing.install)
app.command(rich_help_panel=INSIDE)(installing.uninstall)
app.command(rich_help_panel=INSIDE)(working.worker)
app.command(rich_help_panel=INSIDE)(serving.serve)
app.command(rich_help_panel=OWN)(upkeep.init)
app.command(rich_help_panel=OWN)(upkeep.upgrade)
app.command(rich_help_panel=OWN)(upkeep.clean)

# Typer brings its own copy of click, or uses click itself, by its version: the one base of what is
# wrong with a command line is found through the class that both have.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


_TYPED_PASSWORD = (
    "A password on the command line is seen by everybody who lists processes, and kept by the "
    "shell's history. Put the URL into SQLSCORE_DB or into a job file (with ${VARIABLE} or a "
    "password_file), or leave the password to the server's own file: ~/.pgpass, ~/.my.cnf."
)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"sqlscore {version('sqlscore')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Score the rows of any SQL database with ONNX models.

    The database is named by --db URL or by the environment variable SQLSCORE_DB. Exit codes: 0
    done, 2 bad usage, 3 model or signature, 4 database, 5 another run holds the target, 6 done
    but rows are in quarantine, 7 too many of them, 8 stopped by a cancel or its deadline.
    """


def _paragraphs(text: str | None) -> str:
    """A docstring whose paragraphs are a line each, which Typer then breaks where a line ends."""
    return "\n\n".join(" ".join(one.split()) for one in (text or "").split("\n\n"))


def _describe(commands: typer.Typer) -> None:
    """Help every command by its docstring, and those of its sub-commands by theirs."""
    for command in commands.registered_commands:
        command.help = _paragraphs(command.callback.__doc__ if command.callback else None)
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _describe(group.typer_instance)


_describe(app)
app.callback(help=_paragraphs(_options.__doc__))(_options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if failures.passwords(arguments):
        present.note(_TYPED_PASSWORD)
    try:
        code = app(arguments, prog_name="sqlscore", standalone_mode=False)
    except SqlscoreError as error:
        return failures.report(error, arguments)
    except _UsageError as error:
        return failures.report_usage(error, arguments)
    except (typer.Abort, KeyboardInterrupt):
        return failures.INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away: nobody is left to tell
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0
