"""Key ranges: the units of work of a run, by the keys of its source's rows.

Bounds are found once (`cutting`), stored with the run, and half-open: ``low <= key < high``, the
first and the last open-ended, so that rows which come in the meantime fall into one of them. Keys
are compared by the database, never in Python.
"""

from __future__ import annotations

import json
import operator
import uuid
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.product import Product
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRange:
    """The unit of work: the rows with ``low <= key < high``."""

    ordinal: int
    low: tuple[Any, ...] | None  #: first key in the range; None: from the beginning
    high: tuple[Any, ...] | None  #: first key past the range; None: to the end


def of(relation: sa.FromClause, key: Sequence[Column]) -> list[sa.ColumnElement[Any]]:
    """The key's columns as SQL, of this relation and no other."""
    return [relation.c[column.name] for column in key]


def within(
    product: Product, relation: sa.FromClause, key: Sequence[Column], range_: KeyRange
) -> sa.ColumnElement[bool] | None:
    """``low <= key < high``; None where both ends are open."""
    parts = [
        compare(product, relation, key, bound, sign)
        for bound, sign in ((range_.low, ">="), (range_.high, "<"))
        if bound is not None
    ]
    return sa.and_(*parts) if parts else None


_SIGNS: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def compare(
    product: Product,
    relation: sa.FromClause,
    key: Sequence[Column],
    bound: Sequence[Any],
    sign: str,
) -> sa.ColumnElement[bool]:
    """``key < bound`` or ``key >= bound``, by the order of the key's columns, index-friendly."""
    columns = of(relation, key)
    values = [product.literal(value, column) for value, column in zip(bound, key, strict=True)]
    if len(columns) == 1:
        return _SIGNS[sign](columns[0], values[0])
    if product.row_values:
        return _SIGNS[sign](sa.tuple_(*columns), sa.tuple_(*values))
    strict, loose = sign[0], f"{sign[0]}="
    pairs = list(zip(columns, values, strict=True))
    compared = _SIGNS[sign](*pairs.pop())
    for column, value in reversed(pairs):
        # the first term is implied by the second, and is the one that an index serves
        later = sa.or_(_SIGNS[strict](column, value), compared)
        compared = sa.and_(_SIGNS[loose](column, value), later)
    return compared


def encode(key: tuple[Any, ...] | None) -> str | None:
    """A bound as JSON text, which `decode` turns back into equal values."""
    return None if key is None else json.dumps([encoded(value) for value in key])


def decode(text: str | None) -> tuple[Any, ...] | None:
    """The bound that `encode` wrote."""
    return None if text is None else tuple(decoded(value) for value in json.loads(text))


#: type -> (its name in stored text, to text, from text); a subclass stands before its base
_STORED: tuple[tuple[type, str, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (datetime, "timestamp", datetime.isoformat, datetime.fromisoformat),
    (date, "date", date.isoformat, date.fromisoformat),
    (Decimal, "decimal", str, Decimal),
    (uuid.UUID, "uuid", str, uuid.UUID),
    (bytes, "binary", lambda v: b64encode(v).decode(), b64decode),
)


def encoded(value: object) -> object:
    """A value as JSON has it, of which `decoded` makes an equal one."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    plain = bytes(value) if isinstance(value, bytearray | memoryview) else value
    for type_, name, to_text, _ in _STORED:
        if isinstance(plain, type_):
            return {name: to_text(plain)}
    raise SqlscoreError(
        f"a value of type {type(value).__name__} cannot be stored as a range's bound or a "
        "parameter. Use integers, text, decimals, dates, timestamps, uuids or binary"
    )


def decoded(value: object) -> object:
    """The value that `encoded` wrote."""
    if not isinstance(value, dict):
        return value
    ((name, text),) = value.items()
    return next(from_text(text) for _, stored, _, from_text in _STORED if stored == name)
