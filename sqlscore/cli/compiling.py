"""``sqlscore compile``: a model as SQL text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import options, present

if TYPE_CHECKING:
    from sqlscore.model import Model


def compile(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="An ONNX file, or a model of the database: churn:3."),
    ],
    dialect: Annotated[
        str, typer.Option(metavar="NAME", help="postgres, mssql, mysql, sqlite, duckdb, …")
    ],
    table: Annotated[str, typer.Option(metavar="TABLE", help="The table with the rows.")] = "data",
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMNS", help="Columns to select before the rest.")
    ] = None,
    features: options.Features = None,
    output: options.Outputs = None,
    drop: options.Drop = None,
    map: options.Map = None,
    form: Annotated[
        str,
        typer.Option(
            "--as", metavar="FORM", help="select, view, function, procedure or computed-column."
        ),
    ] = "select",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The view's or function's name.")
    ] = None,
    out: Annotated[
        options.File | None, typer.Option("-o", "--out", help="The file to write.")
    ] = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a model as SQL, so that the database scores its own rows: a SELECT, a view, …

    It takes the same leaf of every tree as ONNX Runtime. What has no SQL form is listed, all at
    once.

    Example: sqlscore compile churn.onnx --dialect postgres --table customers --key id
    """
    from sqlscore.model.compiling import compile as compiled

    chosen = {
        "features": options.names(features) or None,
        "outputs": options.pairs(output, "--output") or None,
        "drop": options.names(drop),
    }
    loaded = _loaded(model, db, chosen)
    text = compiled(
        loaded,
        dialect=dialect,
        table=table,
        key=options.names(key),
        map=options.pairs(map, "--map"),
        form=form,
        name=name,
        title=Path(model).stem,
    )
    if out is not None:
        out.write_text(text + "\n")
    if as_json:
        return present.document({"sha256": loaded.sha256, "dialect": dialect, "sql": text})
    return present.say(f"Wrote {len(text):,} characters to {out}.") if out else present.code(text)


def install(
    model: options.Spec,
    form: Annotated[
        str, typer.Option("--as", metavar="FORM", help="view, function or procedure.")
    ] = "view",
    table: Annotated[
        str | None, typer.Option(metavar="TABLE", help="The table with the rows of a view.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMNS", help="Columns before the predictions.")
    ] = None,
    map: options.Map = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The view's or function's name.")
    ] = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Compile a model and put it into the database as a view, functions or a procedure.

    It stays on that version, wherever an alias points later. Only what sqlscore compiled before is
    replaced.

    Example: sqlscore model install churn@production --table customers --key id
    """
    with options.opened(db) as database:
        version = str(database.models.version(model))
        made = database.install_model(
            version,
            form=form,
            table=table,
            key=options.names(key),
            map=options.pairs(map, "--map"),
            name=name,
        )
    if as_json:
        return present.document({"model": version, "form": form, "names": made})
    return present.say(f"{version} is there as the {form} {', '.join(made)}.")


def _loaded(model: str, db: str | None, chosen: dict[str, Any]) -> Model:
    """A file where there is one, or where it looks like one; else a model of the database."""
    if Path(model).is_file() or model.endswith(".onnx"):
        from sqlscore.model import load

        return load(model, **chosen)
    if any(chosen.values()):
        raise typer.BadParameter("a model of the database has its names already; drop the options")
    with options.opened(db) as database:
        return database.models[model]
