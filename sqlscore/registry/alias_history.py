"""Who moved an alias, when and where to: rows that are added and never changed."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlscore import tables
    from sqlscore.products.product import Product


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasChange:
    """One change of an alias."""

    number: int  #: from 1, in the order of the changes
    version: int | None  #: where it pointed to from then on; None: it was taken away
    changed_at: datetime  #: UTC, without a zone
    database_user: str | None  #: None where the product has no users, or nobody noted it
    system_user: str | None  #: ``user@host`` of the process; None where nobody noted it

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> AliasChange:
        """The change in a row of the owned table ``alias_changes``."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def history(
    connection: sa.Connection, owned: tables.Tables, name: str, alias: str
) -> tuple[AliasChange, ...]:
    """The changes of an alias, the oldest first."""
    changes = owned.alias_changes
    query = sa.select(changes).where(changes.c.name == name, changes.c.alias == alias)
    rows = connection.execute(query.order_by(changes.c.number)).mappings()
    return tuple(AliasChange.from_row(dict(row)) for row in rows)


def note(
    connection: sa.Connection,
    owned: tables.Tables,
    product: Product,
    *,
    moved: Mapping[str, Any],
    unnoted: Mapping[str, Any] | None,
) -> None:
    """Add a change that is made now, by who makes it: `name`, `alias`, `version`, `changed_at`.

    `unnoted` is where the alias pointed before, which goes first where its history is empty: it was
    pointed there before there was a history.
    """
    changes = owned.alias_changes
    same = (changes.c.name == moved["name"]) & (changes.c.alias == moved["alias"])
    last = connection.scalar(sa.select(sa.func.max(changes.c.number)).where(same)) or 0
    if not last and unnoted is not None:
        last = 1
        connection.execute(changes.insert(), {**unnoted, "number": 1})
    # where files are the database, nobody logs in
    user = connection.scalar(sa.select(sa.func.current_user())) if product.roles else None
    who = {"database_user": user, "system_user": system_user()}
    connection.execute(changes.insert(), {**moved, "number": last + 1, **who})


def before(name: str, alias: str, now: int | None, changes: Sequence[AliasChange]) -> int:
    """The version that an alias pointed to before it pointed to `now`; RegistryError for none."""
    for change in reversed(changes):
        if change.version is not None and change.version != now:
            return change.version
    raise RegistryError(
        f"{name}@{alias} has pointed to no other version before, as far as its history goes. "
        f"Point it to one: sqlscore model alias {name} {alias} VERSION"
    )


def system_user() -> str:
    """Who runs this process, and where: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container often has no name for its user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:190]
