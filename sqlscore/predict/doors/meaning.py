"""What other dialects mean, said in T-SQL: division, averages, lengths, roundings, types. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.predict.kinds import Kind, of_type
from sqlscore.predict.rules.casts import ROUNDS
from sqlscore.predict.tree import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEXT = exp.DataType.build("nvarchar(max)", dialect="tsql")


def said_in_t_sql(tree: exp.Expression, types: Mapping[exp.DType, exp.DataType]) -> exp.Expression:
    """The tree with T-SQL's own way to say what it means; `types` are those named otherwise."""
    held = exp.Paren(this=tree)
    for node in list(tree.dfs())[::-1]:
        rule = _RULES.get(type(node))
        if isinstance(node, exp.DataType):
            _type(node, types)
        elif rule is not None:
            changed = rule(node)
            if changed is not None:
                node.replace(changed)
    found: exp.Expression = held.this
    return found


def _type(node: exp.DataType, types: Mapping[exp.DType, exp.DataType]) -> None:
    if node.this is exp.DType.TEXT:
        node.replace(_TEXT.copy())
    elif node.this in types and not node.expressions:
        node.replace(types[node.this].copy())


def _average(node: exp.Avg) -> None:
    """An average of integers has a fraction."""
    if not isinstance(node.this, exp.Distinct):
        node.set("this", exp.cast(node.this, "double"))


def _length(node: exp.Length) -> exp.Expression:
    """Trailing spaces count."""
    longer = exp.DPipe(this=node.this.copy(), expression=exp.Literal.string("."), safe=False)
    length = exp.Length(this=longer)
    return exp.Paren(this=exp.Sub(this=length, expression=exp.Literal.number(1)))


def _cast(node: exp.Cast) -> None:
    if of_type(node.to) is Kind.INTEGER:
        node.meta[ROUNDS] = True


def _ordered(node: exp.Ordered) -> None:
    """A position is the column there: T-SQL cannot say where NULL comes by a position."""
    select = node.parent.parent if node.parent is not None else None
    place = node.this
    if isinstance(select, exp.Select) and isinstance(place, exp.Literal) and place.is_int:
        columns = select.selects
        column = columns[int(place.name) - 1] if 0 < int(place.name) <= len(columns) else None
        if column is not None and not column.is_star:
            named = exp.column(column.alias) if column.alias else column.copy()
            node.set("this", named)


def _round(node: exp.Round) -> None:
    """T-SQL wants to be told the number of digits."""
    if node.args.get("decimals") is None:
        node.set("decimals", exp.Literal.number(0))


def _subquery(node: exp.Subquery) -> None:
    """T-SQL wants a name for the rows of a query."""
    read = isinstance(node.parent, exp.From | exp.Join) and isinstance(node.this, exp.Query)
    if read and not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(f"{OURS}rows")))


_RULES: dict[type[exp.Expr], Callable[..., exp.Expression | None]] = {
    exp.Avg: _average,
    exp.Length: _length,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Ordered: _ordered,
    exp.Round: _round,
    exp.Subquery: _subquery,
}
