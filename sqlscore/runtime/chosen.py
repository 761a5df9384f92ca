"""A model as a function's caller names it: ``churn``, or a prediction of it: ``churn[score]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlscore.errors import SignatureError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.model import Model
    from sqlscore.predictor.predictor import Predictor
    from sqlscore.predictor.row import RowPredictor
    from sqlscore.session.numeric import NumericModel


def parts_of(text: str) -> tuple[str, str | None]:
    """The model's name, and the prediction where one is named."""
    found = re.fullmatch(r"(.*?)\[(.*)\]", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, None)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model, and the prediction that was asked for; None: none was named."""

    spec: str
    load: Callable[[], Model]
    wanted: str | None
    key: tuple[str, ...] = ()  #: what tells it from others that are kept
    numeric: NumericModel | None = None  #: what runs it without `load`, where that is known

    @cached_property
    def model(self) -> Model:
        """The model itself, which takes Arrow and onnx."""
        return self.load()

    @cached_property
    def features(self) -> Sequence[str]:
        """The names of the columns that the model takes."""
        if self.numeric is not None:
            return self.numeric.facts.features
        return self.predictor.feature_names

    @cached_property
    def predictions(self) -> list[str]:
        """The names of the columns that it gives."""
        facts = self.model.signature if self.numeric is None else self.numeric.facts
        return [prediction.name for prediction in facts.predictions]

    @cached_property
    def predictor(self) -> Predictor:
        """The model for batches; to ask the model for it costs a small batch's time."""
        return self.model.predictor()

    @cached_property
    def floats(self) -> NumericModel | None:
        """What runs a model of 4-byte floats alone, at two thirds of what a predictor adds."""
        from sqlscore.registry.running import running
        from sqlscore.session.numeric import NumericModel

        model = self.model
        constants = model.options["constants"] or {}
        made = running(model.graph, model.signature, model.proof, constants)
        if made is None or {one.element for one in made.numeric.inputs} != {"float"}:
            return None
        if made.numeric.predictions[self.place].element != "float":
            return None
        return NumericModel(made.numeric, made.graph)

    @cached_property
    def row(self) -> RowPredictor:
        """The predictor for single rows of whatever values."""
        from sqlscore.predictor.row import RowPredictor

        return RowPredictor(self.predictor)

    @cached_property
    def place(self) -> int:
        """Where the one prediction is that a scalar function gives; SignatureError for none."""
        names = self.predictions
        if self.wanted is None and len(names) == 1:
            return 0
        if self.wanted in names:
            return names.index(self.wanted)
        listed = ", ".join(names)
        if self.wanted is None:
            raise SignatureError(
                f"{self.spec!r} has {len(names)} predictions ({listed}). "
                f"Say which one: '{self.spec}[{names[-1]}]'"
            )
        raise SignatureError(
            f"the model has no prediction {self.wanted!r}; it has: {listed}."
            f"{nearest(self.wanted, names)}"
        )

    def refuse_count(self, given: int) -> None:
        """Raise SignatureError where not as many values are given as there are features."""
        if given != len(self.features):
            raise SignatureError(
                f"{self.spec!r} takes {len(self.features)} values, in this order: "
                f"{', '.join(self.features)}; and {given} are given"
            )
