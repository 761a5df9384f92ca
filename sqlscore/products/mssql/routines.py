"""Procedures inside SQL Server: put there by the scripts of sql/mssql, and taken away.

Each door is a script of its own, put in where the server has what it stands on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.routines import Routines
from sqlscore.products.scripts import by_hand, script
from sqlscore.tables.schema import schema_of
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from sqlscore.products.routines import Ready

_GO = re.compile(r"^GO\s*$", re.MULTILINE | re.IGNORECASE)

#: script -> a query that says why the server does not take it; NULL: it does
_DOORS = {
    "external_script": """
        SELECT CASE WHEN SERVERPROPERTY('IsAdvancedAnalyticsInstalled') = 1 THEN NULL
               ELSE 'Machine Learning Services are not installed here' END AS missing
    """,
    "rest_endpoint": """
        SELECT CASE WHEN EXISTS (
                   SELECT 1 FROM sys.all_objects WHERE name = 'sp_invoke_external_rest_endpoint'
               ) THEN NULL ELSE 'there is no sp_invoke_external_rest_endpoint here' END AS missing
    """,
}
#: kind of a prediction -> as a script gives it, and its own type
_DECLARED = {
    "number": ("float", "float"), "integer": ("nvarchar(max)", "bigint"),
    "text": ("nvarchar(max)", "nvarchar(max)"), "list": ("nvarchar(max)", "nvarchar(max)"),
}  # fmt: skip


def batches(text: str) -> Iterator[str]:
    """The batches of a script, between lines that say GO."""
    yield from (part.strip() for part in _GO.split(text) if part.strip())


def install(
    engine: Engine, _folders: Sequence[str], _versions: Mapping[str, str]
) -> dict[str, Any]:
    """Make the procedures, or upgrade them; each door with why it was left out, or ``installed``.

    One transaction: what fails leaves nothing. DatabaseError, by a right that is missing and such.
    """
    _refuse_other_schema(engine)
    found: dict[str, Any] = {}
    with translated("installing the procedures", url=engine.url), engine.begin() as connection:
        _run(connection, "install")
        for door, query in _DOORS.items():
            found[door] = connection.exec_driver_sql(query).scalar_one() or "installed"
            if found[door] == "installed":
                _run(connection, door)
    return found


def install_sql(engine: Engine, _folders: Sequence[str], tables: Sequence[str]) -> str:
    """What `install` would run, but for the models, which it stores as they run there."""
    _refuse_other_schema(engine)
    doing = "looking for what the server has"
    with translated(doing, url=engine.url), engine.connect() as connection:
        doors = [
            door for door, query in _DOORS.items()
            if not connection.exec_driver_sql(query).scalar_one()
        ]  # fmt: skip
    return _by_hand(tables, "install", *doors)


def install_queue_sql(engine: Engine, tables: Sequence[str]) -> str:
    """What `install_queue` would run."""
    _refuse_other_schema(engine)
    return _by_hand(tables, "install", "queue")


def uninstall_sql(*, purge: bool) -> str:
    """What `uninstall` would run."""
    return _by_hand((), "uninstall", *(["purge"] if purge else []))


def _by_hand(tables: Sequence[str], *names: str) -> str:
    how = "By a member of db_owner: sqlcmd -d DATABASE -b -i THIS_FILE"
    return by_hand("mssql", how, tables, *names, between="\nGO")


def install_queue(engine: Engine) -> None:
    """Make the queue, or upgrade it. One transaction."""
    _refuse_other_schema(engine)
    with translated("installing the queue", url=engine.url), engine.begin() as connection:
        _run(connection, "install")
        _run(connection, "queue")


def _refuse_other_schema(engine: Engine) -> None:
    if schema_of(engine) != "sqlscore":
        raise DatabaseError(
            f"the tables of sqlscore are in the schema {schema_of(engine)!r} here, and its "
            "procedures work with tables in the schema 'sqlscore' only"
        )


def keep(engine: Engine, models: Sequence[Ready]) -> None:
    """Store versions as they run, in the place of all that were stored."""
    with translated("storing models as they run", url=engine.url), engine.begin() as connection:
        for table in (_MODELS, _FEATURES, _PREDICTIONS):
            connection.execute(sa.delete(table))
        for one in models:
            said = {"name": one.name, "version": one.version}
            ready = {"graph": one.graph, "signature": one.signature}
            connection.execute(sa.insert(_MODELS).values(**said, **ready))
            for ordinal, (feature, kind) in enumerate(one.features, 1):
                row = {"ordinal": ordinal, "feature": feature, "kind": kind}
                connection.execute(sa.insert(_FEATURES).values(**said, **row))
            for ordinal, (prediction, kind, short) in enumerate(one.predictions, 1):
                given, declared = _DECLARED[kind]
                row = {"given": given, "declared": "real" if short else declared}
                values = {**said, **row, "ordinal": ordinal, "prediction": prediction}
                connection.execute(sa.insert(_PREDICTIONS).values(**values))


def uninstall(engine: Engine, *, purge: bool) -> None:
    """Take the procedures away; with `purge` models, runs and rights on models, too."""
    with translated("taking the procedures away", url=engine.url), engine.begin() as connection:
        _run(connection, "uninstall")
        if purge:
            _run(connection, "purge")


def _run(connection: Connection, name: str) -> None:
    for batch in batches(script("mssql", name)):
        connection.execution_options(no_parameters=True).exec_driver_sql(batch)


_PLACE: dict[str, Any] = {"schema": "sqlscore"}
_MODELS = sa.table(
    "prepared_models",
    *map(sa.column, ("name", "version", "signature")),
    sa.column("graph", sa.LargeBinary()),
    **_PLACE,
)
_FEATURES = sa.table(
    "prepared_features",
    *map(sa.column, ("name", "version", "ordinal", "feature", "kind")),
    **_PLACE,
)
_PREDICTIONS = sa.table(
    "prepared_predictions",
    *map(sa.column, ("name", "version", "ordinal", "prediction", "given", "declared")),
    **_PLACE,
)
ROUTINES = Routines(
    install=install,
    install_sql=install_sql,
    uninstall=uninstall,
    uninstall_sql=uninstall_sql,
    keep=keep,
    advice="Who may call: ALTER ROLE sqlscore_caller ADD MEMBER somebody;\n"
    "which model: EXEC sqlscore.grant_model N'churn', N'somebody';",
)
