"""``sqlscore model alias``, ``check`` and ``copy``: what is done with versions that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import describe, options, present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.registry import AliasChange


def alias(
    name: options.Name,
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


def check(
    model: options.Spec,
    provider: options.Provider = "cpu",
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare a model with the examples that are kept with it, on this machine.

    Example: sqlscore model check churn@production --provider cuda
    """
    with options.opened(db) as database:
        version = database.models.version(model)
        found = database.models.check(str(version), provider=provider)
    if as_json:
        return present.document({"model": str(version), "provider": provider, "largest": found})
    return present.say(
        f"{version} gives its author's predictions on {provider}: at most {found} apart."
    )


def copy(
    model: options.Spec,
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
