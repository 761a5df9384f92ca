"""What MySQL and MariaDB say otherwise than sqlglot writes it: order inside, DELETE, dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.products.templates import TextTests, filled, refuse_sets

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL = 2**64 - 1  # rows: the documentation's own way to say "no limit"

#: part of a date -> what it is, where EXTRACT does not know it
_PARTS = {
    "DOW": "DAYOFWEEK(:x) - 1",
    "DOY": "DAYOFYEAR(:x)",
    "EPOCH": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', :x) / 1000000",
}

TEXTS = TextTests(
    whole="REGEXP_INSTR(TRIM(:x), '^[+-]?[0-9]{1,18}$') = 1",
    number="REGEXP_INSTR(TRIM(:x), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') = 1",
)


#: halves of doubles are rounded away from zero, as those of decimals are
_ROUND = (
    "CASE WHEN ABS(:x) < 1e30 THEN CAST(ROUND(CAST(:x AS DECIMAL(65, 30)), :n) AS DOUBLE)"
    " ELSE :x END"
)


def rewrite(node: exp.Expr, kind: str | None) -> exp.Expr | None:
    """Another expression of the same meaning; None where the node can stay."""
    if isinstance(node, exp.Query) and node.args.get("order") and not node.args.get("limit"):
        # the order of a query inside another one is left out unless it has a limit
        node.set("limit", exp.Limit(expression=exp.Literal.number(_ALL)))
    if isinstance(node, exp.Round) and kind == "number" and not isinstance(node.this, exp.Literal):
        digits = node.args.get("decimals") or exp.Literal.number(0)
        return filled(_ROUND, "mysql", x=node.this, n=digits)
    rule = _RULES.get(type(node))
    return rule(node) if rule is not None else None


def _delete(node: exp.Delete) -> None:
    if node.this.alias and not node.args.get("tables"):
        # only the form that names what is deleted knows an alias
        node.set("tables", [exp.Table(this=node.this.args["alias"].this.copy())])


def _extract(node: exp.Extract) -> exp.Expr | None:
    template = _PARTS.get(node.name.upper())
    return exp.Paren(this=filled(template, "mysql", x=node.expression)) if template else None


def _from_parts(node: exp.DateFromParts) -> exp.Expr:
    parts = {key[0]: node.args[key] for key in ("year", "month", "day")}
    return filled("CAST(CONCAT(:y, '-', :m, '-', :d) AS DATE)", "mysql", **parts)


def _beside(node: exp.Window) -> exp.Expr | None:
    """LAG and LEAD with a default: MariaDB has none."""
    call = node.this
    default = call.args.get("default") if isinstance(call, exp.Lag | exp.Lead) else None
    if default is None:
        return None
    call.set("default", None)
    there = node.copy()
    there.this.set("this", exp.Literal.number(1))  # NULL where there is no such row
    missing = exp.Is(this=there, expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=missing, true=default.copy())], default=node.copy())


def _grouped(node: exp.Group) -> None:
    refuse_sets(node, "MariaDB")


def _nameless(node: exp.ColumnConstraint) -> None:
    """A constraint of one column, which has no name here."""
    node.set("this", None)


def _locked(node: exp.Lock) -> None:
    """FOR UPDATE of every table: MariaDB names none."""
    node.set("expressions", None)


def _numbered(node: exp.GeneratedAsIdentityColumnConstraint) -> exp.Expr:
    """IDENTITY, which begins with 1 and goes on by 1."""
    begins, step = node.args.get("start"), node.args.get("increment")
    if any(one is not None and one.name != "1" for one in (begins, step)):
        raise StatementError("IDENTITY begins with 1 and goes on by 1 on this database")
    return exp.AutoIncrementColumnConstraint()


_RULES: dict[type[exp.Expr], Callable[..., exp.Expr | None]] = {
    exp.Delete: _delete,
    exp.Extract: _extract,
    exp.DateFromParts: _from_parts,
    exp.Window: _beside,
    exp.ColumnConstraint: _nameless,
    exp.Group: _grouped,
    exp.Lock: _locked,
    exp.GeneratedAsIdentityColumnConstraint: _numbered,
}
