"""What conditions that are true say of columns: comparisons with numbers, and AND between them."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.scope import conjuncts, qualifier
from sqlscore.pushdown.domains import UNKNOWN, Domain

if TYPE_CHECKING:
    #: (relation, column), folded -> what the column can hold, as it is written
    Known = dict[tuple[str, str], Domain]


def learn(condition: exp.Expr, known: Known, *, checked: bool = False) -> None:
    """Add what a condition that is true says; one that is `checked` is true of NULL, too."""
    for part in conjuncts(condition):
        named = _one(part)
        if named is None:
            continue
        column, domain = named
        if checked and not _says_null(part):  # a check lets NULL pass
            domain = dataclasses.replace(domain, null=True)
        for alias in {qualifier(column), ""}:
            name = (alias, column.name.casefold())
            known[name] = known.get(name, UNKNOWN) & domain


def _one(part: exp.Expr) -> tuple[exp.Column, Domain] | None:
    """A column, and what a condition on it alone leaves."""
    if _says_null(part):
        return part.this.this, Domain(null=False)
    column = _column(part.args.get("this"))
    if isinstance(part, exp.Between) and column is not None:
        low, high = _number(part.args["low"]), _number(part.args["high"])
        if low is not None and high is not None and not part.args.get("symmetric"):
            return column, Domain(low=low, high=high, nan=False, null=False)
    if isinstance(part, exp.In) and column is not None and part.expressions:
        values = [_number(one) for one in part.expressions]
        numbers = [value for value in values if value is not None]
        if len(numbers) == len(values):
            return column, Domain(low=min(numbers), high=max(numbers), nan=False, null=False)
    if type(part) in _COMPARED:
        return _compared(part)
    return None


def _compared(part: exp.Expr) -> tuple[exp.Column, Domain] | None:
    kind = type(part)
    column, value = _column(part.this), _number(part.expression)
    if column is None or value is None:
        column, value, kind = _column(part.expression), _number(part.this), _TURNED[kind]
    if column is None or value is None:
        return None
    # NaN is more than every number, so only an upper bound keeps it out
    if kind in (exp.GT, exp.GTE):
        return column, Domain(low=value, null=False)
    low = value if kind is exp.EQ else -math.inf
    return column, Domain(low=low, high=value, nan=False, null=False)


_TURNED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE,
}  # fmt: skip
_COMPARED = set(_TURNED)


def _says_null(part: exp.Expr) -> bool:
    """``column IS NOT NULL``."""
    inner = part.this if isinstance(part, exp.Not) else None
    return (
        isinstance(inner, exp.Is)
        and isinstance(inner.this, exp.Column)
        and isinstance(inner.expression, exp.Null)
    )


def _column(node: exp.Expr | None) -> exp.Column | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node if isinstance(node, exp.Column) and not node.is_star else None


def _number(node: exp.Expr) -> float | None:
    """A literal number, with its sign, and a cast around it."""
    if isinstance(node, exp.Paren):
        return _number(node.this)
    if isinstance(node, exp.Cast) and node.to.this in _NUMERIC:
        return _number(node.this) if not _is_text(node.this) else _parsed(node.this.name)
    if isinstance(node, exp.Neg):
        value = _number(node.this)
        return None if value is None else -value
    return _parsed(node.name) if isinstance(node, exp.Literal) and not node.is_string else None


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _parsed(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_NUMERIC = {*exp.DataType.FLOAT_TYPES, exp.DataType.Type.DECIMAL}
