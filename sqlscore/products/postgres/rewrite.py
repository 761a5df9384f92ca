"""What PostgreSQL says otherwise than sqlglot writes it: rounding to places, parts of dates."""

from __future__ import annotations

from sqlglot import exp

from sqlscore.products.templates import TextTests, filled

TEXTS = TextTests(
    whole="TRIM(:x) ~ '^[+-]?[0-9]{1,18}$'",
    number="TRIM(:x) ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$'",
)


def rewrite(node: exp.Expr, kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Round | exp.Trunc) and node.args.get("decimals"):
        # only numeric can be rounded to places
        if kind == "integer" and isinstance(node, exp.Round):
            return None
        exact = exp.cast(node.this.copy(), "decimal")
        name = type(node).__name__.upper()
        rounded = exp.Anonymous(this=name, expressions=[exact, node.args["decimals"].copy()])
        return exp.cast(rounded, "double")
    if isinstance(node, exp.Year | exp.Month | exp.Day):
        return exp.cast(node.copy(), "int")  # a part of a date is a numeric
    if isinstance(node, exp.Extract) and node.name.upper() != "EPOCH":
        return filled("CAST(FLOOR(:x) AS INT)", "postgres", x=node)
    if isinstance(node, exp.HexString):
        return filled("DECODE(:x, 'hex')", "postgres", x=exp.Literal.string(node.name))
    if isinstance(node, exp.DateFromParts):
        parts = {key[0]: node.args[key] for key in ("year", "month", "day")}
        made = "MAKE_DATE(CAST(:y AS INT), CAST(:m AS INT), CAST(:d AS INT))"
        return filled(made, "postgres", **parts)
    if isinstance(node, exp.Log) and node.expression is not None:
        # only numeric has logarithms to a base
        return filled("(LN(:x) / LN(:base))", "postgres", x=node.expression, base=node.this)
    return None
