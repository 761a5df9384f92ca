"""Functions and procedures inside PostgreSQL, by PL/Python: put there, and taken away.

The scripts do the work; here is what they cannot know: which Python PL/Python runs, and whether it
can import this package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from sqlscore.errors import DatabaseError
from sqlscore.products.queue import NoRoom
from sqlscore.products.routines import Routines
from sqlscore.products.scripts import by_hand, script
from sqlscore.tables.schema import schema_of
from sqlscore.transact import transact
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Engine

Result = TypeVar("Result")

#: how a person runs a printed text, whole or not at all
PSQL = "psql -1 -v ON_ERROR_STOP=1 -f THIS_FILE DATABASE"
_DEPENDED_ON = "2BP01"  # SQLSTATE: other objects depend on what was to be dropped
#: SQLSTATE: what two databases meet that install at once, since roles are the whole server's: a
#: role that the other one dropped, a row of a catalogue that it changed
_IN_THE_WAY = frozenset({"42704", "XX000"})

_PROBE = """
CREATE FUNCTION pg_temp.sqlscore_probe(folders text[]) RETURNS text LANGUAGE plpython3u AS $probe$
import json, os, site, sys
for folder in folders:
    site.addsitedir(folder)
found = {"python": "%d.%d.%d" % sys.version_info[:3]}
found["closed"] = [f for f in folders if not os.access(f, os.R_OK | os.X_OK)]
for name in ("numpy", "pyarrow", "onnx", "onnxruntime", "sqlscore"):
    try:
        found[name] = __import__(name).__version__
    except Exception as error:
        found["error"] = "%s: %s" % (name, error)
        break
return json.dumps(found)
$probe$
"""


def install(engine: Engine, folders: Sequence[str], versions: Mapping[str, str]) -> dict[str, Any]:
    """Make the functions, or upgrade them; what PL/Python runs: Python, onnxruntime, folders.

    Without `folders` it is given those that this process has the package from. `versions` of
    packages must be the same there. One transaction: what fails leaves nothing. Raises
    DatabaseError, which says what to do.
    """
    refuse_other_schema(engine)
    engine.dispose()  # a process of the server that has imported the package would find it anyhow
    given = [str(Path(folder)) for folder in folders] or _own_folders()

    def work(connection: Connection) -> dict[str, Any]:
        _extension(connection)
        found = _probe(connection, given, versions)
        run_scripts(connection, "rights", "install")
        connection.exec_driver_sql("DELETE FROM sqlscore.python_folders")
        insert = "INSERT INTO sqlscore.python_folders VALUES (%s, %s)"
        for number, folder in enumerate(given, 1):
            connection.exec_driver_sql(insert, (number, folder))
        return {**found, "folders": given}

    return as_a_whole(engine, work, "installing the functions")


def install_sql(engine: Engine, folders: Sequence[str], tables: Sequence[str]) -> str:
    """What `install` would run. NoRoom where the server has no PL/Python."""
    refuse_other_schema(engine)
    with translated("looking for PL/Python", url=engine.url), engine.connect() as connection:
        _refuse_no_room(connection)
    given = [str(Path(folder)) for folder in folders] or _own_folders()
    rows = ",\n    ".join(f"({n}, {_quoted(folder)})" for n, folder in enumerate(given, 1))
    text = by_hand("postgres", f"As a superuser: {PSQL}", tables, "rights", "install")
    return (
        f"{text}\n\n-- The folders that have the package sqlscore, on the server's own machine.\n"
        f"DELETE FROM sqlscore.python_folders;\n"
        f"INSERT INTO sqlscore.python_folders VALUES\n    {rows};"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def uninstall_sql(*, purge: bool) -> str:
    """What `uninstall` would run."""
    names = ["uninstall", *(["purge"] if purge else [])]
    return by_hand("postgres", f"As who installed it: {PSQL}", (), *names)


def uninstall(engine: Engine, *, purge: bool) -> None:
    """Take the functions away; with `purge` models, runs and rights on models, too.

    Raises DatabaseError that names what depends on them.
    """

    def work(connection: Connection) -> None:
        try:
            run_scripts(connection, "uninstall", *(["purge"] if purge else []))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _DEPENDED_ON:
                raise
            details = error.orig.diag.message_detail  # type: ignore[union-attr]
            raise DatabaseError(
                f"sqlscore is in use here, so nothing was taken away: {details}. Drop that first"
            ) from error

    as_a_whole(engine, work, "taking the functions away")


def _refuse_no_room(connection: Connection) -> None:
    offered = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = 'plpython3u'"
    ).scalar_one()
    major = connection.exec_driver_sql("SHOW server_version").scalar_one().partition(".")[0]
    if not offered:
        raise NoRoom(
            "this server has no PL/Python. On Debian and Ubuntu, on the server's machine, run: "
            f"apt-get install postgresql-plpython3-{major}. A managed service may not offer it: "
            "there, use the queue (sqlscore install --queue)"
        )


def _extension(connection: Connection) -> None:
    _refuse_no_room(connection)
    allowed = connection.exec_driver_sql(
        "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ).scalar_one()
    if not allowed:
        raise DatabaseError(
            "only a superuser may make functions in PL/Python, which can do what the server's own "
            "account can. Give a superuser's URL with --db, or use the queue, which needs none "
            "(sqlscore install --queue)"
        )
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS plpython3u")


def _probe(
    connection: Connection, folders: Sequence[str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """What PL/Python's Python has; DatabaseError where that is not enough."""
    connection.exec_driver_sql(_PROBE.replace("%", "%%"))
    text = connection.exec_driver_sql(
        "SELECT pg_temp.sqlscore_probe(%s::text[])", (list(folders),)
    ).scalar_one()
    connection.exec_driver_sql("DROP FUNCTION pg_temp.sqlscore_probe(text[])")
    found: dict[str, Any] = json.loads(text)
    closed = found.pop("closed")
    wrong = found.get("error") or _differs(found, versions)
    if wrong:
        python = ".".join(found["python"].split(".")[:2])
        unread = f" The server's account cannot read {', '.join(closed)}." if closed else ""
        raise DatabaseError(
            f"PL/Python runs Python {found['python']}, and with the folders {', '.join(folders)} "
            f"it cannot run sqlscore: {wrong}.{unread} On the server's machine run:\n"
            f"  python{python} -m venv /opt/sqlscore\n"
            f"  /opt/sqlscore/bin/pip install "
            f"{' '.join(f'{name}=={there}' for name, there in versions.items())}\n"
            f"then: sqlscore install --python-path /opt/sqlscore/lib/python{python}/site-packages"
        )
    return found


