"""The tables of a SELECT that joins them: whose column is which, and what must equal what. Pure.

    FROM flights f LEFT JOIN planes p ON p.tailnum = f.tailnum

Each row of ``f`` meets those of ``p`` whose ``tailnum`` is one value; where no two rows of ``p``
share it, at most one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.relations.selects import conjuncts
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import sqlalchemy as sa

    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """One table of a SELECT that joins several."""

    name: str  #: which the SELECT gives it, casefolded
    table: sa.Table
    columns: Mapping[str, Column]  #: by their names, casefolded
    join: exp.Join | None  #: None: it comes first

    @property
    def optional(self) -> bool:
        """A row of the tables before it is there without one of this table's."""
        return self.join is not None and self.join.side.upper() == "LEFT"

    @property
    def merged(self) -> set[str]:
        """Its columns that are one with those of the tables before it, by USING."""
        using = [] if self.join is None else self.join.args.get("using") or []
        return {identifier.name.casefold() for identifier in using}


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """A SELECT of columns and filters over several tables, in inner and left joins."""

    tree: exp.Query
    parts: tuple[Part, ...]  #: in their order

    def owner(self, column: exp.Column) -> tuple[Part, Column] | None:
        """The table that a column is of; None where that is not plain."""
        name, table = column.name.casefold(), column.table.casefold()
        found = [
            part
            for part in self.parts
            if name in part.columns and (part.name == table if table else name not in part.merged)
        ]
        return (found[0], found[0].columns[name]) if len(found) == 1 else None

    def passed(self) -> dict[str, tuple[Part, Column]]:
        """The columns that the SELECT passes on as they are, by its names for them, casefolded."""
        found: dict[str, tuple[Part, Column]] = {}
        for selected in self.tree.selects:
            if selected.is_star:
                of = selected.table.casefold() if isinstance(selected, exp.Column) else None
                for part in self.parts:
                    if of in (None, part.name):
                        # of columns that USING merges, a * has those of the first table
                        merged = part.merged if of is None else set[str]()
                        own = [c for name, c in part.columns.items() if name not in merged]
                        found |= {column.name.casefold(): (part, column) for column in own}
            elif isinstance(column := selected.unalias(), exp.Column):
                owner = self.owner(column)
                if owner is not None:
                    found[selected.alias_or_name.casefold()] = owner
        return found

    def matched(self, part: Part, known: Collection[Part]) -> set[str]:
        """The columns of a table that have one value each beside a row of the known tables.

        Only where both sides are of one type, since a comparison of others may take more for equal
        than the column itself does.
        """
        found = set()
        for one, other in self._equations(part):
            name = one.name.casefold()
            if self._one_value(other, part.columns[name].type, known):
                found.add(name)
        for name in part.merged:
            first = next(p for p in self.parts if name in p.columns)
            if first in known and first.columns[name].type == part.columns[name].type:
                found.add(name)
        return found

    def _one_value(
        self, side: exp.Column | exp.Literal, type_: pa.DataType, known: Collection[Part]
    ) -> bool:
        """Whether it is one value of a type, beside a row of the known tables."""
        if isinstance(side, exp.Literal):
            whole = side.is_int and bool(pa.types.is_integer(type_))
            return is_text(type_) if side.is_string else whole
        owner = self.owner(side)
        return owner is not None and owner[0] in known and owner[1].type == type_

    def _equations(self, part: Part) -> Iterator[tuple[exp.Column, exp.Column | exp.Literal]]:
        """What the SELECT sets a table's columns equal to, in all rows that have one of its rows.

        The condition of a left join says nothing of any table but the one that it adds.
        """
        conditions = [self._where]
        for other in self.parts:
            if other.join is not None and (other is part or not other.optional):
                conditions.append(other.join.args.get("on"))
        for node in chain.from_iterable(map(conjuncts, conditions)):
            sides = [side.unnest() for side in node.iter_expressions()]
            for one, other_side in (sides, sides[::-1]) if isinstance(node, exp.EQ) else ():
                if isinstance(one, exp.Column) and isinstance(other_side, exp.Column | exp.Literal):
                    owner = self.owner(one)
                    if owner is not None and owner[0] is part:
                        yield one, other_side

    @property
    def _where(self) -> exp.Expr | None:
        where: exp.Where | None = self.tree.args.get("where")
        return None if where is None else where.this

    def alone(self, part: Part) -> list[exp.Expr]:
        """The conditions of the SELECT's WHERE on one table alone, without those of parameters."""
        found = []
        for node in conjuncts(self._where):
            owners = [self.owner(column) for column in node.find_all(exp.Column)]
            own = all(owner is not None and owner[0] is part for owner in owners)
            if owners and own and not node.find(exp.Placeholder):
                bare = node.copy()
                for column in bare.find_all(exp.Column):
                    column.set("table", None)
                found.append(bare)
        return found
