"""What SQLite says otherwise than sqlglot writes it: parts of dates, and numbers cut off."""

from __future__ import annotations

from sqlglot import exp

_PARTS = {
    "YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "SECOND": "%S",
    "DAYOFYEAR": "%j",
}  # fmt: skip


def rewrite(node: exp.Expr, _kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Year | exp.Month | exp.Day):
        return _part(node.this, type(node).__name__.upper())
    if isinstance(node, exp.Extract) and node.name.upper() in _PARTS:
        return _part(node.expression, node.name.upper())
    if isinstance(node, exp.Trunc) and isinstance(node.parent, exp.Cast):
        inner: exp.Expr = node.this  # a cast to integer cuts the fraction off by itself
        return inner
    return None


def _part(moment: exp.Expr, part: str) -> exp.Expr:
    plain = moment.this if isinstance(moment, exp.TsOrDsToDate) else moment
    text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(_PARTS[part]), plain])
    return exp.cast(text, "int")
