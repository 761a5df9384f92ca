"""Where a part of a statement stands in the script's text, for errors that say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlscore.errors import SqlscoreError
from sqlscore.predict.places import position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlglot import exp


def place_of(node: exp.Expr, text: str) -> dict[str, int]:
    """Line and column of a node in the script's text, where the parser kept them."""
    for inner in node.walk():
        start = inner.meta.get("start")
        if start is not None and text:
            marks = 2 if inner.args.get("global_") else bool(inner.args.get("temporary"))
            line, column = position(text, start - marks)  # a name's token begins behind its #
            return {"line": line, "column": column}
    return {}


@contextmanager
def located(place: Mapping[str, int]) -> Iterator[None]:
    """Errors from inside say the statement's place, where they say none themselves."""
    try:
        yield
    except SqlscoreError as error:
        if error.line is None and place:
            error.line, error.column = place["line"], place["column"]
        raise
