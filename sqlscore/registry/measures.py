"""What was measured of execution providers, kept with the version: one row a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore import tables
from sqlscore.prove.providers import Measured

if TYPE_CHECKING:
    from sqlscore.registry.versions import Version
    from sqlscore.tables.owned import Tables


def stored(connection: sa.Connection, owned: Tables, version: Version) -> dict[str, Measured]:
    """What is kept of a version, by provider."""
    table = owned.measures
    query = sa.select(table.c.provider, table.c.found).where(_of(table, version))
    rows = connection.execute(query.order_by(table.c.provider))
    return {row.provider: Measured.from_json(row.found) for row in rows}


def store(connection: sa.Connection, owned: Tables, version: Version, found: Measured) -> None:
    """Keep what was measured in place of what was kept of that provider."""
    table = owned.measures
    this = _of(table, version) & (table.c.provider == found.provider)
    connection.execute(table.delete().where(this))
    row = {
        "name": version.name, "version": version.version, "provider": found.provider,
        "found": found.to_json(), "measured_at": tables.now(),
    }  # fmt: skip
    connection.execute(table.insert(), row)


def forget(connection: sa.Connection, owned: Tables, version: Version) -> None:
    """Keep nothing of a version any more."""
    connection.execute(owned.measures.delete().where(_of(owned.measures, version)))


def _of(table: sa.Table, version: Version) -> sa.ColumnElement[bool]:
    return (table.c.name == version.name) & (table.c.version == version.version)
