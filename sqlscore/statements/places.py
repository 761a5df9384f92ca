"""Where a part of a statement stands in the script's text, for errors that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.predict.places import position

if TYPE_CHECKING:
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
