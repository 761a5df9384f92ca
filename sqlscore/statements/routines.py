"""Views and procedures over PREDICT that no database could keep: kept in a table of our own.

Their text is kept as it was written, and read again when it is needed. Every statement that runs
here sees them; a client of the database's own does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa
from sqlglot import exp

from sqlscore import tables
from sqlscore.errors import StatementError, nearest
from sqlscore.predict import doors, script
from sqlscore.predict.ctes import cte_of
from sqlscore.predict.statements import CreateProcedure, CreateView

if TYPE_CHECKING:
    from sqlscore.statements.conversation import Conversation

VIEW, PROCEDURE = "view", "procedure"
_NAMES_ONE = (exp.Drop, exp.Insert, exp.Create, exp.Schema)  #: they read no rows of what they name
_DEEPEST = 32  #: views in views, procedures in procedures: as in T-SQL


@dataclass(frozen=True, kw_only=True, slots=True)
class Routine:
    """A view or a procedure, as it was created."""

    kind: str
    name: str
    dialect: str
    text: str


class Routines:
    """The views and procedures of one database, as one conversation sees them."""

    def __init__(self, on: Conversation) -> None:
        self._on = on
        self._known: dict[tuple[str, str], Routine] | None = None

    def find(self, kind: str, name: exp.Table) -> Routine | None:
        """The routine of that name; None where there is none."""
        return self._all().get((kind, _folded(name)))

    def forget(self) -> None:
        """Ask the database anew."""
        self._known = None

    def names(self, kind: str) -> list[str]:
        """The names of all routines of a kind."""
        return [name for of, name in self._all() if of == kind]

    def _all(self) -> dict[tuple[str, str], Routine]:
        if self._known is None:
            self._known = {}
            owned = self._owned()
            if owned is not None:
                for one in self._rows(owned):
                    self._known[one.kind, one.name] = one
        return self._known

    def _owned(self) -> tables.Tables | None:
        on = self._on
        owned = tables.owned_by(on.engine, schemas=on.product.schemas)
        there = sa.inspect(on.connection).has_table(owned.routines.name, owned.routines.schema)
        return owned if there else None

    def _rows(self, owned: tables.Tables) -> list[Routine]:
        columns = owned.routines.c
        wanted = sa.select(columns.kind, columns.name, columns.dialect, columns.text)
        with self._on.told("looking for views and procedures"):
            found = self._on.connection.execute(wanted)
            return [Routine(kind=k, name=n, dialect=d, text=t) for k, n, d, t in found]

    def keep(self, kind: str, created: CreateView | CreateProcedure) -> None:
        """Keep a routine; `StatementError` where there is one and it is not to be replaced."""
        folded = _folded(created.name)
        if (kind, folded) in self._all() and not created.replace:
            self.refuse_second(kind, created.name)
        if self._owned() is None:
            tables.ensure(self._on.engine, schemas=self._on.product.schemas)
        owned = tables.owned_by(self._on.engine, schemas=self._on.product.schemas)
        dialect = created.dialect if isinstance(created, CreateView) else "tsql"
        values = {
            "kind": kind, "name": folded, "dialect": dialect, "text": created.text,
            "created_at": tables.now(),
        }  # fmt: skip
        with self._on.transaction(), self._on.told(f"keeping the {kind}"):
            self._delete(owned, kind, folded)
            self._on.connection.execute(owned.routines.insert(), values)
        self._known = None

    def refuse_second(self, kind: str, name: exp.Table) -> NoReturn:
        """Raise the `StatementError` for a routine that is there and is not to be replaced."""
        raise StatementError(
            f"there is a {kind} {name.name!r} already. Write CREATE OR ALTER {kind.upper()}, "
            f"or DROP {kind.upper()} {name.name} first"
        )

    def drop(self, kind: str, name: exp.Table) -> None:
        """Forget a routine that is there."""
        owned = tables.owned_by(self._on.engine, schemas=self._on.product.schemas)
        with self._on.transaction(), self._on.told(f"dropping the {kind}"):
            self._delete(owned, kind, _folded(name))
        self._known = None

    def dropped(self, tree: exp.Drop) -> bool:
        """Forget the views and procedures that a DROP names; True where all of them were kept."""
        kind = str(tree.args.get("kind")).casefold()
        names = list(tree.args.get("tables") or []) if kind in (VIEW, PROCEDURE) else []
        kept = [name for name in names if self.find(kind, name) is not None]
        for name in kept:
            self.drop(kind, name)
        missing = [name for name in names if not any(name is other for other in kept)]
        if kind == PROCEDURE and missing and not tree.args.get("exists"):
            near = nearest(missing[0].name, self.names(kind))
            raise StatementError(f"there is no procedure {missing[0].name!r}.{near}")
        return bool(names) and (kind == PROCEDURE or not missing)

    def _delete(self, owned: tables.Tables, kind: str, folded: str) -> None:
        columns = owned.routines.c
        same = (columns.kind == kind) & (columns.name == folded)
        self._on.connection.execute(owned.routines.delete().where(same))

    def procedure(self, name: exp.Table) -> CreateProcedure | None:
        """A kept procedure, read again; its places are those of its own text."""
        found = self.find(PROCEDURE, name)
        made = None if found is None else script.read(found.text)[0].statements[0]
        return made if isinstance(made, CreateProcedure) else None

    def with_views(self, tree: exp.Expression, depth: int = 0) -> exp.Expression:
        """The tree with the queries of kept views in place of their names."""
        held = exp.Paren(this=tree)
        for table in list(tree.find_all(exp.Table)):
            if cte_of(table) is not None or not isinstance(table.this, exp.Identifier):
                continue
            found = self.find(VIEW, table)
            if found is None or isinstance(table.parent, _NAMES_ONE):
                continue
            if depth == _DEEPEST:
                raise StatementError(f"the view {table.name!r} names itself, or goes too deep")
            table.replace(self._query(found, table, depth))
        whole: exp.Expression = held.this
        return whole

    def _query(self, found: Routine, table: exp.Table, depth: int) -> exp.Subquery:
        made = doors.read(found.text, found.dialect)[0].statements[0]
        assert isinstance(made, CreateView)
        query = _placeless(self.with_views(_named(made), depth + 1))
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
        return exp.Subquery(this=query, alias=alias, joins=table.args.get("joins"))


def _placeless(query: exp.Expression) -> exp.Expression:
    """A view's query without places, which are of its own text: errors say the statement's."""
    for node in query.walk():
        node.meta.pop("start", None)
    return query


def _named(view: CreateView) -> exp.Expression:
    """The query of a view, with the names that the view gives its columns."""
    query = view.query.copy()
    if not view.columns or not isinstance(query, exp.Query):
        return query
    named = [
        exp.alias_(one.unalias(), name, quoted=True)
        for one, name in zip(query.selects, view.columns, strict=True)
    ]
    select = query.find(exp.Select)
    assert select is not None
    select.set("expressions", named)
    return query


def check_names(view: CreateView) -> None:
    """`StatementError` where a view names its columns, and not as many as its SELECT has."""
    query = view.query
    if not view.columns or not isinstance(query, exp.Query):
        return
    if any(one.is_star for one in query.selects) or len(query.selects) != len(view.columns):
        raise StatementError(
            f"the view names {len(view.columns)} columns: its SELECT must name as many, one by one"
        )


def _folded(name: exp.Table) -> str:
    schema = name.db.casefold()
    return f"{schema}.{name.name.casefold()}" if schema not in ("", "dbo") else name.name.casefold()
