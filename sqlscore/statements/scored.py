"""What is read of DATA's rows, and how a batch of that becomes kept columns and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.errors import DatabaseError, StatementError
from sqlscore.predict.asked import Cut, Largest
from sqlscore.predict.types import word_of
from sqlscore.relations.source import Projection
from sqlscore.relations.storable import storable
from sqlscore.transports.fit import fitted_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.model import Model
    from sqlscore.plan import Plan
    from sqlscore.predict.asked import Output
    from sqlscore.predictor import Predictor
    from sqlscore.products.product import Product
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The columns that are read, each once for each type, and their places in the batch."""

    projection: Projection
    kept: tuple[int, ...]
    features: tuple[int, ...]

    @staticmethod
    def of(plan: Plan, kept: Sequence[tuple[Column, pa.DataType]]) -> Layout:
        """Lay out the kept columns in their types and the features in theirs."""
        features = [(bound.column, bound.read) for bound in plan.binding.features]
        projection, places = Projection.once([*kept, *features])
        return Layout(projection=projection, kept=places[: len(kept)], features=places[len(kept) :])


class Scorer:
    """Turns a batch as it was read into the kept columns and the outputs. Safe in threads."""

    def __init__(
        self,
        plan: Plan,
        model: Model,
        product: Product,
        kept: Sequence[tuple[Column, pa.DataType]],
        place: dict[str, int],
    ) -> None:
        self.layout = Layout.of(plan, kept)
        self._outputs, self._product, self._place = plan.outputs, product, place
        self._predictor = _predictor(plan, model)

    def __call__(self, batch: pa.RecordBatch) -> tuple[list[pa.Array], list[pa.Array]]:
        """The kept columns as they were read, and the outputs as they were asked for."""
        features = pa.RecordBatch.from_arrays(
            [batch.column(i) for i in self.layout.features], names=self._predictor.feature_names
        )
        predictions = self._predictor(features).batch
        outputs = [self._converted(_value(output, predictions), output) for output in self._outputs]
        kept = [_alone(batch.column(i)) for i in self.layout.kept]
        return kept, outputs

    def _converted(self, array: pa.Array, output: Output) -> pa.Array:
        if pa.types.is_floating(array.type) and not pa.types.is_floating(output.type):
            array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        try:
            array = fitted_column(array, output.type, f"the WITH column {output.name!r}")
        except DatabaseError as error:
            raise StatementError(
                f"a prediction does not fit the WITH column {output.name!r}: the model gives "
                f"{word_of(array.type)}, and the column is {word_of(output.type)}. Ask for a type "
                "that holds it, such as float or nvarchar(max)",
                **self._place,
            ) from error
        array = self._storable(array)
        self._check(array, output)
        return array

    def _storable(self, array: pa.Array) -> pa.Array:
        batch = pa.RecordBatch.from_arrays([array], names=["one"])
        return storable(batch, self._product).column(0)

    def _check(self, array: pa.Array, output: Output) -> None:
        if output.required and array.null_count:
            raise StatementError(
                f"the WITH list says {output.name} NOT NULL, and the prediction is NULL for "
                f"{array.null_count} of {len(array)} rows: a feature of theirs is NULL. Exclude "
                "these rows in DATA, give the features a value there (ISNULL), or take NOT NULL "
                "away",
                **self._place,
            )
        if output.length and (pc.max(pc.utf8_length(array)).as_py() or 0) > output.length:
            raise StatementError(
                f"a prediction is longer than the {output.length} characters that the WITH list "
                f"gives {output.name}. Ask for nvarchar(max)",
                **self._place,
            )


def _alone(array: pa.Array) -> pa.Array:
    """A copy, which does not keep the columns that were read beside it, as features are."""
    return array.copy_to(pa.default_cpu_memory_manager())


def _value(output: Output, predictions: pa.RecordBatch) -> pa.Array:
    """What fills a column, as the model gives it or by the column's rule."""
    rule = output.rule
    if isinstance(rule, Largest):
        return pc.max_element_wise(*map(predictions.column, rule.of), skip_nulls=False)
    if isinstance(rule, Cut):
        above = pc.greater(predictions.column(rule.score).cast(pa.float64()), rule.threshold)
        labels = (pa.scalar(label, output.type) for label in (rule.above, rule.below))
        return pc.if_else(above, *labels)
    return predictions.column(output.prediction)


def _predictor(plan: Plan, model: Model) -> Predictor:
    bound = plan.binding.signature  # one column may feed a block, or take many class scores
    return model.predictor(signature=None if bound == model.signature else bound)
