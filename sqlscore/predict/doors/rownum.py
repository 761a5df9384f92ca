"""Oracle's ROWNUM where it limits the rows of a query. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Iterator


def limited(select: exp.Select) -> None:
    """``WHERE ROWNUM <= n`` as a limit; `StatementError` for what ROWNUM is beside that."""
    where = select.args.get("where")
    stay: list[exp.Expr] = []
    limit: exp.Limit | None = None
    for part in _parts(where.this if where is not None else None):
        most = _most(part)
        if most is None:
            stay.append(part)
        else:
            _check(select)
            limit = exp.Limit(expression=exp.Literal.number(most))
    if limit is not None:
        inner = _sorted(select)
        (select if stay or inner is None else inner).set("limit", limit)
        select.set("where", exp.Where(this=exp.and_(*stay, copy=False)) if stay else None)
    if any(_is_rownum(column) for column in select.find_all(exp.Column)):
        raise StatementError(
            "ROWNUM is supported as WHERE ROWNUM <= n alone: use FETCH FIRST n ROWS ONLY, or "
            "ROW_NUMBER() OVER (ORDER BY …)"
        )


def _sorted(select: exp.Select) -> exp.Select | None:
    """The sorted query that a SELECT does nothing but read, whose first rows are meant."""
    start = select.args.get("from_")
    inner = start.this.this if start is not None and isinstance(start.this, exp.Subquery) else None
    if not isinstance(inner, exp.Select) or not inner.args.get("order"):
        return None
    return None if select.args.get("joins") or inner.args.get("limit") else inner


def _check(select: exp.Select) -> None:
    beside = ("order", "group", "having", "distinct", "limit")
    if any(select.args.get(name) for name in beside):
        raise StatementError(
            "ROWNUM counts rows before they are sorted or grouped: put the sorted query in "
            "parentheses, SELECT … FROM (SELECT … ORDER BY …) WHERE ROWNUM <= n"
        )


def _parts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.And):
        yield from _parts(condition.this)
        yield from _parts(condition.expression)
    elif condition is not None:
        yield condition


def _most(part: exp.Expr) -> int | None:
    """How many rows a condition leaves; None where it is none of ROWNUM."""
    if not isinstance(part, exp.LT | exp.LTE) or not _is_rownum(part.this):
        return None
    bound = part.expression
    if not isinstance(bound, exp.Literal) or not bound.is_int:
        return None
    return int(bound.name) - isinstance(part, exp.LT)


def _is_rownum(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Pseudocolumn) and node.name.upper() == "ROWNUM"
