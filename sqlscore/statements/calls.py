"""EXEC of a kept procedure, and CREATE VIEW of one that the database keeps: as trees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError, nearest

if TYPE_CHECKING:
    from sqlscore.predict.statements import Argument, CreateProcedure, CreateView, Execute


def arguments(made: CreateProcedure, call: Execute) -> dict[str, Argument]:
    """The arguments of a call by the folded name of their parameter."""
    names = [parameter.name for parameter in made.parameters]
    gives = {parameter.name.casefold() for parameter in made.parameters if parameter.output}
    given: dict[str, Argument] = {}
    for position, argument in enumerate(call.arguments):
        name = argument.name
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
        if argument.output and chosen.casefold() not in gives:
            raise StatementError(
                f"the procedure {made.name.name!r} gives no @{chosen} back: its parameter is not "
                "said to be OUTPUT"
            )
        given[chosen.casefold()] = argument
    return given


def create_view(view: CreateView) -> exp.Create:
    """The statement that makes a view in the database itself."""
    names = [exp.to_identifier(name, quoted=True) for name in view.columns]
    target: exp.Expression = view.name.copy()
    if names:
        target = exp.Schema(this=target, expressions=names)
    return exp.Create(this=target, kind="VIEW", expression=view.query.copy(), replace=view.replace)
