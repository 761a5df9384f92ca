"""What writes predictions inside the server: `CALL sqlscore.score` and the trigger function.

Both run in the caller's transaction, with the caller's rights, and what they write is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.errors import SignatureError, SqlscoreError, nearest
from sqlscore.runtime.choosing import choose
from sqlscore.runtime.plpython import predicted
from sqlscore.runtime.queries import bound, described, query_of
from sqlscore.runtime.wire import array_text, list_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_WORDS: dict[pa.DataType, str] = {
    pa.float32(): "real", pa.float64(): "double precision", pa.float16(): "real",
    pa.int8(): "smallint", pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint",
    pa.uint8(): "smallint", pa.uint16(): "integer", pa.uint32(): "bigint",
    pa.uint64(): "numeric(20)", pa.bool_(): "boolean", pa.string(): "text",
}  # fmt: skip
_filling: set[int] = set()


def score(plpy: Any, model: str, source: str, target: str, key: str, mode: str) -> None:
    """Score the rows of a table, a view or a SELECT into a table; made where it is missing.

    `mode` is ``upsert``, ``append`` (a key that is there is the database's error), ``update`` (rows
    that the target has) or ``replace``. Raises SignatureError, RegistryError.
    """
    write = _MODES.get(mode)
    if write is None:
        raise SqlscoreError(
            f"the mode {mode!r} is none of {', '.join(_MODES)}.{nearest(mode, _MODES)}"
        )
    query = query_of(plpy, source)
    names, types = described(plpy, query, ())
    binding = bound(plpy, choose(plpy, model), names, types)
    keys = _keys(plpy, key, names, types)
    given = {one.column: _word(one.type) for one in binding.predictions}
    into = _target(plpy, target, keys, given, make=mode != "update")
    done = 0
    for statement in write(_Words(plpy, into, tuple(keys), tuple(given))):
        if "$1" not in statement:
            plpy.execute(statement)
            continue
        columns = ", ".join(f"{plpy.quote_ident(n)} {t}" for n, t in {**keys, **given}.items())
        rows = f"sqlscore.predict($1, $2) AS p({columns})"
        plan = plpy.prepare(statement.replace("$1", rows), ["text", "text"])
        done = plpy.execute(plan, [model, query]).nrows()
    plpy.notice(f"sqlscore: {done} rows scored into {into}")


class _Words:
    """The names of one writing, quoted, and what stands between them."""

    def __init__(self, plpy: Any, into: str, keys: Sequence[str], given: Sequence[str]) -> None:
        quote = plpy.quote_ident
        self.into = into
        self.keys = ", ".join(map(quote, keys))
        self.columns = ", ".join(map(quote, (*keys, *given)))
        self.same = " AND ".join(f"t.{quote(k)} = p.{quote(k)}" for k in keys)
        self.taken = ", ".join(f"{quote(g)} = p.{quote(g)}" for g in given)
        self.excluded = ", ".join(f"{quote(g)} = EXCLUDED.{quote(g)}" for g in given)


def _append(w: _Words) -> list[str]:
    return [f"INSERT INTO {w.into} ({w.columns}) SELECT {w.columns} FROM $1"]  # noqa: S608


def _upsert(w: _Words) -> list[str]:
    return [f"{_append(w)[0]} ON CONFLICT ({w.keys}) DO UPDATE SET {w.excluded}"]


def _replace(w: _Words) -> list[str]:
    # Predicted first: the source may read the rows that are deleted.
    return [
        f"CREATE TEMPORARY TABLE sqlscore_staged AS SELECT {w.columns} FROM $1",  # noqa: S608
        f"DELETE FROM {w.into}",  # noqa: S608
        f"INSERT INTO {w.into} ({w.columns}) SELECT {w.columns} FROM pg_temp.sqlscore_staged",  # noqa: S608
        "DROP TABLE pg_temp.sqlscore_staged",
    ]


def _update(w: _Words) -> list[str]:
    return [f"UPDATE {w.into} AS t SET {w.taken} FROM $1 WHERE {w.same}"]  # noqa: S608


#: mode -> the statements that write; $1 stands for the rows with their predictions
_MODES = {"upsert": _upsert, "append": _append, "update": _update, "replace": _replace}


def fill(plpy: Any, trigger: Mapping[str, Any]) -> None:
    """Fill prediction columns of the rows that a statement inserted or changed.

    Its arguments are the model, the key column, and the columns to fill: each the name of a
    prediction, or ``column=prediction``. What it writes itself does not start it again.
    """
    relation = int(trigger["relid"].removeprefix("oid:"))
    if relation in _filling:
        return
    model, key, columns, rows = _trigger(plpy, trigger)
    quote = plpy.quote_ident
    query = f"SELECT * FROM {quote(rows)}"  # noqa: S608
    names, types = described(plpy, query, ())
    if key not in names:
        raise SignatureError(f"the table has no column {key!r}.{nearest(key, names)}")
    batches = list(predicted(plpy, choose(plpy, model), query, (key,)))
    if not batches:
        return
    given = _filled(batches[0][1], columns)
    keys = [key for carried, _ in batches for key in carried[0]]
    values = [pa.chunked_array([b.column(p) for _, b in batches]).combine_chunks() for p in given]
    texts = [list_text(keys), *map(array_text, values)]
    types_ = [_type(plpy, types[names.index(key)]), *(_word(value.type) for value in values)]
    arrays = ", ".join(f"${i}::{type_}[]" for i, type_ in enumerate(types_, 1))
    table = f"{quote(trigger['table_schema'])}.{quote(trigger['table_name'])}"
    taken = ", ".join(f"{quote(column)} = p.v{i}" for i, column in enumerate(columns))
    names_ = ", ".join(["k", *(f"v{i}" for i in range(len(columns)))])
    plan = plpy.prepare(
        f"UPDATE {table} AS t SET {taken} FROM unnest({arrays}) AS p({names_}) "  # noqa: S608
        f"WHERE t.{quote(key)} = p.k",
        ["text"] * len(texts),
    )
    _filling.add(relation)
    try:
        plpy.execute(plan, texts)
    finally:
        _filling.discard(relation)


def _trigger(plpy: Any, trigger: Mapping[str, Any]) -> tuple[str, str, dict[str, str], str]:
    """The model, the key, column -> prediction, and the table of the rows that are new."""
    given = list(trigger["args"] or ())
    if len(given) < 3:
        raise SqlscoreError(
            "sqlscore.fill takes a model, a key column and the columns to fill: "
            "EXECUTE FUNCTION sqlscore.fill('churn', 'id', 'score')"
        )
    plan = plpy.prepare(
        "SELECT tgnewtable FROM pg_catalog.pg_trigger "
        "WHERE tgrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid "
        "AND tgname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
        ["text", "text"],
    )
    found = plpy.execute(plan, [trigger["relid"], trigger["name"]])
    if trigger["level"] != "STATEMENT" or not found[0]["tgnewtable"]:
        raise SqlscoreError(
            "sqlscore.fill is for a trigger AFTER INSERT or UPDATE, REFERENCING NEW TABLE AS "
            "new_rows, FOR EACH STATEMENT"
        )
    pairs = (text.partition("=") for text in given[2:])
    columns = {column: prediction or column for column, _, prediction in pairs}
    return given[0], given[1], columns, found[0]["tgnewtable"]


def _filled(predictions: pa.RecordBatch, columns: Mapping[str, str]) -> list[str]:
    there = predictions.schema.names
    for prediction in columns.values():
        if prediction not in there:
            raise SignatureError(
                f"the model has no prediction {prediction!r}; it has: {', '.join(there)}."
                f"{nearest(prediction, there)}"
            )
    return list(columns.values())


def _type(plpy: Any, number: int) -> str:
    plan = plpy.prepare("SELECT pg_catalog.format_type($1, NULL) AS name", ["oid"])
    found: str = plpy.execute(plan, [number])[0]["name"]
    return found


def _word(type_: pa.DataType) -> str:
    return f"{_WORDS[type_.value_type]}[]" if isinstance(type_, pa.ListType) else _WORDS[type_]


def _keys(plpy: Any, key: str, names: Sequence[str], types: Sequence[int]) -> dict[str, str]:
    """Key column -> its type in words; several are comma-separated."""
    keys = [name.strip() for name in key.split(",")]
    for name in keys:
        if name not in names:
            raise SignatureError(
                f"the source has no column {name!r} for the key.{nearest(name, names)} "
                f"It has: {', '.join(names)}"
            )
    return {name: _type(plpy, types[names.index(name)]) for name in keys}


def _target(
    plpy: Any, target: str, keys: Mapping[str, str], given: Mapping[str, str], *, make: bool
) -> str:
    """The target's name in quotes; the table is made where it is missing and may be."""
    plan = plpy.prepare("SELECT pg_catalog.to_regclass($1)::pg_catalog.text AS name", ["text"])
    found: str | None = plpy.execute(plan, [target])[0]["name"]
    if found is not None:
        return found
    if not make:
        raise SqlscoreError(f"the mode update needs a table, and there is no {target!r}")
    plan = plpy.prepare("SELECT pg_catalog.parse_ident($1) AS parts", ["text"])
    name = ".".join(map(plpy.quote_ident, plpy.execute(plan, [target])[0]["parts"]))
    columns = [f"{plpy.quote_ident(n)} {t}" for n, t in {**keys, **given}.items()]
    key = ", ".join(map(plpy.quote_ident, keys))
    plpy.execute(f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key}))")
    return name
