"""A classifier's label and the scores of its classes, found in its signature. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import StatementError, nearest
from sqlscore.types import is_text

if TYPE_CHECKING:
    from sqlscore.signature import Prediction, Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """The class labels of a model in their order, and what gives the score of each."""

    label: Prediction | None  #: the class that is predicted; None where the model gives none
    scores: dict[str, Prediction]  #: label -> its score; all of the model's classes, in their order
    count: int  #: of classes; more than there are scores where some were dropped

    def score(self, label: str) -> Prediction:
        """The score of a class. `StatementError` where there is no such class."""
        found = self.scores.get(label)
        if found is None:
            known = ", ".join(map(repr, self.scores))
            near = nearest(label, list(self.scores))
            raise StatementError(f"the model has no class {label!r}.{near} Its classes: {known}")
        return found


def classes_of(signature: Signature) -> Classes | None:
    """The classes of a model; None where it gives no scores of classes."""
    labelled = {one.name: one.labels for one in signature.outputs if one.labels}
    scored = [p for p in signature.predictions if p.output in labelled and p.position is not None]
    if len({one.output for one in scored}) != 1:
        return None
    labels = labelled[scored[0].output] or ()
    scores = {labels[p.position]: p for p in scored if p.position is not None}
    others = [
        one
        for one in signature.predictions
        if one.output != scored[0].output
        and (is_text(one.type) or pa.types.is_integer(one.type) or pa.types.is_boolean(one.type))
    ]
    label = others[0] if len(others) == 1 else None
    return Classes(label=label, scores=scores, count=len(labels))


def longest_label(signature: Signature, prediction: str) -> int | None:
    """The length of the longest label that a prediction may be; None where it is no label."""
    classes = classes_of(signature)
    if classes is None or classes.label is None or classes.label.name != prediction:
        return None
    return max(map(len, classes.scores)) if len(classes.scores) == classes.count else None


def prediction_of(signature: Signature) -> Prediction:
    """What a model predicts: its label, or its only value. `StatementError` where nobody knows."""
    classes = classes_of(signature)
    if classes is not None and classes.label is not None:
        return classes.label
    if len(signature.predictions) == 1:
        return signature.predictions[0]
    names = ", ".join(repr(one.name) for one in signature.predictions)
    raise StatementError(
        f"the model gives {names}, and none of them is the one that it predicts. Keep one of them "
        "at add: drop=[…] leaves the others out"
    )
