"""What DuckDB says otherwise than sqlglot writes it."""

from __future__ import annotations

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.products.templates import TextTests, filled

TEXTS = TextTests(
    whole="REGEXP_FULL_MATCH(TRIM(:x), '[+-]?[0-9]{1,18}')",
    number="REGEXP_FULL_MATCH(TRIM(:x), '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')",
)


_NUMBERED = (exp.GeneratedAsIdentityColumnConstraint, exp.AutoIncrementColumnConstraint)


def rewrite(node: exp.Expr, _kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, _NUMBERED):
        raise StatementError(
            "DuckDB has no IDENTITY: number the rows, as in ROW_NUMBER() OVER (ORDER BY …), or "
            "give the column a DEFAULT NEXTVAL of a sequence by DuckDB's own client"
        )
    if isinstance(node, exp.HexString):
        return filled("UNHEX(:x)", "duckdb", x=exp.Literal.string(node.name))
    return None
