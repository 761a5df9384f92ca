"""What PostgreSQL says otherwise than sqlglot writes it: rounding to places."""

from __future__ import annotations

from sqlglot import exp


def rewrite(node: exp.Expr, kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Round) and node.args.get("decimals") and kind != "integer":
        # only numeric can be rounded to places
        exact = exp.cast(node.this.copy(), "decimal")
        rounded = exp.Anonymous(this="ROUND", expressions=[exact, node.args["decimals"].copy()])
        return exp.cast(rounded, "double")
    return None
