"""A relation cut into key ranges: where one ends and the next begins, and how many rows there are.

Any bounds are right ones. Those of integer keys that leave few numbers out are counted off without
a look at the rows; others are found by the database, in a walk along the key's index or a sort.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.relations.ranges import KeyRange, compare, of, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.products.product import Product
    from sqlscore.types import Column

_LOOKS, _WIDE = 16, 64  #: places where it is counted how many of so many numbers are keys
_FEW_LEFT_OUT = 0.75  #: of the numbers between the least and the largest key, those that are keys
_SEVERAL = 8  #: ranges, at least, so that one is read while another is written
_SHORTER = 4  #: times: the first, while nothing is written, and the last, while nothing is read
_LEAST = 32_768  #: rows of a range for that: each costs a transaction, and a reader that begins


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A relation's key ranges."""

    ranges: list[KeyRange]
    rows: int  #: in all of them, about


def cut(
    connection: sa.Connection,
    product: Product,
    relation: sa.FromClause,
    key: Sequence[Column],
    *,
    rows: int,
    where: sa.ColumnElement[bool] | None = None,
    held: bool = False,
    long: bool = False,
) -> Cut:
    """Cut a relation into key ranges of about `rows` rows each, and of fewer where it is small.

    `held` says that the key is held unique, by an index; `long`, that ranges are to be long, and so
    no more of them than need be, also where it is small. A relation without rows gives one range,
    which stays empty unless rows come in the meantime.
    """
    even = (
        _counted_off(connection, product, relation, key, rows, long=long)
        if held and where is None
        else None
    )
    if even is not None:
        return even
    find = _walk if product.keyset_walk else _numbered
    ranges = _between(find(connection, product, relation, key, rows, where))
    last = sa.select(sa.func.count()).select_from(relation)
    for part in (within(product, relation, key, ranges[-1]), where):
        last = last if part is None else last.where(part)
    return Cut(ranges=ranges, rows=(len(ranges) - 1) * rows + (connection.scalar(last) or 0))


def _between(bounds: Sequence[tuple[Any, ...]]) -> list[KeyRange]:
    edges: list[tuple[Any, ...] | None] = [None, *bounds, None]
    return [
        KeyRange(ordinal=ordinal, low=low, high=high)
        for ordinal, (low, high) in enumerate(itertools.pairwise(edges))
    ]


def _counted_off(
    connection: sa.Connection,
    product: Product,
    relation: sa.FromClause,
    key: Sequence[Column],
    rows: int,
    *,
    long: bool,
) -> Cut | None:
    """As many numbers a range, and so never more rows; None where too few numbers are keys."""
    if len(key) > 1 or not pa.types.is_integer(key[0].type):
        return None
    (column,) = of(relation, key)
    ends = (sa.select(f(column)).select_from(relation) for f in (sa.func.min, sa.func.max))
    low, high = connection.execute(sa.select(*(end.scalar_subquery() for end in ends))).one()
    if not isinstance(low, int) or not isinstance(high, int) or high - low < _LEAST:
        return None
    numbers = high - low + 1
    looks = [low + i * (numbers - _WIDE) // (_LOOKS - 1) for i in range(_LOOKS)]
    seen = sa.or_(
        *(
            compare(product, relation, key, (first,), ">=")
            & compare(product, relation, key, (first + _WIDE - 1,), "<=")
            for first in looks
        )
    )
    there = connection.scalar(sa.select(sa.func.count()).select_from(relation).where(seen)) or 0
    share = there / (_LOOKS * _WIDE)
    if share < _FEW_LEFT_OUT:
        return None
    several = min(rows, max(_LEAST, -(-numbers // _SEVERAL)))
    bounds = _evenly(low, high + 1, rows) if long else _bounds(low, high + 1, several)
    return Cut(ranges=_between([(bound,) for bound in bounds]), rows=round(numbers * share))


def _bounds(low: int, end: int, size: int) -> list[int]:
    """Where ranges of `size` numbers at most begin, but for the first one."""
    shorter = max(_LEAST, size // _SHORTER)
    if shorter >= size or end - low < 3 * shorter:
        return _evenly(low, end, size)
    low, end = low + shorter, end - shorter
    return [low, *_evenly(low, end, size), end]


def _evenly(low: int, end: int, size: int) -> list[int]:
    """Bounds between the ends that leave `size` numbers at most, and about as many everywhere."""
    ranges = -(-(end - low) // size)
    step = -(-(end - low) // ranges)
    return list(range(low + step, end, step))


def _walk(
    connection: sa.Connection,
    product: Product,
    relation: sa.FromClause,
    key: Sequence[Column],
    rows: int,
    where: sa.ColumnElement[bool] | None,
) -> list[tuple[Any, ...]]:
    """From each bound, the key `rows` further on: an index serves every step."""
    bounds: list[tuple[Any, ...]] = []
    columns = of(relation, key)
    first = sa.select(*columns).select_from(relation).order_by(*columns).offset(rows).limit(1)
    step = first if where is None else first.where(where)
    while True:
        found = connection.execute(
            step.where(compare(product, relation, key, bounds[-1], ">=")) if bounds else step
        ).one_or_none()
        if found is None:
            return bounds
        bounds.append(tuple(found))


def _numbered(
    connection: sa.Connection,
    product: Product,
    relation: sa.FromClause,
    key: Sequence[Column],
    rows: int,
    where: sa.ColumnElement[bool] | None,
) -> list[tuple[Any, ...]]:
    """Every `rows`-th key of all: one sort, for products that would scan for each step."""
    columns = of(relation, key)
    number = sa.func.row_number().over(order_by=columns).label("sqlscore_number")
    numbered = sa.select(*columns, number).select_from(relation)
    inner = (numbered if where is None else numbered.where(where)).subquery("numbered")
    bounds = (
        sa.select(*(inner.c[column.name] for column in key))
        .where(inner.c.sqlscore_number > 1, (inner.c.sqlscore_number - 1) % rows == 0)
        .order_by(inner.c.sqlscore_number)
    )
    return [tuple(row) for row in connection.execute(bounds)]
