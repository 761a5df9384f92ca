"""The columns that a PREDICT gives, however it asks for them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.predict import asked, named
from sqlscore.predict.asked import Cut, Largest, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.binding import Binding
    from sqlscore.predict.tree import Predict
    from sqlscore.signature import Signature


def outputs(
    predict: Predict, signature: Signature, binding: Binding, place: dict[str, int]
) -> tuple[Output, ...]:
    """What fills each column; all predictions where the statement names none of them."""
    if predict.asked:
        return named.outputs(predict, signature, place)
    if predict.columns:
        return asked.outputs(predict, signature, place)
    everything = tuple(
        Output(name=bound.column, prediction=bound.prediction.name, type=bound.type)
        for bound in binding.predictions
    )
    if predict.args.get("whole"):
        return named.whole(everything, predict, signature, place)
    return everything


def names(predict: Predict, signature: Signature) -> list[str]:
    """The names of the columns, before anything is bound."""
    if predict.args.get("whole"):
        return [named.predicted(one.name) for one in signature.predictions]
    return [one.name for one in predict.asked or predict.columns or signature.predictions]


def reasons(outputs: Sequence[Output]) -> tuple[str, ...]:
    """What there is to say of how predictions are made."""
    return tuple(_rule(one.name, one.rule) for one in outputs if one.rule is not None)


def _rule(name: str, rule: Cut | Largest) -> str:
    if isinstance(rule, Largest):
        return f"{name} is the largest of {', '.join(rule.of)}"
    return f"{name} is {rule.above!r} where {rule.score} is above {rule.threshold}"
