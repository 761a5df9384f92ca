"""``sqlscore init``, ``upgrade`` and ``clean``: the tables that sqlscore owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqlscore.cli import options, present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.database import Database

Schema = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        envvar="SQLSCORE_SCHEMA",
        show_default=False,
        help="The schema for sqlscore's tables; their prefix where there are no schemas.",
    ),
]
Grants = Annotated[bool, typer.Option("--grants", help="Grant what jobs and readers need, too.")]
Role = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FOR=ROLE",
        help="With --grants: the role for job, models or reader, instead of sqlscore_job, …",
    ),
]


def init(
    schema: Schema = None,
    print_sql: options.PrintSql = False,
    grants: Grants = False,
    role: Role = None,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Make sqlscore's own tables, or print the SQL for somebody who may.

    Nobody has to: they are made when they are first needed, by who has the right to. The roles of
    --grants must be there.

    Example: sqlscore init --schema ml --print-sql --grants > init.sql
    """
    given = options.pairs(options.names(role), "--role")
    if given and not grants:
        raise typer.BadParameter("--role says whom to grant rights to: add --grants")
    with options.opened(db, schema) as database:
        statements = database.init(grants=given or grants, dry_run=print_sql)
        _shown(database, statements, print_sql=print_sql, as_json=as_json)


def upgrade(
    schema: Schema = None,
    print_sql: options.PrintSql = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Bring sqlscore's own tables to the layout of this version, or print the SQL for it.

    They are upgraded when they are next used, by who has the right to. An older sqlscore refuses
    to work with a newer layout.

    Example: sqlscore upgrade --print-sql
    """
    with options.opened(db, schema) as database:
        statements = database.upgrade(dry_run=print_sql)
        _shown(database, statements, print_sql=print_sql, as_json=as_json)


def clean(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Since a run's end: 90d, 12h.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, only.")] = False,
    db: options.Db = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Take away the records of runs that ended long ago, and tables that ended runs staged.

    Unfinished runs stay, and the newest of each target, and what watermarks and leases name.

    Example: sqlscore clean --older-than 90d --dry-run
    """
    age = options.span(older_than, "--older-than")
    assert age is not None
    with options.opened(db) as database:
        cleaned = database.clean(older_than=age, dry_run=dry_run)
    if as_json:
        return present.document(cleaned)
    gone = [_counted(len(cleaned.runs), "run")]
    gone += [f"{_counted(count, 'row')} of {table}" for table, count in cleaned.rows.items()]
    gone += [f"the table {table}" for table in cleaned.tables]
    return present.say(f"{'Would remove' if dry_run else 'Removed'} {', '.join(gone)}.")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _shown(
    database: Database, statements: Sequence[str], *, print_sql: bool, as_json: bool
) -> None:
    if as_json:
        return present.document({"statements": statements, "run": not print_sql})
    if not statements:
        return present.note("Nothing to do: the tables are as this sqlscore wants them.")
    if print_sql:
        return present.say("\n\n".join(f"{statement};" for statement in statements))
    return present.say(f"Ran {len(statements)} statements in {database.url}.")
