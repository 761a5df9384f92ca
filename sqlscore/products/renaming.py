"""A swap by rename, for products whose indexes are kept as the statements that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from sqlscore.products.product import Unit


def take_place(unit: Unit, staged: Table, table: Table, indexes: Iterable[str]) -> None:
    """Drop the table, give the staged one its name, make the table's indexes anew."""
    unit.execute(sa.schema.DropTable(table))
    old = ".".join(_quoted(part) for part in (staged.schema, staged.name) if part)
    unit.execute(_verbatim(f"ALTER TABLE {old} RENAME TO {_quoted(table.name)}"))
    for statement in indexes:
        unit.execute(_verbatim(statement))


def _verbatim(statement: str) -> sa.TextClause:
    return sa.text(statement.replace(":", r"\:"))  # a colon in a name starts no parameter


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
