"""A user's own condition on rows, ``region = 'EU' AND day = :day``: checked, then sent as written.

It must be one boolean expression over the columns of one relation that gives the same answer when
it is asked again, since each key range asks it. Only columns and parameters are replaced in its
text: by the catalogue's spelling, and by `Product.literal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from sqlscore.errors import SqlscoreError, nearest
from sqlscore.relations.catalogue import find_column
from sqlscore.relations.parameters import compared, literal, placeholders
from sqlscore.relations.selects import REPEATABLE
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.sql.compiler import SQLCompiler

    from sqlscore.products.product import Product
    from sqlscore.types import Column

#: what may stand in a condition beside what may stand in a repeatable SELECT
_MORE = (exp.Escape, exp.Interval, exp.Var, exp.Extract, exp.Date)
_QUERIES = (exp.Query, exp.Exists, exp.From, exp.Table)
#: what a condition can be as a whole; the database says whether it really is true or false
_WHOLE = (
    exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Escape, exp.Column, exp.Coalesce,
    exp.Case, exp.Cast, exp.RegexpLike, exp.RegexpILike,
)  # fmt: skip
_SHOWN = 80  #: characters of a condition that a message repeats


class Condition(sa.ColumnElement[bool]):
    """A condition as SQLAlchemy takes it: the user's text with columns and values in it."""

    inherit_cache = False

    def __init__(self, parts: Sequence[sa.ColumnElement[Any]]) -> None:
        self.parts = tuple(parts)
        self.type = sa.Boolean()

    def self_group(self, against: Any = None) -> Self:
        """Itself: it stands in parentheses, and ``= 1`` behind it would keep an index from it."""
        return self


@compiles(Condition)
def _compiled(condition: Condition, compiler: SQLCompiler, **chosen: Any) -> str:
    return f"({''.join(compiler.process(part, **chosen) for part in condition.parts)}\n)"


def condition(
    text: str,
    params: Mapping[str, Any],
    *,
    product: Product,
    columns: Sequence[Column],
    relation: sa.FromClause,
    of: str,
) -> Condition:
    """The condition that a text means on the rows of a relation with these columns.

    `params` are values as `ranges.encoded` wrote them; `of` names the relation in messages. Raises
    `SqlscoreError` for what is no condition, could have another answer when it is asked again,
    or has a parameter without a value; `DatabaseError` for a column that is not there.
    """
    tree = check(text, product)
    found = {
        node.this.meta["start"]: (node.this.meta["end"], find_column(node.name, columns, where=of))
        for node in tree.find_all(exp.Column)
    }
    _check_whole(tree, text, [column for _, column in found.values()])
    pieces: dict[int, tuple[int, sa.ColumnElement[Any]]] = {
        start: (end, relation.c[column.name]) for start, (end, column) in found.items()
    }
    types = compared(tree, {start: column for start, (_, column) in found.items()})
    for start, end, name in placeholders(text, product):
        if name not in params:
            raise SqlscoreError(
                f"where= asks for the parameter :{name}, which has no value."
                f"{nearest(name, params)} Give it: params={{{name!r}: …}} (--param {name}=…)"
            )
        pieces[start] = (end, literal(name, params[name], types.get(name), product))
    return Condition(list(_parts(text, pieces)))


def check(text: str, product: Product) -> exp.Expression:
    """The tree of a condition, whatever the columns are. `SqlscoreError` for what is none."""
    tree = _parsed(text, product)
    _refuse_changing(tree)
    if not isinstance(tree.unnest(), _WHOLE):
        raise SqlscoreError(_no_condition(text))
    return tree


def parameters(text: str, product: Product) -> set[str]:
    """The names of the parameters that a condition or a SELECT asks for."""
    return {name for _, _, name in placeholders(text, product)}


def _parsed(text: str, product: Product) -> exp.Expression:
    try:
        found = Dialect.get_or_raise(product.dialect).parse_into(exp.Condition, text)
    except SqlglotError as error:
        raise SqlscoreError(_no_condition(text)) from error
    if len(found) != 1 or not isinstance(found[0], exp.Expression):
        raise SqlscoreError(_no_condition(text))
    return found[0]


def _no_condition(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return (
        f"where= takes one condition on the rows, such as region = 'EU', in the words of the "
        f"source's database, and this is none: {shown!r}"
    )


def _refuse_changing(tree: exp.Expression) -> None:
    """Refuse subqueries, and what may give another answer the next time."""
    for node in tree.walk():
        if isinstance(node, _QUERIES):
            raise SqlscoreError(
                "where= holds a subquery, whose rows may be others for the next key range. Put it "
                "into a SELECT as the source, which is evaluated once"
            )
        if not isinstance(node, (*REPEATABLE, *_MORE)):
            raise SqlscoreError(
                f"where= uses {_called(node)}, which is not known to give the same answer for each "
                "key range. It takes columns, values, arithmetic, comparisons, CASE and casts; "
                "today's date is a parameter (day = :day); for all else a SELECT as the source"
            )
        if isinstance(node, exp.Column) and node.table:
            raise SqlscoreError(
                f"where= names the column {node.sql()!r} with its table: name the column alone"
            )
        if isinstance(node, exp.Placeholder) and not node.this:
            raise SqlscoreError("where= has a parameter without a name: write :day, not ?")


def _called(node: exp.Expr) -> str:
    """What a message calls a part of a condition."""
    if isinstance(node, exp.Anonymous):
        return node.name
    return node.sql_name() if isinstance(node, exp.Func) else node.key


def _check_whole(tree: exp.Expression, text: str, columns: Sequence[Column]) -> None:
    """A single column is a condition only if it can be true or false."""
    if isinstance(tree.unnest(), exp.Column):
        type_ = columns[0].type
        if is_text(type_) or pa.types.is_floating(type_):
            raise SqlscoreError(_no_condition(text))


def _parts(
    text: str, pieces: Mapping[int, tuple[int, sa.ColumnElement[Any]]]
) -> Iterator[sa.ColumnElement[Any]]:
    """The text, with the pieces in place of what they stand for."""
    done = 0
    for start in sorted(pieces):
        end, piece = pieces[start]
        yield sa.literal_column(text[done:start])
        yield piece
        done = end + 1
    yield sa.literal_column(text[done:])
