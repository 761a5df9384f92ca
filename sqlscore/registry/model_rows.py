"""The rows that a registry keeps in the owned tables, read and written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore import tables
from sqlscore.errors import RegistryError, nearest
from sqlscore.prove.examples import Examples
from sqlscore.registry import measures
from sqlscore.registry.alias_history import note
from sqlscore.registry.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlscore.products.product import Product
    from sqlscore.registry.running import Running

PART = 2**20  #: bytes of a part: with quoting it fits the smallest packet limit (MySQL 5.7: 4 MB)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRows:
    """The owned tables of models, seen in one transaction."""

    connection: sa.Connection
    owned: tables.Tables
    product: Product

    def names(self) -> tuple[str, ...]:
        """The names that have a version, sorted."""
        models = self.owned.models
        query = sa.select(models.c.name).where(models.c.removed_at.is_(None)).distinct()
        return tuple(sorted(self.connection.scalars(query)))

    def versions(self, name: str) -> tuple[Version, ...]:
        """The versions of a name that were not removed, oldest first."""
        models = self.owned.models
        query = (
            sa.select(models)
            .where(models.c.name == name, models.c.removed_at.is_(None))
            .order_by(models.c.version)
        )
        rows = self.connection.execute(query).mappings()
        return tuple(Version.from_row(dict(row)) for row in rows)

    def existing(self, name: str) -> tuple[Version, ...]:
        """The versions of a name; RegistryError where there is none."""
        versions = self.versions(name)
        if not versions:
            raise unknown_model(name, self.names())
        return versions

    def version(self, name: str, number: int | None) -> Version:
        """One version of a name, None for the newest; RegistryError where there is none."""
        versions = self.existing(name)
        for version in reversed(versions):
            if number in (None, version.version):
                return version
        has = ", ".join(str(v.version) for v in versions)
        raise RegistryError(
            f"model {name!r} has no version {number}; it has version"
            f"{'s' if len(versions) > 1 else ''} {has}"
        )

    def aliases(self, name: str) -> dict[str, int]:
        """The aliases of a name, and the version that each points to."""
        aliases = self.owned.aliases
        query = (
            sa.select(aliases.c.alias, aliases.c.version)
            .where(aliases.c.name == name)
            .order_by(aliases.c.alias)
        )
        return {row.alias: row.version for row in self.connection.execute(query)}

    def pointed(self, name: str, alias: str) -> int:
        """The version that an alias points to; RegistryError where there is no such alias."""
        self.existing(name)
        aliases = self.aliases(name)
        if alias not in aliases:
            has = f"it has {listed(aliases)}" if aliases else "it has none"
            raise RegistryError(
                f"model {name!r} has no alias {alias!r}; {has}.{nearest(alias, aliases)}"
            )
        return aliases[alias]

    def point(self, name: str, alias: str, version: int) -> None:
        """Make an alias point to a version, wherever it pointed before."""
        aliases = self.owned.aliases
        before = self._pointing(name, alias)
        if before is not None and before["version"] == version:
            return
        moved = {"name": name, "alias": alias, "version": version, "changed_at": tables.now()}
        if before is None:
            self.connection.execute(aliases.insert(), moved)
        else:
            there = (aliases.c.name == name) & (aliases.c.alias == alias)
            self.connection.execute(aliases.update().where(there).values(moved))
        note(self.connection, self.owned, self.product, moved=moved, unnoted=before)

    def unpoint(self, name: str, alias: str) -> None:
        """Take an alias away; RegistryError where there is none."""
        self.pointed(name, alias)
        aliases = self.owned.aliases
        there = (aliases.c.name == name) & (aliases.c.alias == alias)
        before = self._pointing(name, alias)
        self.connection.execute(aliases.delete().where(there))
        gone = {"name": name, "alias": alias, "version": None, "changed_at": tables.now()}
        note(self.connection, self.owned, self.product, moved=gone, unnoted=before)

    def _pointing(self, name: str, alias: str) -> Mapping[str, Any] | None:
        """The row of an alias; None where there is none."""
        aliases = self.owned.aliases
        query = sa.select(aliases).where(aliases.c.name == name, aliases.c.alias == alias)
        row = self.connection.execute(query).mappings().one_or_none()
        return None if row is None else dict(row)

    def add(self, row: Mapping[str, Any], stored: bytes, running: Running | None) -> Version:
        """Keep a new version of ``row["name"]``, and its bytes where they are not there yet.

        `running` is what ``row["runs"]`` names.
        """
        models = self.owned.models
        taken = sa.select(sa.func.max(models.c.version)).where(models.c.name == row["name"])
        full = {
            **row,
            "version": (self.connection.scalar(taken) or 0) + 1,
            "created_at": tables.now(),
            "removed_at": None,
        }
        self.connection.execute(models.insert(), full)
        self._keep(row["sha256"], stored)
        if running is not None:
            self._keep(running.sha256, running.graph)
        return Version.from_row(full)

    def unnoted(self) -> tuple[Version, ...]:
        """The versions of before `add` noted how functions inside a database run them."""
        models = self.owned.models
        query = sa.select(models).where(
            models.c.removed_at.is_(None), models.c.signature.not_like('%"numeric": %')
        )
        rows = self.connection.execute(query).mappings()
        return tuple(Version.from_row(dict(row)) for row in rows)

    def note(self, version: Version, noted: Mapping[str, Any], running: Running | None) -> None:
        """Note it of a version of before: its ``signature``, and what ``runs``."""
        models = self.owned.models
        row = (models.c.name == version.name) & (models.c.version == version.version)
        self.connection.execute(models.update().where(row).values(noted))
        if running is not None:
            self._keep(running.sha256, running.graph)

    def _keep(self, sha256: str, stored: bytes) -> None:
        parts = self.owned.model_parts
        there = sa.select(sa.func.count()).where(parts.c.sha256 == sha256)
        if self.connection.scalar(there):
            return
        for number, start in enumerate(range(0, len(stored), PART)):
            # one statement a part: drivers put many rows into one packet, which has a limit
            part = {"sha256": sha256, "part": number, "bytes": stored[start : start + PART]}
            self.connection.execute(parts.insert(), part)

    def examples(self, version: Version) -> Examples | None:
        """What is kept of the author's rows; None where none were given."""
        examples = self.owned.examples
        query = sa.select(examples.c.summary, examples.c.kept).where(self._of(version))
        row = self.connection.execute(query).one_or_none()
        return None if row is None else Examples.stored(row.summary, row.kept)

    def keep_examples(self, version: Version, examples: Examples) -> None:
        """Keep the author's rows with a version, in the place of those that it had."""
        table = self.owned.examples
        self.connection.execute(table.delete().where(self._of(version)))
        row = {
            "name": version.name, "version": version.version,
            "summary": examples.summary_json(), "kept": examples.kept_ipc(),
        }  # fmt: skip
        self.connection.execute(table.insert(), row)

    def _of(self, version: Version) -> sa.ColumnElement[bool]:
        examples = self.owned.examples
        return (examples.c.name == version.name) & (examples.c.version == version.version)

    def remove(self, version: Version) -> None:
        """Take a version away, and its bytes where no other has the same; its number stays."""
        self.connection.execute(self.owned.examples.delete().where(self._of(version)))
        measures.forget(self.connection, self.owned, version)
        models, parts = self.owned.models, self.owned.model_parts
        row = (models.c.name == version.name) & (models.c.version == version.version)
        runs = self.connection.scalar(sa.select(models.c.runs).where(row))
        self.connection.execute(models.update().where(row).values(removed_at=tables.now()))
        for sha256 in {version.sha256, runs} - {None}:
            others = sa.select(sa.func.count()).where(
                sa.or_(models.c.sha256 == sha256, models.c.runs == sha256),
                models.c.removed_at.is_(None),
            )
            if not self.connection.scalar(others):
                self.connection.execute(parts.delete().where(parts.c.sha256 == sha256))

    def stored(self, sha256: str) -> bytes:
        """The bytes of a model as they lie in the database, not checked."""
        parts = self.owned.model_parts
        query = sa.select(parts.c.bytes).where(parts.c.sha256 == sha256).order_by(parts.c.part)
        return b"".join(self.connection.scalars(query))


def unknown_model(name: str, names: Sequence[str]) -> RegistryError:
    """The error for a name that has no version."""
    has = f"There are: {listed(names)}." if names else "This database has no model yet."
    return RegistryError(f"there is no model {name!r}. {has}{nearest(name, names)}")


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names for a message, quoted; the first of them where there are many."""
    every = list(names)
    more = f", … ({len(every)} in all)" if len(every) > most else ""
    return ", ".join(repr(name) for name in every[:most]) + more
