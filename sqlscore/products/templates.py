"""SQL with places for expressions: parsed once, then filled as a tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from sqlscore.errors import StatementError

#: what needs no parentheses, wherever it is put
_WHOLE = (exp.Func, exp.Column, exp.Literal, exp.Null, exp.Paren, exp.Subquery, exp.Boolean)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextTests:
    """Templates that say what a text ``:x`` holds, spaces around it left aside."""

    whole: str  #: an integer of at most 18 digits
    number: str  #: digits with or without a fraction, and with or without an exponent


def filled(text: str, dialect: str = "", /, **parts: exp.Expr) -> exp.Expr:
    """The expression of a text in that dialect, with copies of `parts` where it says ``:name``."""
    tree = exp.Paren(this=_parsed(text, dialect).copy())
    for place in list(tree.find_all(exp.Placeholder)):
        part = parts[place.name].copy()
        alone = isinstance(part, _WHOLE) or isinstance(place.parent, exp.Paren | exp.Func)
        place.replace(part if alone else exp.Paren(this=part))
    whole: exp.Expr = tree.this
    return whole


def refuse_sets(node: exp.Group, name: str) -> None:
    """`StatementError` for groups of several sorts, where a database has none."""
    if node.find(exp.Rollup, exp.Cube, exp.GroupingSets):
        raise StatementError(
            f"{name} has no ROLLUP, CUBE and GROUPING SETS of T-SQL's form: write a SELECT for "
            "each, and UNION ALL"
        )


@cache
def _parsed(text: str, dialect: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect=dialect)
