"""The owned tables made or upgraded on purpose, here or by hand from a script, with their GRANTs.

Whoever adds the first model makes them too; this is for databases whose administrators want to
read every statement, and to give a job no more rights than it needs.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.tables import layout_version, owned_by, pending, schema_of
from sqlscore.tables.rights import grants
from sqlscore.transact import transact
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.products.product import Product

#: the roles that `--grants` names where nobody says others
ROLES = {"job": "sqlscore_job", "models": "sqlscore_models", "reader": "sqlscore_reader"}


def script(engine: sa.Engine, product: Product, roles: Mapping[str, str]) -> list[str]:
    """What `make` would run, as SQL text; nothing is changed, not even by making an empty file."""
    with ExitStack() as stack:
        looked_at = engine
        if product.absent(engine):
            looked_at = sa.create_engine(engine.url.set(database=":memory:"))
            stack.callback(looked_at.dispose)
        stack.enter_context(translated("looking for the sqlscore tables", url=engine.url))
        connection = stack.enter_context(looked_at.connect())
        statements = _statements(engine, connection, product, roles)
        return [_text(statement, engine.dialect) for statement in statements]


def make(engine: sa.Engine, product: Product, roles: Mapping[str, str]) -> list[str]:
    """Make or upgrade the owned tables, and grant rights on them; the SQL that was run."""

    def work() -> list[str]:
        with engine.begin() as connection:
            statements = _statements(engine, connection, product, roles)
            for statement in statements:
                connection.execute(statement)
        return [_text(statement, engine.dialect) for statement in statements]

    return transact(engine, work, "making the sqlscore tables")


def refuse_absent(engine: sa.Engine, product: Product) -> None:
    """Raise `DatabaseError` where there is nothing to upgrade."""
    if not product.absent(engine):
        with translated("looking for the sqlscore tables", url=engine.url), engine.connect() as c:
            if layout_version(c, owned_by(engine, schemas=product.schemas)):
                return
    raise DatabaseError(
        f"there are no sqlscore tables under the name {schema_of(engine)!r} to upgrade. "
        "'sqlscore init' makes them; SQLSCORE_SCHEMA says where they are, if they have another name"
    )


def _statements(
    engine: sa.Engine, connection: sa.Connection, product: Product, roles: Mapping[str, str]
) -> list[sa.Executable]:
    tables = owned_by(engine, schemas=product.schemas)
    if roles and not product.roles:
        raise DatabaseError(
            f"{product.name} has no roles to grant rights to: who may open the file may do all"
        )
    return [*pending(connection, tables), *grants(tables, roles)]


def _text(statement: sa.Executable, dialect: sa.Dialect) -> str:
    compiled = cast("sa.ClauseElement", statement).compile(
        dialect=dialect, compile_kwargs={"literal_binds": True}
    )
    lines = (line.rstrip() for line in str(compiled).strip().replace("\t", "    ").split("\n"))
    return "\n".join(lines)
