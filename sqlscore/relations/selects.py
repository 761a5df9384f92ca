"""A user's own SELECT: whether it gives the same rows when asked twice, and what it passes on.

It is sent to the database word for word; what is decided here is decided on sqlglot's tree of it,
and a text that sqlglot cannot read counts as one of which nothing is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.products.product import Product


#: comments and parentheses, a word that begins a query, and something after it
_QUERY = re.compile(
    r"(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values|from)[\s(*/\"'`\[]+\S",
    re.IGNORECASE | re.DOTALL,
)


def is_select(text: str) -> bool:
    """Whether a source's text is a query, and no name."""
    return _QUERY.match(text) is not None


def textual(query: str) -> sa.TextClause:
    """A user's own query, word for word: a colon in it starts no parameter.

    The line ends behind it, so that a comment there does not take in what follows.
    """
    return sa.text(query.replace(":", r"\:") + ("\n" if "--" in query or "#" in query else ""))


def parsed(query: str, product: Product) -> exp.Query | None:
    """The tree of a query; None where sqlglot does not understand what the database may."""
    try:
        tree = sqlglot.parse_one(query, dialect=product.dialect)
    except SqlglotError:
        return None
    if isinstance(tree, exp.Subquery) and not tree.alias:  # in parentheses
        tree = tree.unnest()
    return tree if isinstance(tree, exp.Query) else None


#: what may stand in a SELECT that is asked again for each range: columns, values, parameters (which
#: are values by then), arithmetic, comparisons, CASE, COALESCE, casts, tables. All else may give
#: other rows the second time.
REPEATABLE = (
    exp.Select, exp.From, exp.Where, exp.Table, exp.TableAlias, exp.Identifier, exp.Column,
    exp.Alias, exp.Star, exp.Order, exp.Ordered, exp.Literal, exp.Placeholder,
    exp.Boolean, exp.Null, exp.Paren, exp.Binary, exp.Unary,
    exp.Between, exp.In, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.DataType,
    exp.DataTypeParam, exp.Tuple, exp.Abs, exp.Round, exp.Lower, exp.Upper, exp.Concat, exp.Exp,
    exp.Ln, exp.Sqrt, exp.Floor, exp.Ceil, exp.Trim, exp.Length, exp.Substring,
)  # fmt: skip


def is_repeatable(tree: exp.Query) -> bool:
    """Whether a SELECT is columns and filters over one table, and so gives the same rows again."""
    single = len(list(tree.find_all(exp.Table))) == 1 and not tree.args.get("with_")
    return single and all(isinstance(node, REPEATABLE) for node in tree.walk())


#: side and kind of a join whose rows are those of its left side, each with those that match
_JOINS = {("", ""), ("", "INNER"), ("", "CROSS"), ("LEFT", ""), ("LEFT", "OUTER")}


def joined_tables(tree: exp.Query) -> list[tuple[exp.Table, exp.Join | None]]:
    """The tables of a SELECT of columns and filters over inner and left joins, each with its join.

    None at all where it is any other query, or its tables are not plainly named.
    """
    joins: list[exp.Join] = tree.args.get("joins") or []
    plain = all(isinstance(node, (*REPEATABLE, exp.Join)) for node in tree.walk())
    if not joins or not plain or tree.args.get("with_") or not all(map(_is_plain, joins)):
        return []
    pairs = [(tree.args["from_"].this, None), *((join.this, join) for join in joins)]
    named = all(isinstance(table, exp.Table) and not table.alias_column_names for table, _ in pairs)
    return pairs if named and len(pairs) == len(list(tree.find_all(exp.Table))) else []


def _is_plain(join: exp.Join) -> bool:
    said = {name for name, value in join.args.items() if value}
    usual = said <= {"this", "side", "kind", "on", "using"}
    return usual and (join.side.upper(), join.kind.upper()) in _JOINS


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """The conditions that must all be true for this one to be."""
    node = None if condition is None else condition.unnest()
    if isinstance(node, exp.And):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    elif node is not None:
        yield node


def table_name(table: exp.Table, product: Product) -> str:
    """A table of a SELECT, as its text names it."""
    plain = exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog")})
    return plain.sql(dialect=product.dialect)


def passed(tree: exp.Query, columns: Sequence[str]) -> dict[str, str]:
    """The columns that a SELECT passes on as they are: its name for each -> the table's name."""
    names: dict[str, str] = {}
    for column in tree.selects:
        if column.is_star:
            names |= {name: name for name in columns}
        elif isinstance(column.unalias(), exp.Column):
            names[column.alias_or_name] = column.unalias().name
    return names
