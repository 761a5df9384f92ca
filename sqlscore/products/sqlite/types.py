"""SQLite's types: what a column's declared type announces, how it is carried and declared.

SQLite types values, not columns. A column's declared type gives it an affinity, a wish for what
its values should be (https://www.sqlite.org/datatype3.html), and any value of another kind may lie
in it all the same: `columns` says what becomes of those.
"""

from __future__ import annotations

from enum import Enum

import pyarrow as pa

from sqlscore.types import Column

_NUMERIC = pa.decimal128(38, 10)  # a number, exact, of no fixed scale


class Affinity(Enum):
    """What a column would like its values to be."""

    INTEGER = "INTEGER"
    TEXT = "TEXT"
    BLOB = "BLOB"
    REAL = "REAL"
    NUMERIC = "NUMERIC"
    NONE = ""  #: no declared type: values stay what they are


#: SQLite's own rules, in its own order: the first word that the declared type contains
_AFFINITIES = (
    ("INT", Affinity.INTEGER),
    ("CHAR", Affinity.TEXT),
    ("CLOB", Affinity.TEXT),
    ("TEXT", Affinity.TEXT),
    ("BLOB", Affinity.BLOB),
    ("REAL", Affinity.REAL),
    ("FLOA", Affinity.REAL),
    ("DOUB", Affinity.REAL),
)

_TYPES = {
    Affinity.INTEGER: pa.int64(),
    Affinity.TEXT: pa.string(),
    Affinity.BLOB: pa.binary(),
    Affinity.REAL: pa.float64(),
    Affinity.NONE: pa.null(),
}
_NUMBERS = ("DEC", "NUM")  # what people declare as numbers, of those with NUMERIC affinity
_TEXTS = ("DATE", "TIME", "JSON", "UUID")


def affinity(declared: str | None) -> Affinity:
    """The affinity that a declared type gives."""
    words = (declared or "").upper()
    if not words:
        return Affinity.NONE
    return next((a for word, a in _AFFINITIES if word in words), Affinity.NUMERIC)


def column(name: str, declared: str | None, kinds: frozenset[str], *, nullable: bool) -> Column:
    """The column by its declared type; by the kinds of its first values where none is declared.

    `declared` is empty for a table's column without a type, None for an expression of a query.
    """
    return Column(
        name=name,
        type=_sampled(kinds) if not declared else _declared(declared),
        declared=declared,
        nullable=nullable,
    )


def _declared(declared: str) -> pa.DataType:
    found = affinity(declared)
    if found is not Affinity.NUMERIC:
        return _TYPES[found]
    words = declared.upper()
    if "BOOL" in words:
        return pa.int64()
    if any(word in words for word in _NUMBERS):
        return _NUMERIC
    return pa.string() if any(word in words for word in _TEXTS) else pa.null()


def _sampled(kinds: frozenset[str]) -> pa.DataType:
    alone = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}
    if len(kinds) == 1:
        return alone[next(iter(kinds))]
    return _NUMERIC if kinds == {"integer", "real"} else pa.null()


def carried(column: Column) -> pa.DataType:
    """int64, float64 or binary for a column that is one; else text, by the rules of `columns`.

    A table's column without a declared type is text: what its next value is, no value before tells.
    """
    if column.declared == "":
        return pa.string()
    kept = (pa.types.is_integer, pa.types.is_floating, pa.types.is_binary)
    return column.type if any(fits(column.type) for fits in kept) else pa.string()


def wire(type_: pa.DataType) -> pa.DataType:
    """The one of SQLite's own kinds that a column of an Arrow type is read and written as."""
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return pa.int64()
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return pa.float64()
    return pa.binary() if pa.types.is_binary(type_) or _large(type_) else pa.string()


def _large(type_: pa.DataType) -> bool:
    return bool(pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_))


#: Arrow type -> the declared type of a column that holds it
_WORDS = {pa.int64(): "INTEGER", pa.float64(): "REAL", pa.binary(): "BLOB", pa.string(): "TEXT"}


def declare(type_: pa.DataType) -> str:
    """INTEGER, REAL, BLOB or TEXT."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    return _WORDS[wire(type_)]
