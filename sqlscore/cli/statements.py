"""``sqlscore sql`` and ``explain``: T-SQL with PREDICT, on whatever database."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import options, present
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from sqlscore.statements.results import Result

SHOWN = 100  #: rows of a result that go to the terminal

Text = Annotated[
    str | None, typer.Argument(metavar="STATEMENT", help="The statements, or - for stdin.")
]
Script = Annotated[
    Path | None, typer.Option("-f", "--file", metavar="FILE", help="A file of statements.")
]

Dialect = Annotated[
    str,
    typer.Option(
        metavar="DIALECT",
        help="How they are written: tsql, bigquery (ML.PREDICT), oracle (PREDICTION).",
    ),
]


def sql(
    text: Text = None,
    file: Script = None,
    route: options.Route = "bridge",
    without: options.Without = None,
    dialect: Dialect = "tsql",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The .parquet or .csv file for the last rows."),
    ] = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Run statements with PREDICT, in T-SQL or another dialect, on whatever database.

    Example: sqlscore sql "SELECT d.id, p.s FROM PREDICT(MODEL = churn, DATA = customers AS d) AS p"
    """
    left_out = options.names(without)
    with (
        options.opened(db) as database,
        database.sql(script(text, file), route=route, without=left_out, dialect=dialect) as result,
    ):
        if as_json:
            present.document(_document(result))
            return
        for earlier in result.earlier:
            _show(earlier)
        for message in result.messages:
            present.say(message)
        if output is not None:
            _write(result, output)
        elif result.columns:
            _show(result)
        elif result.rows_written is not None:
            present.say(f"{result.rows_written:,} rows written.")


def explain(
    text: Text = None,
    file: Script = None,
    route: options.Route = "bridge",
    without: options.Without = None,
    dialect: Dialect = "tsql",
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run it too, and tell each step's rows and time.")
    ] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show how a statement with PREDICT would run: routes, reasons, columns, the rewritten SQL.

    No row is scored and nothing is written, unless --analyze runs the statement.

    Example: sqlscore explain "SELECT p.* FROM PREDICT(MODEL = churn, DATA = customers AS d) AS p"
    """
    with options.opened(db) as database:
        explained = database.explain(
            script(text, file),
            analyze=analyze,
            route=route,
            without=options.names(without),
            dialect=dialect,
        )
    present.document(explained) if as_json else present.tree(str(explained))


def script(text: str | None, file: Path | None) -> str:
    """The statements of an argument, a file, or standard input."""
    if (text is None) == (file is None):
        raise typer.BadParameter("give the statements, or -f FILE, one of the two")
    if file is None:
        return sys.stdin.read() if text == "-" else str(text)
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SqlscoreError(f"{str(file)!r} cannot be read: {error}") from error


def _document(result: Result) -> dict[str, Any]:
    earlier = [one.to_arrow().to_pylist() for one in result.earlier]
    rows = [result.to_arrow().to_pylist()] if result.columns else []
    return {
        "results": [*earlier, *rows],
        "messages": list(result.messages),
        "rows_written": result.rows_written,
    }


def _show(result: Result) -> None:
    """The first rows as a table, and whether there are more."""
    import pyarrow as pa

    shown: list[pa.RecordBatch] = []
    rows = 0
    with result:
        for batch in result.to_batches():
            rows += batch.num_rows
            shown.append(batch)
            if rows > SHOWN:
                break
    table = pa.Table.from_batches(shown, schema=result.schema)
    present.arrow_table(table.slice(0, SHOWN))
    if rows > SHOWN:
        present.note(f"The first {SHOWN} rows. All of them: -o FILE, or --json.")


def _write(result: Result, output: Path) -> None:
    import pyarrow as pa

    from sqlscore.cli import files

    if not result.columns:
        raise SqlscoreError("-o takes the rows of the script's last SELECT, and it has none")
    rows = 0
    batches = result.to_batches()
    first = next(batches, pa.RecordBatch.from_pylist([], schema=result.schema))
    with files.written(output, first.schema) as write:
        for batch in itertools.chain([first], batches):
            write(batch)
            rows += batch.num_rows
    present.say(f"Wrote {rows:,} rows to {output}.")
