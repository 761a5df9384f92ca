"""Parameters of a user's own SQL, ``:day``: found by its tokens, replaced by literals.

The fast readers bind nothing, so a value becomes what `Product.literal` makes of it, from which no
value breaks out.
"""

from __future__ import annotations

import itertools
import uuid
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import Dialect, TokenType, exp
from sqlglot.errors import SqlglotError

from sqlscore.errors import SqlscoreError, nearest
from sqlscore.relations.catalogue import find_table
from sqlscore.relations.ranges import decoded
from sqlscore.relations.selects import table_name
from sqlscore.transports.failures import translated
from sqlscore.types import Column, is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sqlalchemy as sa

    from sqlscore.products.product import Product


def bound(
    engine: sa.Engine,
    product: Product,
    query: str,
    tree: exp.Query | None,
    params: Mapping[str, Any],
) -> tuple[str, frozenset[str]]:
    """A SELECT with its parameters' values in it, and their names."""
    found = () if tree is None else tuple(tree.find_all(exp.Placeholder))
    for name in (node.name for node in found if node.name and node.name not in params):
        raise SqlscoreError(
            f"the SELECT asks for the parameter :{name}, which has no value."
            f"{nearest(name, params)} Give it: params={{{name!r}: …}} (--param {name}=…)"
        )
    places = [place for place in placeholders(query, product) if place[2] in params]
    types: dict[str, Column] = {}
    if tree is not None and places:
        types = compared(tree, _columns_of(engine, product, tree))
    for start, end, name in reversed(places):
        value = literal(name, params[name], types.get(name), product)
        sql = value.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
        query = f"{query[:start]}{sql}{query[end + 1 :]}"
    return query, frozenset(name for _, _, name in places)


def _columns_of(engine: sa.Engine, product: Product, tree: exp.Query) -> dict[int, Column]:
    """The columns of a SELECT's tables, by the place where their name starts in it."""
    known: dict[str, Column] = {}
    with translated("looking for the SELECT's tables"), engine.connect() as connection:
        for node in tree.find_all(exp.Table):
            table = find_table(connection, product, table_name(node, product))
            described = () if table is None else product.describe(connection, table)
            known |= {column.name.casefold(): column for column in described}
    named = [(node.this, known.get(node.name.casefold())) for node in tree.find_all(exp.Column)]
    return {
        part.meta["start"]: column
        for part, column in named
        if column is not None and "start" in part.meta
    }


def placeholders(text: str, product: Product) -> Iterator[tuple[int, int, str]]:
    """First place, last place and name of each ``:name``; none in a text that has no tokens."""
    try:
        tokens = Dialect.get_or_raise(product.dialect).tokenize(text)
    except SqlglotError:
        return
    for colon, name in itertools.pairwise(tokens):
        if colon.token_type is TokenType.COLON and name.start == colon.end + 1:
            yield colon.start, name.end, name.text


def compared(tree: exp.Expr, columns: Mapping[int, Column]) -> dict[str, Column]:
    """Parameter -> the column that it is compared with, whose type its value takes on.

    `columns` are those of the tree by the place where their name starts.
    """
    found: dict[str, Column] = {}
    for node in tree.find_all(exp.Placeholder):
        sides = node.parent.iter_expressions() if isinstance(node.parent, exp.Predicate) else ()
        for side in sides:
            if isinstance(side, exp.Column) and side.this.meta.get("start") in columns:
                found.setdefault(node.name, columns[side.this.meta["start"]])
    return found


def literal(
    name: str, value: object, column: Column | None, product: Product
) -> sa.ColumnElement[Any]:
    """The value as SQL: a text as the column that it is compared with, all else as what it is.

    `value` is as `ranges.encoded` wrote it.
    """
    value = decoded(value)
    if isinstance(value, str) and column is not None and is_number(column.type):
        value = _number(name, value, column)
    if isinstance(value, uuid.UUID) and column is None:
        value = str(value)
    if column is None or not isinstance(value, str | bytes | uuid.UUID):
        type_ = pa.scalar(value).type
        column = Column(name=name, type=type_, declared=product.declare(type_))
    return product.literal(value, column)


def _number(name: str, text: str, column: Column) -> Any:
    """The number that a text says, for a column of numbers."""
    try:
        if pa.types.is_decimal(column.type):
            return Decimal(text)
        return pa.scalar(text.strip()).cast(column.type).as_py()
    except InvalidOperation:
        return text  # a date in a column of SQLite, whose NUMERIC is any value
    except pa.ArrowException as error:
        raise SqlscoreError(
            f"the parameter :{name} is compared with the column {column.name!r} "
            f"({column.declared or column.type}), and its value is no such number"
        ) from error
