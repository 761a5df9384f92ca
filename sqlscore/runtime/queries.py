"""A caller's query: its columns, and its rows in batches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlscore.errors import SignatureError
from sqlscore.runtime.prepared import ask, plan
from sqlscore.runtime.taken import Taken
from sqlscore.session.company import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TYPES = ("pg_catalog.jsonb",)  #: of the parameters of callers' queries
#: rows of one fetch: no other thread gets Python's lock meanwhile, and few stay in the cache
_AT_ONCE = MOST_ROWS // 8
#: rows of a batch: whoever scores one waits for Python's lock a few times, however long it is; the
#: first ones are shorter, so that scoring soon begins, and few rows are several
_MOST = 5 * MOST_ROWS

_INVALID_NAME = "42602"  # SQLSTATE
#: how a query begins, as no table's name does; a comment may stand before it
_QUERY = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|with|values|table)\b)", re.IGNORECASE | re.DOTALL
)


def query_of(plpy: Any, source: str) -> str:
    """A caller's query as it stands in another; a table's or view's name is all of its rows."""
    if _QUERY.match(source):
        return source.rstrip().rstrip(";")
    try:
        named = ask(plpy, "SELECT $1::pg_catalog.regclass::pg_catalog.text AS name", source)
    except plpy.SPIError as error:
        if error.sqlstate != _INVALID_NAME:
            raise
        raise SignatureError(
            f"{source!r} is neither a query (SELECT, WITH, VALUES, TABLE) nor the name of a table "
            "or view"
        ) from None
    return f"SELECT * FROM {named[0]['name']}"  # noqa: S608


def described(plpy: Any, query: str, params: Sequence[str | None]) -> dict[str, int]:
    """A query's columns, with the numbers of their types; no row is read."""
    text = f"SELECT * FROM ({query}\n) AS q LIMIT 0"  # noqa: S608
    empty = plpy.execute(plan(plpy, text, _TYPES[: len(params)]), list(params))
    names = empty.colnames()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SignatureError(
            f"the query has several columns named {', '.join(map(repr, twice))}. Name them apart: "
            "SELECT a.id AS a_id"
        )
    return dict(zip(names, empty.coltypes(), strict=True))


def fetched(plpy: Any, text: str, params: Sequence[str | None]) -> Iterator[Taken]:
    """The rows of a query, in batches that grow; the server may stop them between any two."""
    cursor = plpy.cursor(plan(plpy, text, _TYPES[: len(params)]), list(params))
    more, most = True, 0
    while more:
        taken, most = Taken(), min(most + MOST_ROWS, _MOST)
        while more and len(taken) < most:
            rows = cursor.fetch(_AT_ONCE)
            more = len(rows) == _AT_ONCE
            if rows:
                taken.add(rows)
        if taken:
            yield taken
