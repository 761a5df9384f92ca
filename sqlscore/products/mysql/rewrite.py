"""What MySQL and MariaDB say otherwise than sqlglot writes it: order inside, DELETE."""

from __future__ import annotations

from sqlglot import exp

_ALL = 2**64 - 1  # rows: the documentation's own way to say "no limit"


def rewrite(node: exp.Expr, _kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Query) and node.args.get("order") and not node.args.get("limit"):
        # the order of a query inside another one is left out unless it has a limit
        node.set("limit", exp.Limit(expression=exp.Literal.number(_ALL)))
    if isinstance(node, exp.Delete) and node.this.alias and not node.args.get("tables"):
        # only the form that names what is deleted knows an alias
        node.set("tables", [exp.Table(this=node.this.args["alias"].this.copy())])
    return None
