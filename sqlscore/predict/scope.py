"""What names mean in a statement: which relation a column is of, its spelling there, its kind.

T-SQL's names know no case. Each is looked up in the relations that its query, or one around it,
reads, and written as the catalogue spells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.ctes import cte_of
from sqlscore.predict.kinds import Kind, kind_of, of_column
from sqlscore.predict.tree import Predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlscore.types import Column

#: a table as a statement writes it, folded: schema (or nothing) and name
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table or view as the catalogue has it."""

    schema: str | None
    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A column that a query can name: its spelling and its kind."""

    name: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a query reads under one name; None as columns: nobody knows which it has."""

    alias: str
    columns: tuple[Named, ...] | None


def key_of(table: exp.Table) -> Key:
    """The name of a table, folded."""
    return table.db.casefold(), table_name(table).casefold()


def table_name(table: exp.Table) -> str:
    """The name as our own tables have it: with the # of a temporary table, the @ of a variable."""
    inner = table.this
    if isinstance(inner, exp.Parameter):
        return f"@{inner.name}"
    if not isinstance(inner, exp.Identifier):
        return ""
    mark = "##" if inner.args.get("global_") else "#" if inner.args.get("temporary") else ""
    return mark + inner.name


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that AND joins, without the parentheses around them."""
    while isinstance(condition, exp.Paren):
        condition = condition.this
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.this)
        yield from conjuncts(condition.expression)
    else:
        yield condition


def qualifier(column: exp.Column) -> str:
    """The relation that a column's name begins with, folded: with the # of a temporary table."""
    table = column.args.get("table")
    mark = "#" if table is not None and table.args.get("temporary") else ""
    return (mark + column.table).casefold()


def data_alias(predict: Predict) -> str:
    """The name under which the statement reads DATA's columns; its own, where it has no alias."""
    data = predict.data
    if isinstance(data, Predict):
        return data.alias or data_alias(data)
    return data.alias or (table_name(data) if isinstance(data, exp.Table) else "")


def tables(tree: exp.Expr) -> list[exp.Table]:
    """The tables of a statement that the database must know: no CTE's name is among them."""
    return [
        table for table in tree.find_all(exp.Table) if table_name(table) and cte_of(table) is None
    ]


class Scope:
    """The names of one statement."""

    def __init__(self, relations: Mapping[Key, Relation]) -> None:
        self._relations = relations
        self._origins: dict[int, tuple[Origin, ...]] = {}

    def learn(self, tree: exp.Expr) -> None:
        """Look at every query of a statement, so that what is renamed later is still known."""
        for query in tree.find_all(exp.Select, exp.Update, exp.Delete, exp.Merge):
            self.origins(query)

    def kind(self, node: exp.Expr | None) -> Kind | None:
        """What an expression gives."""
        return kind_of(node, self._kind_of_column)

    def _kind_of_column(self, column: exp.Column) -> Kind | None:
        found = self.find(column)
        return found.kind if found is not None else None

    def find(self, column: exp.Column) -> Named | None:
        """The column that a name means; None where it is nobody's or its relation is unknown."""
        wanted, relation = column.name.casefold(), qualifier(column)
        for query in around(column):
            for origin in self.origins(query):
                if relation and origin.alias.casefold() != relation:
                    continue
                for named in origin.columns or ():
                    if named.name.casefold() == wanted:
                        return named
        return None

    def origins(self, query: exp.Expr) -> tuple[Origin, ...]:
        """What a query reads, in its order."""
        if id(query) not in self._origins:
            self._origins[id(query)] = ()
            for node in read_by(query):  # one by one: an APPLY may name those before it
                self._origins[id(query)] += (self._origin(node),)
        return self._origins[id(query)]

    def _origin(self, node: exp.Expr) -> Origin:
        alias = node.alias_or_name
        if isinstance(node, exp.Table):
            return Origin(alias or table_name(node), self._columns_of(node))
        if isinstance(node, exp.Lateral):
            node = node.this
        inner = node.this if isinstance(node, exp.Subquery) else None
        return Origin(alias, self._outputs(inner, _aliased(node)))

    def _columns_of(self, table: exp.Table) -> tuple[Named, ...] | None:
        cte = cte_of(table)
        if cte is not None:
            return self._outputs(cte.this, _aliased(cte))
        found = self._relations.get(key_of(table))
        if found is None:
            return None
        return tuple(Named(column.name, of_column(column)) for column in found.columns)

    def _outputs(
        self, query: exp.Expr | None, aliases: Sequence[str] = ()
    ) -> tuple[Named, ...] | None:
        """The columns that a query gives, under their new names if it has any."""
        while isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        if not isinstance(query, exp.Select):
            return None
        outputs: list[Named] = []
        for one in query.selects:
            if one.is_star:
                found = self.expanded(query, one)
                if found is None:
                    return None
                outputs += found
            else:
                outputs.append(Named(self._spelled(one), self.kind(one)))
        if aliases:
            pairs = zip(aliases, outputs, strict=False)
            return tuple(Named(alias, named.kind) for alias, named in pairs)
        return tuple(outputs)

    def _spelled(self, output: exp.Expr) -> str:
        if isinstance(output, exp.Column):
            found = self.find(output)
            return found.name if found is not None else output.name
        return output.alias_or_name

    def expanded(self, query: exp.Expr, star: exp.Expr) -> list[Named] | None:
        """The columns of ``*`` or ``d.*``; None where a relation is unknown."""
        relation = qualifier(star) if isinstance(star, exp.Column) else ""
        columns: list[Named] = []
        for origin in self.origins(query):
            if relation and origin.alias.casefold() != relation:
                continue
            if origin.columns is None:
                return None
            columns += origin.columns
        return columns


def _aliased(node: exp.Expr) -> tuple[str, ...]:
    alias = node.args.get("alias")
    return tuple(c.name for c in alias.columns) if isinstance(alias, exp.TableAlias) else ()


def around(node: exp.Expr) -> Iterator[exp.Expr]:
    """The queries and statements that a node stands in, from the inside."""
    parent = node.parent
    while parent is not None:
        if isinstance(parent, exp.Select | exp.Update | exp.Delete | exp.Merge | exp.Insert):
            yield parent
        parent = parent.parent


def read_by(query: exp.Expr) -> Iterator[exp.Expr]:
    """The relations that a query or statement reads: FROM, its joins, what is written."""
    if isinstance(query, exp.Update | exp.Delete | exp.Merge):
        yield from _with_joins(query.this)
        yield from _with_joins(query.args.get("using") or None)
    start = query.args.get("from_")
    yield from _with_joins(start.this if start is not None else None)
    for join in query.args.get("joins") or []:
        yield from _with_joins(join.this)
    yield from query.args.get("laterals") or []


def _with_joins(node: exp.Expr | list[exp.Expr] | None) -> Iterator[exp.Expr]:
    if isinstance(node, list):
        for one in node:
            yield from _with_joins(one)
        return
    if node is None or isinstance(node, exp.Schema):
        return
    if isinstance(node, exp.Paren) or (isinstance(node, exp.Subquery) and not node.alias):
        inner = node.this
        if isinstance(inner, exp.Table | exp.Paren | exp.Subquery):  # joins in parentheses
            yield from _with_joins(inner)
            return
    yield node
    for join in node.args.get("joins") or []:
        yield from _with_joins(join.this)
