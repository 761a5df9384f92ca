"""Rows of whatever types, and models of whatever inputs: the project's own predictor on Arrow.

A process imports it when it is first needed: see `numbers` for what comes without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import Binding, bind, match_features
from sqlscore.runtime.arrays import rows_of_array
from sqlscore.runtime.literals import COLUMN_TYPES, field
from sqlscore.runtime.prepared import ask
from sqlscore.runtime.records import Columns
from sqlscore.runtime.selecting import TYPES, Selecting
from sqlscore.runtime.wire import array_text, columns_of, fields
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlscore.predictor import Predictor
    from sqlscore.runtime.chosen import Chosen
    from sqlscore.runtime.taken import Taken

#: the type beneath a domain, and what the type itself is called
_BASE = """
    WITH RECURSIVE base AS (
        SELECT $1::pg_catalog.oid AS oid
        UNION ALL
        SELECT t.typbasetype
          FROM base JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) base.oid
         WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
    )
    SELECT base.oid AS base, pg_catalog.format_type($1::pg_catalog.oid, NULL) AS declared
      FROM base JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) base.oid
     WHERE t.typtype OPERATOR(pg_catalog.<>) 'd'
"""


class General:
    """One query's rows for one model."""

    def __init__(self, chosen: Chosen, binding: Binding, selecting: Selecting) -> None:
        self.text = selecting.text
        self._chosen = chosen
        self._binding = binding
        self._selecting = selecting
        self._predictor: Predictor = chosen.model.predictor()

    @classmethod
    def of(
        cls,
        plpy: Any,
        chosen: Chosen,
        query: str,
        columns: Mapping[str, int],
        carry: Collection[str] | None = None,
    ) -> General:
        """The model bound to a query's columns, with those that feed no feature, or with `carry`.

        `columns` has the numbers of their types. Raises SignatureError for what does not bind.
        """
        binding = bind(
            chosen.model.signature, [_column(plpy, *one) for one in columns.items()], key=(),
            positional=True, identifier_limit=63, column_limit=1600, arrays=True,
        )  # fmt: skip
        taken = {one.column.name for one in binding.features}
        taken |= {one.column for one in binding.predictions}  # its name means the prediction
        others = [name for name in columns if name not in taken] if carry is None else carry
        types = {name: columns[name] for name in others}
        return cls(chosen, binding, Selecting.of(binding, query, types, plpy.quote_ident))

    @property
    def types(self) -> dict[str, str]:
        """The columns that the predictions take, with their types."""
        elements = {one.name: one.element for one in self._binding.signature.outputs}
        return {
            one.column: COLUMN_TYPES[elements[one.prediction.output]]
            + ("[]" if isinstance(one.type, pa.ListType) else "")
            for one in self._binding.predictions
        }

    def score(self, rows: Taken) -> Columns:
        """The rows with their predictions."""
        return Columns(
            rows,
            self._selecting.carried,
            {one.column: one.prediction.name for one in self._binding.predictions},
            {one.column.name for one in self._binding.features},
            self._of_row(rows.first) if len(rows) == 1 else self._of_rows(rows),
            [name for name, type_ in self.types.items() if type_.endswith("[]")],
        )

    def _of_rows(self, rows: Taken) -> Callable[[str], list[str]]:
        batch = self._predictor(self._selecting.batch(rows, self._predictor.feature_names)).batch
        return lambda name: fields(batch.column(name))

    def _of_row(self, row: Mapping[str, Any]) -> Callable[[str], list[str]]:
        """One row's predictions, without Arrow: see `RowPredictor`."""
        values = self._selecting.values(row)
        places = {one.name: i for i, one in enumerate(self._chosen.model.signature.predictions)}
        return lambda name: [field(self._chosen.row.one(values, places[name]))]


def _column(plpy: Any, name: str, type_: int) -> Column:
    if type_ in TYPES:
        return Column(name=name, type=TYPES[type_])
    found = ask(plpy, _BASE, str(type_))[0]
    declared = found["declared"]
    other = pa.list_(pa.string()) if declared.endswith("[]") else pa.string()
    return Column(name=name, type=TYPES.get(found["base"], other), declared=declared)


def predicted_object(chosen: Chosen, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """All predictions for one row's values by name."""
    columns = match_features(chosen.model.signature, list(given))
    return chosen.row([given[column] for column in columns])


def predicted_array(chosen: Chosen, features: bytes, place: int) -> str:
    """One prediction for each row of an array's memory, as the text of an array."""
    values, nulls = rows_of_array(features)
    chosen.refuse_count(values.shape[1])
    predictor = chosen.model.predictor()
    batch = pa.RecordBatch.from_arrays(columns_of(values, nulls), names=predictor.feature_names)
    return array_text(predictor(batch).batch.column(place))
