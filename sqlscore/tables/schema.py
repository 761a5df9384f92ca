"""The schema that holds the owned tables of a database: it travels with the engine.

It is ``sqlscore``, unless the engine, by its URL or by `connect`, or the environment variable
``SQLSCORE_SCHEMA`` names another. Where a product has no schemas, it is the tables' prefix.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sqlscore.errors import DatabaseError

if TYPE_CHECKING:
    import sqlalchemy as sa

OPTION = "sqlscore_schema"  #: of an engine, and the parameter of a URL that sets it
_VARIABLE = "SQLSCORE_SCHEMA"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")


def schema_of(engine: sa.Engine) -> str:
    """The schema of the engine's owned tables; their prefix where there are no schemas."""
    chosen = engine.get_execution_options().get(OPTION) or os.environ.get(_VARIABLE)
    return checked(chosen) if chosen else "sqlscore"


def where_named(schema: str, *, schemas: bool) -> tuple[str | None, str]:
    """The schema that the owned tables are in, and the prefix of their names, by the product."""
    return (schema, "") if schemas else (None, f"{schema}_")


def placed(engine: sa.Engine, schema: str) -> sa.Engine:
    """An engine over the same connections whose owned tables are in that schema."""
    return engine.execution_options(**{OPTION: checked(schema)})


def placed_like(engine: sa.Engine, other: sa.Engine) -> sa.Engine:
    """The engine, with the other's schema where it names none itself."""
    ours, theirs = (e.get_execution_options().get(OPTION) for e in (engine, other))
    return placed(engine, theirs) if theirs and not ours else engine


def checked(schema: str) -> str:
    """The name; `DatabaseError` where it can be no schema's on every product."""
    if _NAME.fullmatch(schema):
        return schema
    raise DatabaseError(
        f"{schema!r} cannot be the schema of sqlscore's tables: it has a letter or '_' first, then "
        "letters, digits and '_', at most 30 in all"
    )
