"""One database: is it reached, may sqlscore make its tables there, what hinders it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.database import connect
from sqlscore.doctor.check import Check, State
from sqlscore.errors import SqlscoreError
from sqlscore.tables import LAYOUT, layout_version, owned_by
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlscore.database import Database


def database(url: str) -> Iterator[Check]:
    """Whether it is reached, and what sqlscore may and can do there."""
    try:
        with connect(url) as found:
            yield _reached(found)
            for subject, look in _LOOKS.items():
                yield _looked(subject, look, found)
    except SqlscoreError as error:
        yield Check(subject="database", state=State.BAD, found=str(error))


def _reached(database: Database) -> Check:
    engine = database.engine
    with translated("connecting", url=engine.url), engine.connect() as connection:
        number = _server_version(connection)
    found = f"{database.product.name} {number} at {database.url}, by {engine.driver}"
    return Check(subject="database", state=State.GOOD, found=found)


def _server_version(connection: sa.Connection) -> str:
    """What the server says of itself, in short; SQLAlchemy's guess where it does not say."""
    try:
        said = str(connection.scalar(sa.text("SELECT version()")))
    except sa.exc.SQLAlchemyError:  # SQLite has no such function
        said = ".".join(map(str, connection.dialect.server_version_info or ()))
    number = re.search(r"\d+(\.\d+)+", said)
    return number[0] if number else "of unknown version"


def _looked(subject: str, look: Callable[[Database, str], Check], database: Database) -> Check:
    try:
        return look(database, subject)
    except SqlscoreError as error:
        return Check(subject=subject, state=State.BAD, found=str(error))


def _layout(database: Database, subject: str) -> Check:
    """Whether the tables that sqlscore owns are there, and known."""
    tables = owned_by(database.engine, schemas=database.product.schemas)
    with translated("looking for them", url=database.engine.url), database.engine.connect() as c:
        found = layout_version(c, tables)
    if found > LAYOUT:
        return Check(
            subject=subject,
            state=State.BAD,
            found=f"layout {found}, and this sqlscore knows layouts up to {LAYOUT}",
            remedy="pip install -U sqlscore",
        )
    if not found:
        return _may_make(database, subject, tables.layout.schema)
    older = f"; upgraded to layout {LAYOUT} when they are used next" if found < LAYOUT else ""
    return Check(subject=subject, state=State.GOOD, found=f"layout {found}{older}")


def _may_make(database: Database, subject: str, schema: str | None) -> Check:
    """Whether a table can be made, in a schema that may have to be made too."""
    table = sa.Table(
        f"sqlscore_doctor_{secrets.token_hex(4)}",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    make = sa.schema.CreateTable(table)
    with database.product.unit(database.engine, None) as unit:
        if schema is not None:
            unit.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        unit.execute(make)
        # leaving without a commit takes it back, where the product can take back DDL at all
    with translated("dropping it again", url=database.engine.url), database.engine.begin() as c:
        table.drop(c, checkfirst=True)
    return Check(subject=subject, state=State.GOOD, found="not there yet; they can be made")


def _targets(database: Database, subject: str) -> Check:
    made = _may_make(database, subject, None)
    return Check(subject=subject, state=made.state, found="new tables can be made")


def _overlap(database: Database, subject: str) -> Check:
    with translated("asking how it commits", url=database.engine.url):
        blocked = database.product.readers_block_commit(database.engine)
    if not blocked:
        found = "rows are read while predictions are written"
        return Check(subject=subject, state=State.GOOD, found=found)
    return Check(
        subject=subject,
        state=State.SLOW,
        found="a rollback journal: nothing is read while predictions are written",
        remedy="PRAGMA journal_mode = WAL, once, if all its users are on this machine",
    )


_LOOKS: dict[str, Callable[[Database, str], Check]] = {
    "sqlscore's tables": _layout,
    "targets": _targets,
    "reading and writing": _overlap,
}
