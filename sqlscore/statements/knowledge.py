"""What is known of the values of DATA's columns: by conditions, and by what the database enforces.

Only what holds until the statement is over counts: its transaction holds the tables as they are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.optimisations import Optimisation
from sqlscore.plan import Route
from sqlscore.plan.domains import by_conditions, by_tables, of_table, together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlglot import exp

    from sqlscore.binding import Binding
    from sqlscore.plan import Wishes
    from sqlscore.predict.scope import Key, Relation
    from sqlscore.pushdown.domains import Domain
    from sqlscore.statements.conversation import Conversation
    from sqlscore.types import Column


class Knowledge:
    """Of one PREDICT, by the optimisations that are wished for."""

    def __init__(self, on: Conversation, wishes: Wishes, *, checks: bool) -> None:
        """`checks` says that what the database enforces now, it does until the statement ends."""
        self._on = on
        self._conditions = Optimisation.PRUNING in wishes.optimisations
        self._statistics = Optimisation.STATISTICS in wishes.optimisations
        # of no use where the model runs here
        self._checks = checks and wishes.route is not Route.BRIDGE
        self._pushes = wishes.route is not Route.BRIDGE
        self._loose = on.product.loose_types
        self._held: dict[tuple[str | None, str], Mapping[str, Domain]] = {}  #: table -> what holds

    @property
    def types_hold(self) -> bool:
        """Whether a column holds values of its type alone."""
        return self._statistics and not self._loose

    def of_columns(
        self, query: exp.Select, columns: Sequence[Column], text: str
    ) -> tuple[Column, ...]:
        """A query's columns, as never NULL where they are those of a table."""
        found = by_tables(query, columns, self._tables(query, text))
        return tuple(
            dataclasses.replace(column, nullable=False)
            if column.name in found and not found[column.name].null
            else column
            for column in columns
        )

    def of_features(
        self, query: exp.Select, binding: Binding, text: str
    ) -> tuple[dict[str, Domain], tuple[str, ...]]:
        """What the features can hold, and that in words."""
        if not self._pushes:
            return {}, ()
        columns = {bound.column.name: bound.column for bound in binding.features}.values()
        asked = by_conditions(query, columns, loose=self._loose) if self._conditions else {}
        held = by_tables(query, columns, self._tables(query, text))
        words = (*_told("pruning", asked), *_told("statistics", held))
        domains = together(asked, held)
        names = {bound.feature.name: bound.column.name for bound in binding.features}
        return {f: domains[name] for f, name in names.items() if name in domains}, words

    def _tables(self, query: exp.Select, text: str) -> Mapping[Key, Mapping[str, Domain]]:
        if not self._statistics:
            return {}
        return {k: self._of(table) for k, table in self._on.relations(query, text).items()}

    def _of(self, relation: Relation) -> Mapping[str, Domain]:
        """What holds of a table's columns; the database is asked once."""
        name = relation.schema, relation.name
        if name not in self._held:
            self._held[name] = of_table(
                relation.columns, self._enforced(relation), self._on.product.dialect,
                loose=self._loose,
            )  # fmt: skip
        return self._held[name]

    def _enforced(self, relation: Relation) -> Sequence[str]:
        here = self._on.names.is_temporary(relation.name) or relation.name in self._on.derived
        if not self._checks or here:
            return ()
        table = sa.Table(relation.name, sa.MetaData(), schema=relation.schema)
        with self._on.told(f"asking what holds of {relation.name}"):
            return self._on.product.enforced(self._on.connection, table)


def _told(what: str, domains: Mapping[str, Domain]) -> list[str]:
    parts = [part for name, domain in domains.items() if (part := _words(name, domain))]
    return [f"{what}: {', '.join(parts)}"] if parts else []


def _words(name: str, domain: Domain) -> str:
    """``age from 18 to 65, never NULL``; nothing of what is as wide as a type."""
    wide = max(abs(domain.low), abs(domain.high)) > 2.0**31
    span = "" if wide else f" from {domain.low:g} to {domain.high:g}"
    if wide and domain.high < 2.0**31:
        span = f" up to {domain.high:g}"
    elif wide and domain.low > -(2.0**31):
        span = f" from {domain.low:g}"
    never = "" if domain.null else " never NULL"
    return f"{name}{span}{never}" if span or never else ""
