"""``sqlscore model``: the models that a database keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import compiling, describe, keeping, options, present

if TYPE_CHECKING:
    from sqlscore.database import Database

app = typer.Typer(help="Keep models in the database: add, list, show, …", no_args_is_help=True)


@app.command()
def add(
    name: options.Name,
    path: options.ModelFile,
    features: options.Features = None,
    output: options.Outputs = None,
    drop: options.Drop = None,
    shape: options.Shapes = None,
    constant: options.Constants = None,
    alias: Annotated[str | None, typer.Option(help="Point this alias to the version.")] = None,
    examples: Annotated[
        options.File | None,
        typer.Option(metavar="FILE", help="Rows with the author's own predictions, to compare."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN[=PREDICTION]", help="A column of the examples that holds predictions."
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="How far predictions may be from the examples'.")
    ] = 1e-5,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Check a model and keep it as the next version of its name.

    The same file with the same options gives the version that is there. With --examples, the
    model's predictions are compared with its author's, and some of the rows are kept with it.

    Example: sqlscore model add churn churn.onnx --alias production
    """
    if (examples is None) != (expect is None):
        raise typer.BadParameter("--examples and --expect go together: which column is expected?")
    with options.opened(db) as database:
        version = database.models.add(
            name,
            path,
            features=options.names(features) or None,
            outputs=options.pairs(output, "--output") or None,
            drop=options.names(drop),
            shapes=options.shapes(shape) or None,
            constants=options.constants(constant) or None,
            alias=alias,
            examples=examples,
            expect=options.renames(expect),
            tolerance=tolerance,
        )
        aliases = database.models.aliases(version.name)
        kept = database.models.examples(str(version))
        measured = database.models.measures(str(version))
    if as_json:
        record = describe.version_record(version, aliases, kept)
        return present.document({**record, "measures": measured})
    fields = describe.version_fields(version, aliases, kept)
    return present.fields(fields | describe.providers(measured))


@app.command("list")
def list_models(
    db: options.Db = None, as_json: options.AsJson = False, verbose: options.Verbose = False
) -> None:
    """List all models: every version, with the aliases that point to it.

    Example: sqlscore model list
    """
    with options.opened(db) as database:
        records = [
            describe.version_record(version, database.models.aliases(name))
            for name in database.models
            for version in database.models.versions(name)
        ]
    if as_json:
        return present.document(records)
    columns = ["model", "aliases", "size", "added (UTC)"]
    rows = [
        (
            f"{record['name']}:{record['version']}",
            record["aliases"],
            f"{record['size']:,}",
            record["created_at"][:19].replace("T", " "),
        )
        for record in records
    ]
    return present.table(columns, rows, right=["size"])


@app.command()
def show(
    model: options.Spec,
    relation: Annotated[
        str | None,
        typer.Option("--for", metavar="RELATION", help="Bind it to a table, a view or a SELECT."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMNS", help="With --for: the key.")
    ] = None,
    map: options.Map = None,
    null: options.Null = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Show a model; with --for, which column would feed each feature, without scoring.

    Example: sqlscore model show churn --for customers
    """
    with options.opened(db) as database:
        if relation is None:
            return _show(database, model, as_json=as_json)
        bound = database.bind(
            [model],
            source=relation,
            key=options.names(key) or None,
            map=options.pairs(map, "--map"),
            nulls=options.pairs(null, "--null"),
        )
    if as_json:
        return present.document(bound)
    return describe.show_bound(bound)


def _show(database: Database, model: str, *, as_json: bool) -> None:
    version = database.models.version(model)
    aliases = database.models.aliases(version.name)
    kept = database.models.examples(str(version))
    measured = database.models.measures(str(version))
    signature = database.models[str(version)].signature
    if as_json:
        record = {**describe.version_record(version, aliases, kept), "measures": measured}
        return present.document({**record, "signature": describe.signature_record(signature)})
    fields = describe.version_fields(version, aliases, kept)
    present.fields(fields | describe.providers(measured))
    return describe.show_signature(signature)


app.command()(keeping.alias)
app.command()(keeping.check)
app.command()(keeping.copy)
app.command()(compiling.install)


@app.command()
def remove(
    model: Annotated[str, typer.Argument(metavar="NAME:VERSION", help="The version to remove.")],
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Remove one version; a version that an alias points to stays.

    Example: sqlscore model remove churn:3
    """
    with options.opened(db) as database:
        database.models.remove(model)
    if as_json:
        return present.document({"removed": model})
    return present.say(f"{model} is gone.")


@app.command()
def export(
    model: options.Spec,
    output: Annotated[options.File, typer.Option("-o", "--out", help="The ONNX file to write.")],
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a model's bytes, exactly as they were added, to a file.

    Example: sqlscore model export churn@production -o churn.onnx
    """
    if output.exists() and not force:
        raise typer.BadParameter(f"{str(output)!r} is there already; --force writes over it")
    with options.opened(db) as database:
        version = database.models.version(model)
        stored = database.models[str(version)].graph.stored
    output.write_bytes(stored)
    if as_json:
        return present.document({"model": str(version), "file": str(output), "size": len(stored)})
    return present.say(f"Wrote {version} ({len(stored):,} bytes) to {output}.")
