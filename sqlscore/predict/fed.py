"""Which of DATA's columns may feed features, and under which names: what USING lists. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError, nearest
from sqlscore.predict.tree import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.binding import Binding
    from sqlscore.predict.tree import Predict
    from sqlscore.types import Column

Fed = dict[str, "Column"]  #: the name by which a feature may bind -> the column


def candidates(predict: Predict, columns: Sequence[Column], place: dict[str, int]) -> Fed:
    """The columns that features may bind to; all of DATA's where the statement lists none.

    Raises `StatementError`, at `place`, for one that DATA has not.
    """
    whole = {column.name: column for column in columns if not column.name.startswith(OURS)}
    if not predict.features:
        return whole
    listed: Fed = {}
    for one in predict.features:
        if not isinstance(one, exp.Star):
            listed[one.alias_or_name] = _found(one, columns, place)
    if any(isinstance(one, exp.Star) for one in predict.features):
        folded = {name.casefold() for name in listed}
        listed |= {n: c for n, c in whole.items() if n.casefold() not in folded}
    return listed


def _found(one: exp.Expression, columns: Sequence[Column], place: dict[str, int]) -> Column:
    name = one.this.name if isinstance(one, exp.Alias) else one.name
    exact = [column for column in columns if column.name == name]
    alike = exact or [c for c in columns if c.name.casefold() == name.casefold()]
    if not alike:
        near = nearest(name, [column.name for column in columns])
        raise StatementError(f"USING names {name!r}, and DATA has no such column.{near}", **place)
    return alike[0]


def is_listed(predict: Predict) -> bool:
    """Whether the columns for the features are named one by one, so that their order means it."""
    features = predict.features
    return bool(features) and not any(isinstance(one, exp.Star) for one in features)


def named(fed: Fed) -> list[Column]:
    """The columns under the names by which features may bind."""
    return [replace(column, name=name) for name, column in fed.items()]


def bound(binding: Binding, fed: Fed) -> Binding:
    """A binding to such names, with the columns that have them."""
    features = tuple(replace(one, column=fed[one.column.name]) for one in binding.features)
    return replace(binding, features=features)
