"""Columns that a statement names and nothing has. Pure.

A database would say so too, of its own text; SQLite takes a quoted name that it does not know for
a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError, nearest
from sqlscore.predict.scope import around, qualifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predict.scope import Origin, Scope

#: what databases give to every table
_HIDDEN = {"rowid", "_rowid_", "oid", "ctid", "xmin", "tableoid"}
_WRITTEN = ("inserted", "deleted")  #: the relations of OUTPUT


class NoColumn(StatementError):
    """A statement names a column that nothing has; its node says where."""

    def __init__(self, message: str, node: exp.Expr) -> None:
        super().__init__(message)
        self.node = node


def check(column: exp.Column, scope: Scope) -> None:
    """Raise `NoColumn` for a name that the scope does not know, if nothing else can know it."""
    relation = qualifier(column)
    if column.is_star or column.name.casefold() in _HIDDEN or relation in _WRITTEN:
        return
    queries = list(around(column))
    if not relation and any(_gives(query, column.name.casefold()) for query in queries):
        return
    origins = [origin for query in queries for origin in scope.origins(query)]
    meant = [one for one in origins if not relation or one.alias.casefold() == relation]
    known = _names(meant)
    if known:
        has = f"{column.table!r} has" if relation else "there is"
        raise NoColumn(f"{has} no column {column.name!r}.{closest(column.name, known)}", column)
    if origins and not meant:
        near = closest(column.table, [origin.alias for origin in origins])
        raise NoColumn(f"nothing is read here as {column.table!r}.{near}", column)


def _gives(query: exp.Expr, name: str) -> bool:
    outputs = query.selects if isinstance(query, exp.Select) else []
    return any(one.alias.casefold() == name for one in outputs)


def _names(origins: Sequence[Origin]) -> list[str]:
    """The columns of the relations; none where those of one are not known."""
    if any(origin.columns is None for origin in origins):
        return []
    return [named.name for origin in origins for named in origin.columns or ()]


def closest(name: str, known: Sequence[str], most: int = 20) -> str:
    """The names that are like one, else all of them."""
    listed = ", ".join(dict.fromkeys(known[:most]))
    more = ", …" if len(known) > most else ""
    return nearest(name, known) or f" There are: {listed}{more}"
