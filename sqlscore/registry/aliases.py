"""The aliases of a registry's models: names such as ``production`` that move between versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.registry.alias_history import AliasChange, before, history
from sqlscore.registry.model_rows import ModelRows, unknown_model
from sqlscore.registry.versions import checked_name

if TYPE_CHECKING:
    from sqlscore.registry.turns import Turns


class Aliases:
    """What a registry does with aliases."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def aliases(self, name: str) -> dict[str, int]:
        """The aliases of a name and the number of the version that each points to."""
        name = checked_name(name)
        return (
            self._turns.read(lambda rows: rows.aliases(name), f"listing aliases of {name!r}") or {}
        )

    def alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias of `name` to a version, wherever it pointed before."""
        name, alias = checked_name(name), checked_name(alias, "alias")

        def point(rows: ModelRows) -> None:
            rows.point(name, alias, rows.version(name, version).version)

        self._turns.change(name, point, f"pointing {name}@{alias} to version {version}")

    def unalias(self, name: str, alias: str) -> None:
        """Take an alias away; the version that it points to stays."""
        name, alias = checked_name(name), checked_name(alias, "alias")
        self._turns.change(
            name, lambda rows: rows.unpoint(name, alias), f"taking {name}@{alias} away"
        )

    def history(self, name: str, alias: str) -> tuple[AliasChange, ...]:
        """The changes of an alias, the oldest first: who, when, where to."""
        name, alias = checked_name(name), checked_name(alias, "alias")

        def look(rows: ModelRows) -> tuple[AliasChange, ...]:
            found = history(rows.connection, rows.owned, name, alias)
            if not found:
                rows.pointed(name, alias)  # says so where there is no such alias
            return found

        found = self._turns.read(look, f"reading the history of {name}@{alias}")
        if found is None:
            raise unknown_model(name, ())
        return found

    def rollback(self, name: str, alias: str) -> int:
        """Point an alias to the version that it pointed to before; that version.

        One that was taken away comes back. Raises RegistryError where there was none.
        """
        name, alias = checked_name(name), checked_name(alias, "alias")

        def back(rows: ModelRows) -> int:
            changes = history(rows.connection, rows.owned, name, alias)
            number = before(name, alias, rows.aliases(name).get(alias), changes)
            rows.point(name, alias, rows.version(name, number).version)
            return number

        return self._turns.change(name, back, f"rolling {name}@{alias} back")
