"""The names that a conversation gives: new ones, and those of its temporary tables."""

from __future__ import annotations

import secrets


class Names:
    """The names of one conversation. Pure: what a name stands for, the database knows."""

    def __init__(self, *, marked: bool, folded: bool) -> None:
        """`marked`: a # makes a table temporary; `folded`: the database keeps lower case."""
        self._marked, self._folded = marked, folded
        self._temporary: dict[str, str] = {}  #: folded name -> the name that the database has
        self._nonce = secrets.token_hex(3)
        self._made = 0

    def spelled(self, name: str) -> str:
        """A new name as the database would spell it by itself."""
        return name.lower() if self._folded else name

    def fresh(self, what: str) -> str:
        """A name that no table has."""
        self._made += 1
        return f"sqlscore_{what}_{self._nonce}_{self._made}"

    def of_temporary(self, name: str) -> str:
        """The name that the database has for a temporary table."""
        return self.spelled(name if name.startswith("#") or not self._marked else f"#{name}")

    def temporary(self, what: str) -> str:
        """A name for a temporary table of our own, which is dropped when the conversation ends."""
        name = self.of_temporary(self.fresh(what))
        self.keep(name)
        return name

    def keep(self, name: str) -> None:
        """Remember a temporary table: its name is looked up first, and it is dropped at the end."""
        self._temporary[name.casefold()] = self.of_temporary(name)

    def kept(self) -> list[str]:
        """The temporary tables that are there, by the database's names."""
        return list(self._temporary.values())

    def find(self, name: str) -> str | None:
        """The database's name of a temporary table that is there."""
        return self._temporary.get(name.casefold())

    def mark(self) -> dict[str, str]:
        """The temporary tables that are there, to go back to."""
        return dict(self._temporary)

    def back_to(self, mark: dict[str, str], *, dropped: bool) -> list[str]:
        """Those that were there are there again; the others, by the database's names.

        `dropped`: what was dropped since stays so.
        """
        since = [name for folded, name in self._temporary.items() if folded not in mark]
        kept = {folded: name for folded, name in mark.items() if folded in self._temporary}
        self._temporary = kept if dropped else mark
        return since if dropped else []

    def is_temporary(self, name: str) -> bool:
        """Whether a table is there for this connection alone."""
        return name.casefold() in self._temporary or name.startswith(("#", "@"))

    def forget(self, name: str) -> None:
        """Forget a temporary table that was dropped, by either of its names."""
        kept = self._temporary.items()
        folded = name.casefold()
        self._temporary = {k: v for k, v in kept if folded not in (k, v.casefold())}
