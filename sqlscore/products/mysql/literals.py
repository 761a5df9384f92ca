"""Constants as MySQL's and MariaDB's own text, safe whatever they hold."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.mysql.types import word_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sqlscore.types import Column


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """A constant that compares as the column does, safe as text whatever the value holds.

    Text is written in hexadecimal as utf8mb4: no setting of the session changes its meaning, and
    it takes on the column's own collation, so the column's index serves it. An enum or set is its
    number, since that is what the column is ordered by.
    """
    word = word_of(column.declared or "")
    if word in ("enum", "set") and isinstance(value, str):
        return sa.literal_column(str(_number_of(value, column.declared or "", word)))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return sa.literal_column(f"x'{bytes(value).hex()}'")
    text = _text_of(value)
    if pa.types.is_decimal(column.type) or isinstance(value, (bool, int, float, Decimal)):
        return sa.literal_column(_plain_number(text))
    return sa.literal_column(f"_utf8mb4 x'{text.encode().hex()}'")


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value!r}" if "e" in repr(value) else f"{value!r}e0"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain_number(text: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text):
        raise DatabaseError("a bound of a numeric key is not a number")
    return text


def _number_of(value: str, declared: str, word: str) -> int:
    listed = re.sub(r" CHARACTER SET \w+ COLLATE \w+$", "", declared)
    members = [m.replace("''", "'") for m in re.findall(r"'((?:[^']|'')*)'", listed)]
    places = {member: i for i, member in enumerate(members)}
    try:
        if word == "enum":
            return places[value] + 1 if value else 0
        return sum(1 << places[member] for member in value.split(",") if member)
    except KeyError:
        raise DatabaseError(f"a bound is no member of {word} column type {declared}") from None
