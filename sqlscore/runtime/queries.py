"""A caller's query: its columns, the model bound to them, and its rows in batches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlscore.binding import Binding, bind
from sqlscore.errors import SignatureError
from sqlscore.predictor.kernels import MOST_ROWS
from sqlscore.runtime.prepared import ask, plan
from sqlscore.runtime.selecting import TYPES
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.runtime.chosen import Chosen

_TYPES = ("pg_catalog.jsonb",)  #: of the parameters of callers' queries

#: how a query begins, as no table's name does; a comment may stand before it
_QUERY = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|with|values|table)\b)", re.IGNORECASE | re.DOTALL
)
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


def query_of(plpy: Any, source: str) -> str:
    """A caller's query as it stands in another; a table's or view's name is all of its rows."""
    if _QUERY.match(source):
        return source.rstrip().rstrip(";")
    named = ask(plpy, "SELECT $1::pg_catalog.regclass::pg_catalog.text AS name", source)
    return f"SELECT * FROM {named[0]['name']}"  # noqa: S608


def described(plpy: Any, query: str, params: Sequence[str]) -> tuple[list[str], list[int]]:
    """The names of a query's columns and the numbers of their types; no row is read."""
    text = f"SELECT * FROM ({query}\n) AS q LIMIT 0"  # noqa: S608
    empty = plpy.execute(plan(plpy, text, _TYPES[: len(params)]), list(params))
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


def fetched(plpy: Any, text: str, params: Sequence[str]) -> Iterator[Any]:
    """The rows of a query, in batches; the server may stop them between any two."""
    cursor = plpy.cursor(plan(plpy, text, _TYPES[: len(params)]), list(params))
    while True:
        rows = cursor.fetch(MOST_ROWS)
        if not rows:
            return
        yield list(rows)


def _column(plpy: Any, name: str, type_: int) -> Column:
    if type_ in TYPES:
        return Column(name=name, type=TYPES[type_])
    found = ask(plpy, _BASE, str(type_))[0]
    declared = found["declared"]
    other = pa.list_(pa.string()) if declared.endswith("[]") else pa.string()
    return Column(name=name, type=TYPES.get(found["base"], other), declared=declared)
