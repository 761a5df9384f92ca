"""``sqlscore model``: the models that a database keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import describe, options, present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.database import Database
    from sqlscore.registry import AliasChange

app = typer.Typer(help="Keep models in the database: add, list, show, …", no_args_is_help=True)

Spec = Annotated[
    str, typer.Argument(metavar="MODEL", help="churn (the newest), churn:3 or churn@production.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]


@app.command()
def add(
    name: Name,
    path: options.ModelFile,
    features: options.Features = None,
    output: options.Outputs = None,
    drop: options.Drop = None,
    alias: Annotated[str | None, typer.Option(help="Point this alias to the version.")] = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Check a model and keep it as the next version of its name.

    The same file with the same options gives the version that is there.

    Example: sqlscore model add churn churn.onnx --alias production
    """
    with options.opened(db) as database:
        version = database.models.add(
            name,
            path,
            features=options.names(features) or None,
            outputs=options.pairs(output, "--output") or None,
            drop=options.names(drop),
            alias=alias,
        )
        aliases = database.models.aliases(version.name)
    if as_json:
        return present.document(describe.version_record(version, aliases))
    return present.fields(describe.version_fields(version, aliases))


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
    model: Spec,
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
    signature = database.models[str(version)].signature
    if as_json:
        record = describe.version_record(version, aliases)
        return present.document({**record, "signature": describe.signature_record(signature)})
    present.fields(describe.version_fields(version, aliases))
    return describe.show_signature(signature)


@app.command()
def alias(
    name: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="For example production.")],
    version: Annotated[
        int | None, typer.Argument(metavar="VERSION", help="The version that it is to point to.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the alias away.")] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Point it to what it pointed to before.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show who moved it, when and where to.")
    ] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Point an alias to a version, or back, or take it away; or show who did.

    Example: sqlscore model alias churn production 3
    """
    if [version is not None, remove, rollback, history].count(True) != 1:
        raise typer.BadParameter("give the VERSION to point to, or --remove, --rollback, --history")
    with options.opened(db) as database:
        models = database.models
        if history:
            return _show_history(models.history(name, alias), as_json=as_json)
        if version is not None:
            models.alias(name, alias, version)
        elif rollback:
            version = models.rollback(name, alias)
        else:
            models.unalias(name, alias)
        aliases = models.aliases(name)
    if as_json:
        return present.document({"name": name, "aliases": aliases})
    points = f"points to {name}:{version}" if version else "is gone"
    return present.say(f"{name}@{alias} {points}.")


def _show_history(changes: Sequence[AliasChange], *, as_json: bool) -> None:
    if as_json:
        return present.document(changes)
    rows = [
        (
            change.number,
            "taken away" if change.version is None else f"version {change.version}",
            f"{change.changed_at:%Y-%m-%d %H:%M:%S}",
            change.database_user or "",
            change.system_user or "",
        )
        for change in changes
    ]
    return present.table(["change", "to", "when (UTC)", "database user", "user"], rows)


@app.command()
def copy(
    model: Spec,
    to_db: Annotated[
        str, typer.Option("--to-db", metavar="URL", help="The database that is to have it too.")
    ],
    name: Annotated[str | None, typer.Option(help="Another name there.")] = None,
    alias: Annotated[
        str | None, typer.Option(help="Point this alias there to the version.")
    ] = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Copy a version to another database: the same bytes, options and proof.

    Example: sqlscore model copy churn:3 --to-db postgresql://host/prod
    """
    with options.opened(db) as database, options.opened(to_db) as other:
        copied = database.models.copy(model, other.models, name=name, alias=alias)
        aliases = other.models.aliases(copied.name)
        where = other.url
    if as_json:
        return present.document(describe.version_record(copied, aliases))
    return present.say(f"{copied} in {where} is {model}: sha256 {copied.sha256}.")


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
    model: Spec,
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
