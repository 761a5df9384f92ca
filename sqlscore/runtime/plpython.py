"""What the functions of sql/postgres do: the project's own predictor, inside a server process.

`plpy` is PL/Python's module, by which the caller's queries run, with the caller's rights. It is
used by the server's own thread alone. Models stay loaded, by their sha256 and options, for as long
as the process lives; whether the caller may use one is asked of the database by each call.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import Binding, bind, match_features
from sqlscore.errors import RegistryError, SignatureError, nearest
from sqlscore.graph import Graph, read
from sqlscore.model import Model
from sqlscore.predictor.kernels import MOST_ROWS
from sqlscore.prove import Proof
from sqlscore.runtime.chosen import Chosen, parts_of
from sqlscore.runtime.overlap import overlapped
from sqlscore.runtime.selecting import TYPES, Selecting
from sqlscore.runtime.wire import array_text, columns_of, fields, rows_of_array, unquoted
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TYPES = ("pg_catalog.jsonb",)  #: of the parameters of callers' queries

_VERSION = "SELECT m.name, m.version, m.sha256, m.options, m.proof FROM sqlscore.usable_models AS m"
_NEWEST = "WHERE m.name = $1 ORDER BY m.version DESC LIMIT 1"
#: the sign in what callers write -> which version of the name before it
_FIND = {
    ":": "WHERE m.name = $1 AND m.version::pg_catalog.text = $2",
    "@": "JOIN sqlscore.usable_aliases AS a ON a.name = m.name AND a.version = m.version "
    "WHERE m.name = $1 AND a.alias = $2",
}

#: how a query begins, as no table's name does; a comment may stand before it
_QUERY = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|with|values|table)\b)", re.IGNORECASE | re.DOTALL
)

#: the type beneath a domain, and what the type itself is called
_BASE = """
    WITH RECURSIVE base AS (
        SELECT $1::pg_catalog.oid AS oid
        UNION ALL
        SELECT t.typbasetype FROM base JOIN pg_catalog.pg_type AS t USING (oid)
         WHERE t.typtype = 'd'
    )
    SELECT oid AS base, pg_catalog.format_type($1::pg_catalog.oid, NULL) AS declared
      FROM base JOIN pg_catalog.pg_type AS t USING (oid) WHERE t.typtype <> 'd'
"""

_MOST = 64  #: of each kind that a process keeps; the one that came first goes first
_chosen: dict[tuple[str, str, str], Chosen] = {}
_plans: dict[tuple[str, int], Any] = {}
_selected: dict[Any, tuple[Binding, Selecting]] = {}


def predict(plpy: Any, model: str, query: str, *params: str) -> Iterator[Any]:
    """The rows that ``AS p(…)`` asks for: columns of the query and predictions, by name.

    Raises SignatureError for what does not bind and for names that are neither, RegistryError for a
    model that the caller may not use.
    """
    # not a generator itself: what is wrong at the start is then the error's own words
    return _rows(_scored(plpy, choose(plpy, model), query_of(plpy, query), params))


def _rows(scored: Iterator[_Columns]) -> Iterator[Any]:
    asked: _Asked | None = None
    for columns in scored:
        if asked is None:
            asked = _Asked(columns)
            yield asked  # the server takes the columns that it wants from it, by name
            asked.refuse_unknown()
            yield from columns.records(asked.names, start=1)
        else:
            yield from columns.records(asked.names)


def predicted(
    plpy: Any, chosen: Chosen, query: str, carried: tuple[str, ...]
) -> Iterator[tuple[list[list[str | None]], pa.RecordBatch]]:
    """Batches of a query's rows: the texts of the carried columns, and the predictions."""
    for columns in _scored(plpy, chosen, query, (), carried):
        yield [columns.texts(name) for name in carried], columns.predicted


def _scored(
    plpy: Any,
    chosen: Chosen,
    query: str,
    params: Sequence[str],
    carried: tuple[str, ...] | None = None,
) -> Iterator[_Columns]:
    """The batches of a query, scored; with columns that feed no feature, or with `carried`."""
    names, types = described(plpy, query, params)
    key = (chosen.key, query, tuple(names), tuple(types), carried)
    if key not in _selected:
        binding = bound(plpy, chosen, names, types)
        fed = {one.column.name for one in binding.features}
        others = [name for name in names if name not in fed] if carried is None else carried
        _keep(_selected, key, (binding, Selecting.of(binding, query, others, plpy.quote_ident)))
    binding, selecting = _selected[key]
    predictor = chosen.model.predictor()

    def score(rows: Sequence[Mapping[str, Any]]) -> _Columns:
        batch = predictor(selecting.batch(rows, predictor.feature_names)).batch
        return _Columns(rows, batch, selecting, binding)

    batches = _fetched(plpy, selecting.text, params)
    return overlapped(batches, score, small=lambda rows: len(rows) < MOST_ROWS)


