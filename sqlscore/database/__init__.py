"""The face of one database: its models, the runs that score its tables, the statements over them.

Each subject has a module of its own; `Database` has the methods of all.
"""

from __future__ import annotations

import sqlalchemy as sa

from sqlscore.database.runs import Runs
from sqlscore.database.scoring import Scoring
from sqlscore.database.scripts import Scripts
from sqlscore.database.upkeep import Upkeep
from sqlscore.errors import DatabaseError
from sqlscore.products import engine_for
from sqlscore.tables import placed


def connect(
    url: str | sa.URL | sa.Engine, *, schema: str | None = None, connections: int | None = None
) -> Database:
    """A database by its SQLAlchemy URL, or over an Engine of the caller's.

    schema: where sqlscore's own tables are; their prefix where the product has no schemas. By
        default the URL's parameter ``sqlscore_schema``, else the environment variable
        ``SQLSCORE_SCHEMA``, else ``sqlscore``.

    connections: the most to have at once, also to each database that a URL of `source_db=` or
        `target_db=` names; by default the URL's parameter ``sqlscore_connections``, else no bound
        but SQLAlchemy's own. An Engine has a pool of its own that says so.

    Nothing is connected or created before it is needed. Raises `DatabaseError` for what is no URL,
    for fewer connections than the product needs and for `connections` beside an Engine,
    `MissingExtra` where the driver is not installed.
    """
    if isinstance(url, sa.Engine) and connections is not None:
        raise DatabaseError(
            "connections= goes with a URL. An Engine has its own: "
            "create_engine(url, pool_size=…, max_overflow=0)"
        )
    engine = url if isinstance(url, sa.Engine) else engine_for(url, connections=connections)
    return Database(engine if schema is None else placed(engine, schema))


class Database(Scoring, Runs, Scripts, Upkeep):
    """One database, with the models that it keeps and the runs that it saw."""
