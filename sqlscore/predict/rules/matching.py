"""LIKE, whose patterns have no escape in T-SQL, and have classes in brackets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError

if TYPE_CHECKING:
    from sqlscore.predict.rules.translation import Translation

_WILD = "%_"
_MARK = "!"  #: the escape that is written where there must be one
_NEVER = "\x01"  #: that of a pattern that nobody knows: MariaDB takes no empty one


def like(node: exp.Like, about: Translation) -> exp.Expr | None:
    """The pattern as other databases mean it: no backslash escapes, ``[%]`` is a percent sign."""
    if isinstance(node.parent, exp.Escape):
        return None
    pattern = node.expression
    if isinstance(pattern, exp.Literal):
        if not set("[\\" if about.facts.like_escapes else "[") & set(pattern.name):
            return None
        plain, mark = exp.Literal.string(_without_brackets(pattern.name)), _MARK
    elif about.facts.like_escapes:
        plain, mark = pattern.copy(), _NEVER
    else:
        return None
    made = node.copy()
    made.set("expression", plain)
    return exp.Escape(this=made, expression=exp.Literal.string(mark))


def _without_brackets(pattern: str) -> str:
    """Brackets of a single character as that character, escaped where it is a wildcard."""
    found, at = "", 0
    while at < len(pattern):
        one = pattern[at]
        if one == "[":
            if pattern[at + 2 : at + 3] != "]" or pattern[at + 1] == "^":
                raise StatementError(
                    f"LIKE {pattern!r} has a class of characters in brackets, which other databases"
                    " have not: write the cases with OR, or SUBSTRING(…) BETWEEN … AND …"
                )
            one, at = pattern[at + 1], at + 2
            found += _MARK + one if one in _WILD + _MARK else one
        else:
            found += _MARK + one if one == _MARK else one
        at += 1
    return found
