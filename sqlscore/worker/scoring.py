"""A part's rows to predictions: the project's own binding and predictor, on what a queue holds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import bind
from sqlscore.errors import RegistryError
from sqlscore.runtime.prepared import keep
from sqlscore.worker.parts import Scored
from sqlscore.worker.payload import array_of, columns_of, encoded, meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.binding import Binding
    from sqlscore.model import Model
    from sqlscore.model.models import Models
    from sqlscore.predictor.predictor import Predictor
    from sqlscore.products.product import Product
    from sqlscore.products.queue import Queue
    from sqlscore.types import Column
    from sqlscore.worker.parts import Claim


class Scoring:
    """The models that a worker has loaded; may be used by several threads."""

    def __init__(self, models: Models, product: Product, queue: Queue) -> None:
        self._models = models
        self._product = product
        self._queue = queue
        self._loaded: dict[Any, Model] = {}
        self._bindings: dict[Any, tuple[Binding, Predictor]] = {}
        self._described: dict[Any, tuple[Column, ...]] = {}

    def __call__(self, claim: Claim) -> Scored:
        """Score a part. Raises SignatureError for what does not bind, RegistryError, ModelError."""
        values = columns_of(claim.given)
        columns = self._columns(claim.columns, values)
        bound, predictor = self._bound(self._model(claim), columns)
        places = {column.name: i for i, column in enumerate(columns)}
        arrays = [
            _read(values[places[one.column.name]], one.column.type, one.read)
            for one in bound.features
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=predictor.feature_names)
        found = predictor(batch).batch
        product = self._product
        taken = {one.column.name for one in bound.features}
        taken |= {one.column for one in bound.predictions}  # its name means the prediction
        return Scored(
            predicted=encoded(found, product, by_row=self._queue.by_row),
            predictions=json.dumps(
                [(p.column, product.declare(p.type)) for p in bound.predictions]
            ),
            carried=json.dumps([i for i, c in enumerate(columns) if c.name not in taken]),
        )

    def _columns(self, described: str, values: Sequence[Sequence[Any]]) -> tuple[Column, ...]:
        """The columns of a caller's query; where nothing else tells a type, its values do."""
        columns = self._described.get(described)
        if columns is None:
            columns = tuple(map(self._queue.column, json.loads(described)))
            keep(self._described, described, columns)
        if not any(pa.types.is_null(column.type) for column in columns):
            return columns
        return tuple(
            dataclasses.replace(column, type=meant(found))
            if pa.types.is_null(column.type)
            else column
            for column, found in zip(columns, values, strict=True)
        )

    def _bound(self, model: Model, columns: tuple[Column, ...]) -> tuple[Binding, Predictor]:
        key = (model.sha256, model.name, model.version, columns)
        found = self._bindings.get(key)
        if found is None:
            product = self._product
            bound = bind(
                model.signature, columns, key=(), positional=True, nested=product.nested,
                identifier_limit=product.identifier_limit, column_limit=product.column_limit,
                arrays=product.arrays,
            )  # fmt: skip
            found = bound, model.predictor(signature=bound.signature)
            keep(self._bindings, key, found)
        return found

    def _model(self, claim: Claim) -> Model:
        """The version that the job began with, loaded once; its bytes are what they were then."""
        key = (claim.model, claim.version, claim.sha256)
        model = self._loaded.get(key)
        if model is None:
            model = self._models[f"{claim.model}:{claim.version}"]
            if model.sha256 != claim.sha256:
                raise RegistryError(
                    f"model {claim.model}:{claim.version} is another one than when this job came. "
                    "Submit it again"
                )
            keep(self._loaded, key, model)
        return model


def _read(values: Sequence[Any], meaning: pa.DataType, read: pa.DataType) -> pa.Array:
    """A column as the predictor takes it, through its own type: a 4-byte float is one first."""
    through = read if pa.types.is_decimal(meaning) or pa.types.is_null(meaning) else meaning
    array = array_of(values, through)
    return array if array.type == read else array.cast(read, safe=False)
