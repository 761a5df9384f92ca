"""What the functions of sql/postgres do, inside a server process.

`plpy` is PL/Python's module, by which the caller's queries run, with the caller's rights. It is
used by the server's own thread alone. Models stay loaded, by their sha256 and options, for as long
as the process lives; whether the caller may use one is asked of the database by each statement.

A new process imports no more than its first call needs: `numbers` scores what is plain, and
`general` (Arrow, onnx) all else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from sqlscore.errors import SignatureError, SqlscoreError
from sqlscore.runtime.arrays import rows_of_array
from sqlscore.runtime.choosing import choose
from sqlscore.runtime.literals import jsonable
from sqlscore.runtime.numbers import fields
from sqlscore.runtime.queries import described, query_of
from sqlscore.runtime.records import Columns, Wanted, batches, records
from sqlscore.runtime.scored import bound_to, general, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from sqlscore.runtime.chosen import Chosen

Result = TypeVar("Result")

_ARGUMENTS = ("model", "source", "target", "key", "mode")  #: of `score`


def predict(plpy: Any, given: dict[str, Any]) -> Iterator[Any]:
    """The rows that ``AS p(…)`` asks for: columns of the query and predictions, by name.

    `given` are the function's globals, from which PL/Python's arguments are taken: it would save
    and restore those that it finds there around each row. Raises SignatureError for what does not
    bind and for names that are neither, RegistryError for a model that the caller may not use.
    """
    model, query, *params = given.pop("args")
    for name in ("model", "query", "source", "params"):
        given.pop(name, None)
    # not a generator itself: what is wrong at the start is then the error's own words
    wanted = Wanted(Columns.records)
    return records(_scored(plpy, model, query, params, wanted), wanted)


def predict_batches(
    plpy: Any, model: str | None, query: str | None, *params: str | None
) -> Iterator[Any]:
    """The same, some thousands of rows in each record, whose columns are arrays."""
    wanted = Wanted(Columns.arrays)
    return batches(_scored(plpy, model, query, params, wanted), wanted)


def _scored(
    plpy: Any,
    model: str | None,
    query: str | None,
    params: Sequence[str | None],
    then: Callable[[Columns], Result],
) -> Iterator[Result]:
    if model is None or query is None:  # as STRICT functions have it
        return iter(())
    chosen, query = choose(plpy, model), query_of(plpy, query)
    bound = bound_to(plpy, chosen, query, described(plpy, query, params))
    return scored(plpy, bound, then, params)


def score(plpy: Any, *arguments: str | None) -> None:
    """See `writing.score`; no argument may be NULL."""
    for name, value in zip(_ARGUMENTS, arguments, strict=True):
        if value is None:
            raise SqlscoreError(f"the argument {name} is NULL")
    _writing().score(plpy, *arguments)


def fill(plpy: Any, trigger: Mapping[str, Any]) -> None:
    """See `writing.fill`."""
    _writing().fill(plpy, trigger)


def _writing() -> ModuleType:
    from sqlscore.runtime import writing

    return writing


def predict_row(plpy: Any, model: str, features: Sequence[float | None]) -> Any:
    """The one prediction for one row of numbers."""
    chosen = choose(plpy, model)
    place = chosen.place
    if chosen.numeric is None:
        return chosen.row.one(features, place)
    if len(features) != len(chosen.features):
        chosen.refuse_count(len(features))
    return chosen.numeric.one(features, place)


def predict_object(plpy: Any, model: str, features: str) -> str:
    """All predictions for one row, a JSON object by feature in, one by prediction out."""
    chosen = choose(plpy, model)
    given = json.loads(features)
    if not isinstance(given, dict):
        raise SignatureError("the row is no JSON object: give to_jsonb(c) for a row c of a table")
    found = _of_numbers(chosen, given) or general().predicted_object(chosen, given)
    return json.dumps(dict(zip(chosen.predictions, map(jsonable, found), strict=True)))


def _of_numbers(chosen: Chosen, given: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The predictions, where all is plain."""
    if chosen.numeric is None:
        return None
    values = [given.get(name, "") for name in chosen.features]
    if not {type(value) for value in values} <= {float, int, type(None)}:
        return None
    try:
        return chosen.numeric.row(values)
    except OverflowError:  # an integer past the largest double
        return None


def predict_bytes(plpy: Any, model: str, features: bytes) -> str:
    """One prediction for each row of an array, as the text of an array."""
    chosen = choose(plpy, model)
    place = chosen.place
    values, nulls = rows_of_array(features)
    if not len(values):
        return "{}"
    if chosen.numeric is None:
        found: str = general().predicted_array(chosen, features, place)
        return found
    chosen.refuse_count(values.shape[1])
    predictions, lost = chosen.numeric(values.copy(), nulls)
    texts = fields(predictions[chosen.predictions[place]], lost)
    return "{" + ",".join(text or "NULL" for text in texts) + "}"
