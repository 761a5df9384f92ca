"""``sqlscore install`` and ``uninstall``: functions inside the database."""

from __future__ import annotations

from typing import Annotated

import typer

from sqlscore.cli import options, present


def install(
    python_path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDERS",
            help="Folders on the server that have the package sqlscore; those used here, if none.",
        ),
    ] = None,
    queue: Annotated[
        bool,
        typer.Option("--queue", help="Functions over a queue, which 'sqlscore worker' serves."),
    ] = False,
    print_sql: options.PrintSql = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Put functions into the database, so that its SQL scores; or upgrade those that are there.

    PostgreSQL with PL/Python, by a superuser; without it, or with --queue, functions over a queue
    that 'sqlscore worker' serves; so on MariaDB. SQL Server, by a member of db_owner: run it again
    there after models were added. The tables that keep models are made too.

    --print-sql is for who may not: the text is for the database's own client.

    Example: sqlscore install --db postgresql://postgres@localhost/shop
    """
    with options.opened(db) as database:
        folders = options.names(python_path)
        if print_sql:
            return _printed(database.install_sql(python_path=folders, queue=queue), as_json)
        found = database.install(python_path=folders, queue=queue)
        advice = database.queue.advice if "queue" in found else database.routines.advice
        where = database.url
    if as_json:
        return present.document(found)
    present.say(f"Installed into {where}:")
    present.fields({name: str(value) for name, value in found.items() if name != "folders"})
    return present.say(advice)


def uninstall(
    purge: Annotated[bool, typer.Option("--purge", help="Drop all models and runs, too.")] = False,
    print_sql: options.PrintSql = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Take the functions out of the database; models and runs stay, unless --purge.

    It refuses where views or triggers depend on them, and names these.

    Example: sqlscore uninstall
    """
    with options.opened(db) as database:
        if print_sql:
            return _printed(database.uninstall_sql(purge=purge), as_json)
        database.uninstall(purge=purge)
        where = database.url
    if as_json:
        return present.document({"uninstalled": where, "purged": purge})
    gone = "The functions, models and runs are" if purge else "The functions are"
    return present.say(f"{gone} gone from {where}.")


def _printed(text: str, as_json: bool) -> None:
    if as_json:
        return present.document({"sql": text, "run": False})
    return present.say(text)