def _differs(found: Mapping[str, Any], versions: Mapping[str, str]) -> str | None:
    """What is another version there than here; bits are the same with the same onnxruntime."""
    for name, here in versions.items():
        if _minor(found[name]) != _minor(here):
            return f"it has {name} {found[name]}, and this is {here}"
    return None


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _own_folders() -> list[str]:
    """Where this process has sqlscore and its packages from, if its Python is an ordinary one."""
    import numpy as np

    packages = Path(np.__file__).parent.parent
    package = Path(sys.modules["sqlscore"].__file__ or "").parent.parent
    return list(dict.fromkeys(map(str, (package, packages))))


def refuse_other_schema(engine: Engine) -> None:
    """DatabaseError where the owned tables are not where the scripts look for them."""
    if schema_of(engine) != "sqlscore":
        raise DatabaseError(
            f"the tables of sqlscore are in the schema {schema_of(engine)!r} here, and its "
            "functions work with tables in the schema 'sqlscore' only"
        )


def as_a_whole(engine: Engine, work: Callable[[Connection], Result], doing: str) -> Result:
    """What `work` returns, in one transaction; again where another database's was in its way."""

    def whole() -> Result:
        with engine.begin() as connection:
            return work(connection)

    return transact(engine, whole, doing, also=_IN_THE_WAY)


def run_scripts(connection: Connection, *names: str) -> None:
    """Scripts of several statements, as they are."""
    for name in names:
        text = script("postgres", name)
        connection.execution_options(no_parameters=True).exec_driver_sql(text)


ROUTINES = Routines(
    install=install,
    install_sql=install_sql,
    uninstall=uninstall,
    uninstall_sql=uninstall_sql,
    advice="Who may call: GRANT sqlscore_caller TO somebody;\n"
    "which model: SELECT sqlscore.grant_model('churn', 'somebody');",
)
