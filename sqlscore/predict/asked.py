"""What a statement asks for: which prediction fills which column of its WITH list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import StatementError, nearest
from sqlscore.predict.types import arrow_type, length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from sqlscore.predict.tree import Predict
    from sqlscore.signature import Prediction, Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Largest:
    """The largest of several predictions: the probability of the class that is predicted."""

    of: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """One of two labels: the second where its score is above a threshold."""

    score: str  #: the prediction that is the second label's score
    threshold: float
    above: str | int
    below: str | int


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One column that PREDICT gives."""

    name: str  #: as the statement asks for it
    prediction: str  #: what fills it
    type: pa.DataType  #: as asked
    length: int = 0  #: of text at most; 0: any
    required: bool = False  #: NOT NULL
    rule: Largest | Cut | None = None  #: how it is made, where the prediction is not it as it is


def outputs(predict: Predict, signature: Signature, place: dict[str, int]) -> tuple[Output, ...]:
    """What a PREDICT with a WITH list gives. `StatementError` for what no prediction fills."""
    columns = predict.columns
    predictions = signature.predictions
    if len(columns) == 1 and len(predictions) == 1:
        return (_output(columns[0], predictions[0], place),)
    found, missing = [], []
    for column in columns:
        alike = [p for p in predictions if p.name.casefold() == column.name.casefold()]
        exact = [p for p in alike if p.name == column.name] or alike
        if len(exact) == 1:
            found.append(_output(column, exact[0], place))
        else:
            missing.append(column.name)
    if missing:
        raise StatementError(_missing(missing, columns, predictions), **place)
    return tuple(found)


def _output(column: exp.ColumnDef, prediction: Prediction, place: dict[str, int]) -> Output:
    kind = column.kind
    assert kind is not None  # the grammar refuses columns without a type
    try:
        type_ = arrow_type(kind)
    except StatementError as error:
        raise StatementError(str(error), **place) from error
    required = any(
        type(one.kind).__name__ == "NotNullColumnConstraint" and not one.kind.args.get("allow_null")
        for one in column.constraints
    )
    return Output(
        name=column.name, prediction=prediction.name, type=type_,
        length=length(kind) if pa.types.is_string(type_) else 0, required=required,
    )  # fmt: skip


def _missing(
    missing: Sequence[str], columns: Sequence[exp.ColumnDef], predictions: Sequence[Prediction]
) -> str:
    """As SQL Server's error 39096: what was asked for, what there is, and how to get it."""
    names = [prediction.name for prediction in predictions]
    asked = ", ".join(repr(column.name) for column in columns)
    hints = "".join(_hint(name, names) for name in missing)
    return (
        f"the WITH list asks for {asked}, and the model has no prediction "
        f"{' and no '.join(map(repr, missing))}.{hints} It returns: {_listed(names)}. Ask for "
        "these names, or name the prediction at add: "
        f"outputs={{{missing[0]!r}: {_likely(names)!r}}}"
    )


def _hint(name: str, names: Sequence[str]) -> str:
    return nearest(name, names)


def _likely(names: Sequence[str]) -> str:
    """The prediction that people most often mean: the score of the last class."""
    scores = [name for name in names if "prob" in name.casefold() or "score" in name.casefold()]
    return (scores or list(names))[-1]


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown
