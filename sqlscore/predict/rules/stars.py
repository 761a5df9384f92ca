"""``* EXCEPT (…)`` and ``* REPLACE (…)``, which few databases have: written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.scope import qualifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predict.rules.translation import Translation


def write_out(select: exp.Select, about: Translation) -> None:
    """Put columns in the place of a query's changed stars. `StatementError` where none is known."""
    written: list[exp.Expr] = []
    for one in select.expressions:
        star = one.this if isinstance(one, exp.Column) else one
        changed = isinstance(star, exp.Star) and any(star.args.get(key) for key in _CHANGES)
        written += columns(star, _named(one, select, about)) if changed else [one]
    select.set("expressions", written)


_CHANGES = ("except_", "replace")


def columns(star: exp.Star, pairs: Sequence[tuple[str, str]]) -> list[exp.Expr]:
    """The columns of a star, given by relation and name: some left out, others replaced."""
    left_out = {one.name.casefold() for one in star.args.get("except_") or []}
    instead = {one.alias.casefold(): one for one in star.args.get("replace") or []}
    return [
        instead.get(name.casefold())
        or exp.Column(
            this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True)
        )
        for table, name in pairs
        if name.casefold() not in left_out
    ]


def _named(one: exp.Expr, select: exp.Select, about: Translation) -> list[tuple[str, str]]:
    relation = qualifier(one) if isinstance(one, exp.Column) else ""
    found: list[tuple[str, str]] = []
    for origin in about.scope.origins(select):
        if relation and origin.alias.casefold() != relation:
            continue
        if origin.columns is None:
            raise StatementError("the columns of this star are not known: name them")
        found += [(origin.alias.lower(), column.name) for column in origin.columns]
    return found
