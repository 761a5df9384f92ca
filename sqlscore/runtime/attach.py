"""``predict`` on a connection that the caller has open, for databases that live in this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from sqlscore.binding import match_features
from sqlscore.errors import DatabaseError, SignatureError
from sqlscore.model import stored
from sqlscore.predictor.rows import predicted_rows
from sqlscore.products import functions_for, product_for
from sqlscore.registry import Registry
from sqlscore.registry.versions import Spec
from sqlscore.runtime.chosen import Chosen, parts_of
from sqlscore.types import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.signature import Prediction


def attach(connection: Any, *models: str) -> None:
    """Make ``predict`` a function of an open connection's SQL; its database has the models.

    ``predict('churn', age, spend)`` takes a value for each feature, in their order, and gives the
    model's prediction; of several predictions ``predict('churn[score]', …)`` gives one. On DuckDB
    ``predict('churn', c)`` takes the row of a table ``c``, with features bound by name, and for
    each of `models` there is a table function: ``FROM predict_churn('customers')`` has the table's
    columns and, behind them, all predictions.

    connection: of `sqlite3`, of `duckdb`, or SQLAlchemy's of one of them.

    A version that was found stays, so that all rows of a statement have the same: attach again to
    follow an alias that was moved. A NULL means what it means in a run. Raises DatabaseError for
    other connections, RegistryError and SignatureError for `models` that are not there or name no
    features. What is wrong with a call is an error of the statement; SQLite hides its words, which
    are logged there, and given by ``SELECT predict_error()``.
    """
    functions = functions_for(connection)
    raw = functions.raw(connection) if isinstance(connection, sa.Connection) else connection
    engine = functions.engine(raw)
    scores = Held(Registry(engine, product_for(engine)))
    functions.scalar(raw, scores)
    if models and functions.table is None:
        raise DatabaseError(
            f"{product_for(engine).name} takes no table functions from here. Use "
            f"predict('{models[0]}', …), which is there now"
        )
    for model in models:
        if functions.table is not None:
            functions.table(raw, scores, model, Spec.parse(model).name)


class Held:
    """The models that statements named, each loaded once; may be called by several threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._found: dict[str, Chosen] = {}

    def row(self, model: str, values: Sequence[Any]) -> Any:
        """The prediction for a row of values."""
        found = self._found.get(model) or self._find(model)
        return found.row.one(values, found.place)

    def rows(self, model: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """The prediction for each row of values."""
        found = self._find(model)
        return predicted_rows(found.predictor, found.row, rows, found.place)

    def column(self, model: str, columns: Sequence[pa.Array]) -> pa.Array:
        """The prediction for each row."""
        found = self._find(model)
        place, floats = found.place, found.floats
        if floats is not None and all(map(_is_plain, columns)):
            found.refuse_count(len(columns))
            return numbers(floats(_block(columns), None)[0][found.predictions[place]])
        return self._predict(found, columns).column(place)

    def columns(self, model: str, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        """All predictions for each row."""
        return self._predict(self._find(model), columns)

    def features(self, model: str) -> tuple[str, ...]:
        """The columns that the model takes; SignatureError where their names are made up."""
        signature = self._find(model).model.signature
        if not signature.named:
            raise SignatureError(
                f"the model {model!r} does not name its features, so no table's columns can be "
                "found for them. Give their names once, features=[…] at add"
            )
        return tuple(feature.name for feature in signature.features)

    def predictions(self, model: str) -> tuple[tuple[str, pa.DataType], ...]:
        """The columns that the model gives."""
        given: tuple[Prediction, ...] = self._find(model).model.signature.predictions
        return tuple((one.name, one.type) for one in given)

    def _predict(self, found: Chosen, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        if len(columns) == 1 and pa.types.is_struct(columns[0].type):
            columns = _of_struct(found, columns[0])
        found.refuse_count(len(columns))
        batch = pa.RecordBatch.from_arrays(list(columns), names=found.features)
        return found.predictor(batch).batch

    def _find(self, spec: str) -> Chosen:
        with self._lock:
            if spec not in self._found:
                name, wanted = parts_of(spec)
                model = stored(self._registry, name)
                self._found[spec] = Chosen(spec=name, load=lambda: model, wanted=wanted)
            return self._found[spec]


def _is_plain(column: pa.Array) -> bool:
    return bool(pa.types.is_float64(column.type)) and not column.null_count


def _block(columns: Sequence[pa.Array]) -> np.ndarray:
    """The values of columns without NULL, a row each."""
    block = np.empty((len(columns[0]), len(columns)), np.float32)
    with np.errstate(over="ignore"):  # an overflow to ±inf is the rule
        for i, column in enumerate(columns):
            block[:, i] = column.to_numpy()
    return block


def _of_struct(found: Chosen, rows: pa.StructArray) -> list[pa.Array]:
    """The columns of rows, by the names of the features; a row that is NULL has NULL in all."""
    arrays = dict(zip((field.name for field in rows.type), rows.flatten(), strict=True))
    return [arrays[name] for name in match_features(found.model.signature, list(arrays))]
