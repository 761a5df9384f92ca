"""What a text holds, as SQLite tells it without regular expressions; and templates in its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.products import templates
from sqlscore.products.templates import TextTests

if TYPE_CHECKING:
    from sqlglot import exp

_SIGNLESS = (
    "(CASE WHEN SUBSTR(TRIM(:x), 1, 1) IN ('+', '-') THEN SUBSTR(TRIM(:x), 2) ELSE TRIM(:x) END)"
)
_EXPONENT = "SUBSTR(LOWER(TRIM(:x)), INSTR(LOWER(TRIM(:x)), 'e') + 1)"
_MANTISSA = (
    f"(CASE WHEN INSTR(LOWER({_SIGNLESS}), 'e') > 0"
    f" THEN SUBSTR({_SIGNLESS}, 1, INSTR(LOWER({_SIGNLESS}), 'e') - 1) ELSE {_SIGNLESS} END)"
)
TEXTS = TextTests(
    whole=f"({_SIGNLESS} GLOB '[0-9]*' AND NOT {_SIGNLESS} GLOB '*[^0-9]*'"
    f" AND LENGTH({_SIGNLESS}) <= 18)",
    number=f"({_MANTISSA} GLOB '*[0-9]*' AND NOT {_MANTISSA} GLOB '*[^0-9.]*'"
    f" AND NOT {_MANTISSA} GLOB '*.*.*' AND (INSTR(LOWER(TRIM(:x)), 'e') = 0"
    f" OR ({_SIGNLESS.replace(':x', _EXPONENT)} GLOB '[0-9]*'"
    f" AND NOT {_SIGNLESS.replace(':x', _EXPONENT)} GLOB '*[^0-9]*')))",
)


def filled(template: str, **parts: exp.Expr) -> exp.Expr:
    """The expression of a template in SQLite's own words."""
    return templates.filled(template, "sqlite", **parts)
