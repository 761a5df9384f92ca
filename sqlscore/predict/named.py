"""What PREDICT gives where another front door asks: labels, probabilities, thresholds. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict.asked import Cut, Largest, Output
from sqlscore.predict.classes import Classes, classes_of, prediction_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.predict.tree import Asked, Predict
    from sqlscore.signature import Signature

_PREFIX = "predicted_"


def outputs(predict: Predict, signature: Signature, place: dict[str, int]) -> tuple[Output, ...]:
    """The label and the probabilities that a statement asks for, each as a column."""
    try:
        return tuple(_output(one, signature) for one in predict.asked)
    except StatementError as error:
        raise StatementError(str(error), **place) from error


def _output(asked: Asked, signature: Signature) -> Output:
    if not asked.args.get("probability"):
        found = prediction_of(signature)
        return Output(name=asked.name, prediction=found.name, type=found.type)
    classes = _classes(signature, "its probability cannot be asked for")
    label = asked.args.get("label")
    if label is not None:
        found = classes.score(_spelled(_text(label), list(classes.scores)))
        return Output(name=asked.name, prediction=found.name, type=found.type)
    if len(classes.scores) < classes.count:
        raise StatementError(
            "the probability of the predicted class needs the scores of all classes, and some of "
            "them were left out at add: ask for that of one class"
        )
    scores = tuple(score.name for score in classes.scores.values())
    first = next(iter(classes.scores.values()))
    return Output(
        name=asked.name, prediction=first.name, type=first.type, rule=Largest(of=scores)
    )  # fmt: skip


def _classes(signature: Signature, therefore: str) -> Classes:
    classes = classes_of(signature)
    if classes is None:
        names = ", ".join(repr(one.name) for one in signature.predictions)
        raise StatementError(
            f"the model gives no scores of named classes, so {therefore}. It gives {names}"
        )
    return classes


def _text(label: exp.Expression) -> str:
    return f"-{label.this.name}" if isinstance(label, exp.Neg) else label.name


def _spelled(label: str, known: Sequence[str]) -> str:
    """A label as the model has it: the number 1.0 is the label 1."""
    if label in known:
        return label
    try:
        number = float(label)
    except ValueError:
        return label
    return next((one for one in known if _is(one, number)), label)


def _is(label: str, number: float) -> bool:
    try:
        return float(label) == number
    except ValueError:
        return False


def predicted(name: str) -> str:
    """The column of a prediction where rows and predictions are one relation."""
    return name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"


def whole(
    given: Sequence[Output], predict: Predict, signature: Signature, place: dict[str, int]
) -> tuple[Output, ...]:
    """All predictions under such names; the label by the threshold, if there is one."""
    named = [replace(one, name=predicted(one.name)) for one in given]
    threshold = predict.args.get("threshold")
    if threshold is None:
        return tuple(named)
    try:
        label, cut = _cut(signature, float(threshold.name))
    except StatementError as error:
        raise StatementError(str(error), **place) from error
    return tuple(replace(o, rule=cut) if o.prediction == label else o for o in named)


def _cut(signature: Signature, threshold: float) -> tuple[str, Cut]:
    """The label's prediction, and how it follows from the score of the second class."""
    classes = _classes(signature, "there is nothing to hold against a threshold")
    if classes.label is None or classes.count != 2:
        what = "gives no label" if classes.label is None else f"has {classes.count} classes"
        raise StatementError(
            f"a threshold needs a model that predicts one of two classes, and this one {what}: "
            "compare the probabilities in the statement"
        )
    if len(classes.scores) != 2:
        raise StatementError(
            "a threshold needs the scores of both classes, and one was left out at add"
        )
    below, above = classes.scores
    text = not pa.types.is_integer(classes.label.type)
    return classes.label.name, Cut(
        score=classes.scores[above].name, threshold=threshold,
        above=above if text else int(above), below=below if text else int(below),
    )  # fmt: skip