def predict_row(plpy: Any, model: str, features: Sequence[float | None]) -> Any:
    """The one prediction for one row of numbers."""
    chosen = choose(plpy, model)
    place = chosen.place
    return chosen.row(features)[place]


def predict_object(plpy: Any, model: str, features: str) -> str:
    """All predictions for one row, a JSON object by feature in, one by prediction out."""
    chosen = choose(plpy, model)
    given = json.loads(features)
    if not isinstance(given, dict):
        raise SignatureError("the row is no JSON object: give to_jsonb(c) for a row c of a table")
    columns = match_features(chosen.model.signature, list(given))
    found = chosen.row([given[column] for column in columns])
    names = (prediction.name for prediction in chosen.model.signature.predictions)
    return json.dumps(dict(zip(names, map(_json, found), strict=True)))


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


def choose(plpy: Any, text: str) -> Chosen:
    """The model that a caller names, loaded once; the right to it is asked for again each time."""
    spec, wanted = parts_of(unicodedata.normalize("NFC", text))
    found = _find(plpy, spec)
    if not found:
        raise _unknown(plpy, spec)
    row = found[0]
    key = (text, row["sha256"], row["options"])
    if key not in _chosen:
        same = (c.model for c in _chosen.values() if c.key[1:] == key[1:])
        model = next(same, None) or _load(plpy, row)
        _keep(_chosen, key, Chosen(spec=spec, model=model, wanted=wanted, key=key))
    return _chosen[key]


def query_of(plpy: Any, source: str) -> str:
    """A caller's query as it stands in another; a table's or view's name is all of its rows."""
    if _QUERY.match(source):
        return source.rstrip().rstrip(";")
    named = _ask(plpy, "SELECT $1::pg_catalog.regclass::pg_catalog.text AS name", source)
    return f"SELECT * FROM {named[0]['name']}"  # noqa: S608


def described(plpy: Any, query: str, params: Sequence[str]) -> tuple[list[str], list[int]]:
    """The names of a query's columns and the numbers of their types; no row is read."""
    plan = _plan(plpy, f"SELECT * FROM ({query}\n) AS q LIMIT 0", _TYPES[: len(params)])  # noqa: S608
    empty = plpy.execute(plan, list(params))
    names = empty.colnames()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SignatureError(
            f"the query has several columns named {', '.join(map(repr, twice))}. Name them apart: "
            "SELECT a.id AS a_id"
        )
    return names, empty.coltypes()


def bound(plpy: Any, chosen: Chosen, names: Sequence[str], types: Sequence[int]) -> Binding:
    """The model bound to the columns of a query."""
    columns = [_column(plpy, name, type_) for name, type_ in zip(names, types, strict=True)]
    return bind(
        chosen.model.signature, columns, key=(), positional=True, identifier_limit=63,
        column_limit=1600, arrays=True,
    )  # fmt: skip


def _column(plpy: Any, name: str, type_: int) -> Column:
    if type_ in TYPES:
        return Column(name=name, type=TYPES[type_])
    found = _ask(plpy, _BASE, str(type_))[0]
    declared = found["declared"]
    other = pa.list_(pa.string()) if declared.endswith("[]") else pa.string()
    return Column(name=name, type=TYPES.get(found["base"], other), declared=declared)


class _Columns:
    """The columns of one batch that can be asked for."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        predicted: pa.RecordBatch,
        selecting: Selecting,
        binding: Binding,
    ) -> None:
        self._rows = rows
        self.predicted = predicted
        self.carried = {name: f"c{i}" for i, name in enumerate(selecting.carried)}
        self.predictions = {one.column: one.prediction.name for one in binding.predictions}
        self.fed = {one.column.name for one in binding.features}

    def first(self, name: str) -> str | None:
        """The first row's value, as text; None also for a name that is none of ours."""
        return unquoted(self._fields(name, stop=1)[0])

    def texts(self, name: str) -> list[str | None]:
        """The values of a column as text."""
        return [unquoted(field) for field in self._fields(name)]

    def records(self, names: Sequence[str], start: int = 0) -> list[str]:
        """The rows from `start` on as texts of records with these columns."""
        columns = [self._fields(name, start=start) for name in names]
        if len(columns) == 1:
            return [f"({a})" for a in columns[0]]
        if len(columns) == 2:
            return [f"({a},{b})" for a, b in zip(*columns, strict=True)]
        return [f"({','.join(values)})" for values in zip(*columns, strict=True)]

    def _fields(self, name: str, start: int = 0, stop: int | None = None) -> list[str]:
        if name in self.carried:
            key = self.carried[name]
            return [row[key][1:-1] for row in self._rows[start:stop]]
        if name in self.predictions:
            column = self.predicted.column(self.predictions[name])
            return fields(column.slice(start, None if stop is None else stop - start))
        return [""] * len(self._rows[start:stop])


