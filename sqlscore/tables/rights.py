"""The rights that people need on the owned tables, by what they do; least of them, as GRANTs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from sqlscore.errors import SqlscoreError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlscore.tables.owned import Tables

_READ = ("SELECT",)
_GROW = ("SELECT", "INSERT", "UPDATE")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")

#: what somebody does -> table -> the rights for it; a table that is not named is not their business
RIGHTS: dict[str, dict[str, tuple[str, ...]]] = {
    "job": {  # runs jobs with the models that are there
        "layout": _READ,
        "models": _READ,
        "model_parts": _READ,
        "examples": _READ,
        "measures": _READ,
        "aliases": _READ,
        "runs": _GROW,
        "ranges": _GROW,
        "quarantine": ("SELECT", "INSERT"),
        "leases": _ALL,
        "watermarks": _ALL,
        "costs": _READ,
        "routines": _READ,
    },
    "models": {  # adds and removes models, and moves aliases
        "layout": ("SELECT", "UPDATE"),  # writers of models take turns by its row
        "models": _GROW,
        "model_parts": _ALL,
        "examples": _ALL,
        "measures": _ALL,
        "aliases": _ALL,
        "alias_changes": ("SELECT", "INSERT"),
        "costs": _ALL,
        "routines": _ALL,
    },
    "reader": {  # looks at runs, and sees no row that was scored
        "layout": _READ,
        "runs": _READ,
        "ranges": _READ,
        "leases": _READ,
        "watermarks": _READ,
    },
}
#: what each may do with the schema: a job stages there what a SELECT gives only once
_SCHEMA = {"job": ("USAGE", "CREATE"), "models": ("USAGE",), "reader": ("USAGE",)}


class Grant(sa.schema.ExecutableDDLElement):
    """``GRANT … ON … TO …``, on a table or on the schema of that name."""

    def __init__(self, rights: tuple[str, ...], on: sa.Table | str, role: str) -> None:
        self.rights, self.on, self.role = rights, on, role


@compiles(Grant)
def _grant(statement: Grant, compiler: Any, **_: Any) -> str:
    names, on = compiler.preparer, statement.on
    what = f"SCHEMA {names.quote(on)}" if isinstance(on, str) else names.format_table(on)
    return f"GRANT {', '.join(statement.rights)} ON {what} TO {names.quote(statement.role)}"


#: SQL Server's words for rights on a schema; to make a table there takes one on the database, too
_ON_A_SCHEMA = {"USAGE": "VIEW DEFINITION", "CREATE": "ALTER"}


@compiles(Grant, "mssql")
def _grant_mssql(statement: Grant, compiler: Any, **_: Any) -> str:
    if not isinstance(statement.on, str):
        return _grant(statement, compiler)
    schema, role = (compiler.preparer.quote(name) for name in (statement.on, statement.role))
    rights = ", ".join(_ON_A_SCHEMA[right] for right in statement.rights)
    making = f"; GRANT CREATE TABLE TO {role}" if "CREATE" in statement.rights else ""
    return f"GRANT {rights} ON SCHEMA::{schema} TO {role}{making}"


def grants(tables: Tables, roles: Mapping[str, str]) -> Iterator[Grant]:
    """The GRANTs for roles that exist, by what each is to do: ``{"job": "etl"}``."""
    for what, role in roles.items():
        if what not in RIGHTS:
            raise SqlscoreError(
                f"{what!r} is nothing that rights are granted for.{nearest(what, RIGHTS)} "
                f"There are: {', '.join(RIGHTS)}"
            )
        if tables.metadata.schema is not None:
            yield Grant(_SCHEMA[what], tables.metadata.schema, role)
        for name, rights in RIGHTS[what].items():
            yield Grant(rights, getattr(tables, name), role)
