"""EXEC of a kept procedure, and CREATE VIEW of one that the database keeps: as trees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError, nearest

if TYPE_CHECKING:
    from sqlscore.predict.statements import CreateProcedure, CreateView, Execute


def arguments(made: CreateProcedure, call: Execute) -> dict[str, exp.Expression]:
    """The arguments of a call by the folded name of their parameter."""
    names = [parameter.name for parameter in made.parameters]
    given: dict[str, exp.Expression] = {}
    for position, (name, value) in enumerate(call.arguments):
        if name is None and position >= len(names):
            raise StatementError(
                f"the procedure {made.name.name!r} takes {len(names)} arguments, and EXEC gives "
                f"{len(call.arguments)}"
            )
        chosen = names[position] if name is None else name
        if chosen.casefold() not in (other.casefold() for other in names):
            takes = ", ".join(f"@{other}" for other in names) or "no arguments"
            raise StatementError(
                f"the procedure {made.name.name!r} has no parameter @{chosen}."
                f"{nearest(chosen, names)} It takes: {takes}"
            )
        given[chosen.casefold()] = value
    return given


def create_view(view: CreateView) -> exp.Create:
    """The statement that makes a view in the database itself."""
    names = [exp.to_identifier(name, quoted=True) for name in view.columns]
    target: exp.Expression = view.name.copy()
    if names:
        target = exp.Schema(this=target, expressions=names)
    return exp.Create(this=target, kind="VIEW", expression=view.query.copy(), replace=view.replace)
