"""Queries in the database's own words that have names, by which the trees of statements read them.

A tree holds the name where the query stands in its text: a model's query may be long, and no tree
has to be copied, gone through and written again for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.scope import Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.dialects.dialect import DialectType

    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Derived:
    """One of them."""

    relation: Relation
    query: str
    outline: str | None  #: one that is planned sooner, and gives the same columns without values
    chance: bool  #: it may give other rows each time


class Derivations:
    """Those of one conversation, by name."""

    def __init__(self) -> None:
        self._known: dict[str, Derived] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __bool__(self) -> bool:
        return bool(self._known)

    def relation(self, name: str) -> Relation:
        """The columns of a query, as those of a relation of its name."""
        return self._known[name].relation

    def add(
        self, name: str, query: str, columns: Sequence[Column], outline: str | None, *, chance: bool
    ) -> None:
        """Give a query a name."""
        relation = Relation(schema=None, name=name, columns=tuple(columns))
        self._known[name] = Derived(
            relation=relation, query=query, outline=outline, chance=chance
        )  # fmt: skip

    def by_chance(self, tree: exp.Expression) -> bool:
        """Whether a query's rows are made of chance."""
        if tree.find(exp.Rand, exp.Uuid):
            return True
        read = (self._known.get(table.name) for table in tree.find_all(exp.Table))
        return any(one is not None and one.chance for one in read)

    def put_into(self, text: str, dialect: DialectType, *, outline: bool) -> str:
        """The text of a statement with the queries, or their outlines, in place of their names."""
        for name, one in self._known.items():
            mark = exp.to_identifier(name, quoted=True).sql(dialect=dialect)
            query = one.outline if outline and one.outline else one.query
            text = text.replace(mark, f"({query})")
        return text
