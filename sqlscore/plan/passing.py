"""Statements that only pass on what their PREDICT gives: its rows can stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.scope import data_alias, qualifier
from sqlscore.predict.tree import OURS, Predict, predicts

if TYPE_CHECKING:
    from sqlscore.plan import Plan
    from sqlscore.predict.asked import Output
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Passing:
    """One column of a statement that only passes PREDICT's columns on."""

    name: str  #: of the answer's column
    data: Column | None  #: DATA's column; None where it is a prediction
    output: Output | None


def projection(select: exp.Expression, predict: Predict, made: Plan) -> tuple[Passing, ...] | None:
    """The columns of a SELECT that only passes on what PREDICT gives; None where it does more."""
    if not is_bare(select, predict):
        return None
    by_data = {column.name.casefold(): column for column in made.kept}
    by_output = {output.name.casefold(): output for output in made.outputs}
    passed: list[Passing] = []
    for one in select.expressions:
        if one.is_star:
            passed += _starred(one, predict, made)
            continue
        column = one.this if isinstance(one, exp.Alias) else one
        if not isinstance(column, exp.Column):
            return None
        data, output = _meant(column, predict, by_data, by_output)
        if (data is None) == (output is None):
            return None
        own = data.name if data is not None else output.name if output is not None else ""
        passed.append(Passing(name=one.alias or own, data=data, output=output))
    return tuple(passed)


def _meant(
    column: exp.Column,
    predict: Predict,
    by_data: dict[str, Column],
    by_output: dict[str, Output],
) -> tuple[Column | None, Output | None]:
    name, table = column.name.casefold(), qualifier(column)
    data = by_data.get(name) if table in ("", data_alias(predict).casefold()) else None
    output = by_output.get(name) if table in ("", predict.alias.casefold()) else None
    return data, output


def _starred(star: exp.Expression, predict: Predict, made: Plan) -> list[Passing]:
    table = qualifier(star) if isinstance(star, exp.Column) else ""
    passed: list[Passing] = []
    if table in ("", data_alias(predict).casefold()):
        kept = [column for column in made.kept if not column.name.startswith(OURS)]
        passed += [Passing(name=c.name, data=c, output=None) for c in kept]
    if table in ("", predict.alias.casefold()):
        passed += [Passing(name=o.name, data=None, output=o) for o in made.outputs]
    return passed


#: what a SELECT may have and still only pass rows on
_BARE = {"expressions", "from_", "into", "with_", "options", "operation_modifiers", "kind"}


def is_bare(select: exp.Expression, predict: Predict) -> bool:
    """Whether a SELECT reads one PREDICT and does nothing to its rows."""
    if not isinstance(select, exp.Select) or len(predicts(select)) != 1:
        return False
    start = select.args.get("from_")
    if start is None or start.this is not predict or predict.args.get("joins"):
        return False
    return all(name in _BARE or not value for name, value in select.args.items())
