"""What writes predictions inside the server: `CALL sqlscore.score` and the trigger function.

Both run in the caller's transaction, with the caller's rights, and what they write is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.errors import SignatureError, SqlscoreError, nearest
from sqlscore.runtime.choosing import choose
from sqlscore.runtime.queries import described, query_of
from sqlscore.runtime.scored import bound_to, scored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlscore.runtime.records import Columns

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
    columns = described(plpy, query, ())
    keys = _keys(plpy, key, columns)
    given = bound_to(plpy, choose(plpy, model), query, columns).types
    into = _target(plpy, target, keys, given, make=mode != "update")
    done = 0
    for statement in write(_Words(plpy, into, tuple(keys), tuple(given))):
        if "$1" not in statement:
            plpy.execute(statement)
            continue
        rows = _predicted({plpy.quote_ident(n): t for n, t in {**keys, **given}.items()})
        plan = plpy.prepare(statement.replace("$1", rows), ["text", "text"])
        done = plpy.execute(plan, [model, query]).nrows()
    plpy.notice(f"sqlscore: {done} rows scored into {into}")


def _predicted(columns: Mapping[str, str]) -> str:
    """The rows ``p`` of the model $1 for the query $2, with these columns of these types."""
    if any(type_.endswith("[]") for type_ in columns.values()):  # unnest takes them apart, too
        typed = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        return f"sqlscore.predict($1, $2) AS p({typed})"
    arrays = ", ".join(f"{name} {type_}[]" for name, type_ in columns.items())
    names, whole = ", ".join(columns), ", ".join(f"b.{name}" for name in columns)
    return (
        f"(SELECT u.* FROM sqlscore.predict_batches($1, $2) AS b({arrays}), "  # noqa: S608
        f"unnest({whole}) AS u({names})) AS p"
    )


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
    types = described(plpy, query, ())
    if key not in types:
        raise SignatureError(f"the table has no column {key!r}.{nearest(key, types)}")
    bound = bound_to(plpy, choose(plpy, model), query, types, (key,))
    _refuse_unknown(columns.values(), bound.types)

    def texts_of(rows: Columns) -> list[str]:
        return [rows.carried_text(key), *map(rows.array_text, columns.values())]

    batches = list(scored(plpy, bound, texts_of))
    if not batches:
        return
    texts = [
        f"{{{','.join(text[1:-1] for text in parts)}}}" for parts in zip(*batches, strict=True)
    ]
    types_ = [_type(plpy, types[key]), *(bound.types[name] for name in columns.values())]
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


def _refuse_unknown(predictions: Iterable[str], there: Collection[str]) -> None:
    for prediction in predictions:
        if prediction not in there:
            raise SignatureError(
                f"the model has no prediction {prediction!r}; it has: {', '.join(there)}."
                f"{nearest(prediction, there)}"
            )


def _type(plpy: Any, number: int) -> str:
    plan = plpy.prepare("SELECT pg_catalog.format_type($1, NULL) AS name", ["oid"])
    found: str = plpy.execute(plan, [number])[0]["name"]
    return found


def _keys(plpy: Any, key: str, columns: Mapping[str, int]) -> dict[str, str]:
    """Key column -> its type in words; several are comma-separated."""
    keys = [name.strip() for name in key.split(",")]
    for name in keys:
        if name not in columns:
            raise SignatureError(
                f"the source has no column {name!r} for the key.{nearest(name, columns)} "
                f"It has: {', '.join(columns)}"
            )
    return {name: _type(plpy, columns[name]) for name in keys}


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
