"""What the functions of sql/postgres do: the project's own predictor, inside a server process.

`plpy` is PL/Python's module, by which the caller's queries run, with the caller's rights. It is
used by the server's own thread alone. Models stay loaded, by their sha256 and options, for as long
as the process lives; whether the caller may use one is asked of the database by each statement.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import Binding, match_features
from sqlscore.errors import SignatureError
from sqlscore.predictor.kernels import MOST_ROWS
from sqlscore.runtime.choosing import choose
from sqlscore.runtime.overlap import overlapped
from sqlscore.runtime.prepared import ask, keep
from sqlscore.runtime.queries import bound, described, fetched, query_of
from sqlscore.runtime.records import Asked, Columns, carried
from sqlscore.runtime.selecting import Selecting
from sqlscore.runtime.wire import (
    array_text,
    columns_of,
    field,
    fields,
    jsonable,
    rows_of_array,
    unquoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlscore.runtime.chosen import Chosen

    _Rows = Sequence[Mapping[str, Any]]

#: how many processes more a query may have is a setting that every administrator knows
_MOST_WORKERS = (
    "SELECT pg_catalog.current_setting('max_parallel_workers_per_gather')::pg_catalog.int4 AS most"
)
_selected: dict[Any, tuple[Binding, Selecting]] = {}


def predict(plpy: Any, model: str, query: str, *params: str) -> Iterator[Any]:
    """The rows that ``AS p(…)`` asks for: columns of the query and predictions, by name.

    Raises SignatureError for what does not bind and for names that are neither, RegistryError for a
    model that the caller may not use.
    """
    # not a generator itself: what is wrong at the start is then the error's own words
    chosen, query = choose(plpy, model), query_of(plpy, query)
    binding, selecting = _selected_by(plpy, chosen, query, params)
    predictor = chosen.model.predictor()

    def score(rows: _Rows) -> Columns:
        if len(rows) == 1:
            return Columns(rows, selecting, binding, _of_row(chosen, selecting.values(rows[0])))
        batch = predictor(selecting.batch(rows, predictor.feature_names)).batch
        return Columns(rows, selecting, binding, _of_batch(batch))

    batches = fetched(plpy, selecting.text, params)
    return _rows(overlapped(batches, score, threads=_threads(plpy), small=_small))


def _of_batch(batch: pa.RecordBatch) -> Callable[[str, slice], list[str]]:
    """What gives the fields of a batch's predictions."""
    return lambda name, part: fields(batch.column(name)[part])


def _of_row(chosen: Chosen, values: Sequence[Any]) -> Callable[[str, slice], list[str]]:
    """What gives the fields of one row's predictions, without Arrow: see `RowPredictor`."""
    places = {one.name: i for i, one in enumerate(chosen.model.signature.predictions)}
    return lambda name, part: [field(chosen.row.one(values, places[name]))][part]


def _rows(scored: Iterator[Columns]) -> Iterator[Any]:
    asked: Asked | None = None
    for columns in scored:
        if asked is None:
            asked = Asked(columns)
            yield asked  # the server takes the columns that it wants from it, by name
            asked.refuse_unknown()
            yield from columns.records(asked.names, start=1)
        else:
            yield from columns.records(asked.names)


def predicted(
    plpy: Any, chosen: Chosen, query: str, carry: tuple[str, ...]
) -> Iterator[tuple[list[list[str | None]], pa.RecordBatch]]:
    """Batches of a query's rows: the texts of the columns to carry, and the predictions."""
    _, selecting = _selected_by(plpy, chosen, query, (), carry)
    predictor = chosen.model.predictor()

    def score(rows: _Rows) -> tuple[list[list[str | None]], pa.RecordBatch]:
        texts = [list(map(unquoted, carried(rows, f"c{i}"))) for i in range(len(carry))]
        return texts, predictor(selecting.batch(rows, predictor.feature_names)).batch

    batches = fetched(plpy, selecting.text, ())
    return overlapped(batches, score, threads=_threads(plpy), small=_small)


def _threads(plpy: Any) -> Callable[[], int]:
    """What tells how many threads may score for one call beside the server's own."""

    def allowed() -> int:
        most: int = ask(plpy, _MOST_WORKERS)[0]["most"]
        return max(1, min(most, len(os.sched_getaffinity(0))))

    return allowed


def _small(rows: _Rows) -> bool:
    return len(rows) < MOST_ROWS


def _selected_by(
    plpy: Any,
    chosen: Chosen,
    query: str,
    params: Sequence[str],
    carry: tuple[str, ...] | None = None,
) -> tuple[Binding, Selecting]:
    """The model bound to a query, with the columns that feed no feature, or with `carry`."""
    names, types = described(plpy, query, params)
    key = (chosen.key, query, tuple(names), tuple(types), carry)
    if key not in _selected:
        binding = bound(plpy, chosen, names, types)
        taken = {one.column.name for one in binding.features}
        taken |= {one.column for one in binding.predictions}  # its name means the prediction
        others = [name for name in names if name not in taken] if carry is None else carry
        keep(_selected, key, (binding, Selecting.of(binding, query, others, plpy.quote_ident)))
    return _selected[key]


def predict_row(plpy: Any, model: str, features: Sequence[float | None]) -> Any:
    """The one prediction for one row of numbers."""
    chosen = choose(plpy, model)
    place = chosen.place
    return chosen.row.one(features, place)


def predict_object(plpy: Any, model: str, features: str) -> str:
    """All predictions for one row, a JSON object by feature in, one by prediction out."""
    chosen = choose(plpy, model)
    given = json.loads(features)
    if not isinstance(given, dict):
        raise SignatureError("the row is no JSON object: give to_jsonb(c) for a row c of a table")
    columns = match_features(chosen.model.signature, list(given))
    found = chosen.row([given[column] for column in columns])
    names = (prediction.name for prediction in chosen.model.signature.predictions)
    return json.dumps(dict(zip(names, map(jsonable, found), strict=True)))


def predict_bytes(plpy: Any, model: str, features: bytes) -> str:
    """One prediction for each row of an array, as the text of an array."""
    chosen = choose(plpy, model)
    place = chosen.place
    values, nulls = rows_of_array(features)
    if not len(values):
        return "{}"
    chosen.refuse_count(values.shape[1])
    predictor = chosen.model.predictor()
    batch = pa.RecordBatch.from_arrays(columns_of(values, nulls), names=predictor.feature_names)
    return array_text(predictor(batch).batch.column(place))