class _Asked(dict[str, Any]):
    """The first row, which notes the names by which the server asks for its columns.

    The server asks each name of ``AS p(…)`` once, and takes the rows after it as texts of records
    in that order, several times faster than by name.
    """

    def __init__(self, columns: _Columns) -> None:
        super().__init__()
        self.names: list[str] = []
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        self.names.append(name)
        return self._columns.first(name)

    def refuse_unknown(self) -> None:
        """Raise SignatureError for a name that is no column to carry, and no prediction."""
        known = [*self._columns.carried, *self._columns.predictions]
        for name in self.names:
            if name in self._columns.fed:
                raise SignatureError(
                    f"{name!r} feeds the model, and its own value is not kept. SELECT it a second "
                    f"time under another name: {name} AS {name}_given"
                )
            if name not in known:
                raise SignatureError(
                    f"AS p(…) names {name!r}, which is neither a prediction nor another column of "
                    f"the query.{nearest(name, known)} There are: {', '.join(known)}"
                )


def _fetched(plpy: Any, text: str, params: Sequence[str]) -> Iterator[Any]:
    """The rows of a query, in batches; the server may stop them between any two."""
    cursor = plpy.cursor(_plan(plpy, text, _TYPES[: len(params)]), list(params))
    while True:
        rows = cursor.fetch(MOST_ROWS)
        if not rows:
            return
        yield list(rows)


def _plan(plpy: Any, text: str, types: Sequence[str]) -> Any:
    """The statement, prepared; the server sees to it that it is planned anew where that is due."""
    key = (text, len(types))
    if key not in _plans:
        _keep(_plans, key, plpy.prepare(text, list(types)))
    return _plans[key]


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    """Keep one more, and no more than are useful: the first that came goes."""
    kept[key] = value
    if len(kept) > _MOST:
        del kept[next(iter(kept))]


def _ask(plpy: Any, text: str, *values: str) -> Any:
    return plpy.execute(_plan(plpy, text, ["pg_catalog.text"] * len(values)), list(values))


def _find(plpy: Any, spec: str) -> Any:
    """The version that ``churn``, ``churn:3`` or ``churn@production`` names; at most one row."""
    for sign, condition in _FIND.items():
        name, found, which = spec.partition(sign)
        if found:
            return _ask(plpy, f"{_VERSION} {condition}", name, which)
    return _ask(plpy, f"{_VERSION} {_NEWEST}", spec)


def _load(plpy: Any, row: Mapping[str, Any]) -> Model:
    parts = _ask(plpy, "SELECT bytes FROM sqlscore.usable_parts WHERE sha256 = $1 ORDER BY part",
                 row["sha256"])  # fmt: skip
    stored = b"".join(part["bytes"] for part in parts)
    name, version = row["name"], row["version"]
    if hashlib.sha256(stored).hexdigest() != row["sha256"]:
        raise RegistryError(
            f"the stored bytes of model {name!r}, version {version}, are not those that were "
            "added, so they are not run. Add the model again from its file"
        )
    options = json.loads(row["options"])
    graph: Graph = read(stored)
    return Model(
        graph, features=options["features"], outputs=options["outputs"], drop=options["drop"],
        name=name, version=version, proof=Proof.from_json(row["proof"]),
    )  # fmt: skip


def _unknown(plpy: Any, spec: str) -> RegistryError:
    """The error for a model that is not there, or that the caller may not use: the same words."""
    rows = plpy.execute("SELECT DISTINCT name FROM sqlscore.usable_models ORDER BY name LIMIT 100")
    names = [row["name"] for row in rows]
    has = f"There are: {', '.join(map(repr, names))}." if names else "There is none."
    return RegistryError(
        f"there is no model {spec!r} that you may use. {has}{nearest(spec, names)} "
        "Who may add it says: SELECT sqlscore.grant_model('churn', 'role')"
    )


def _json(value: Any) -> Any:
    """A value that JSON has: NaN and ±inf are text there, as to_jsonb has them."""
    if isinstance(value, float) and value - value != 0:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return [_json(v) for v in value] if isinstance(value, list) else value
