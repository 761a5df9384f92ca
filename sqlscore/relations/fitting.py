"""The columns that a run wants to write, and whether a table that is there can take them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import DatabaseError
from sqlscore.relations.catalogue import find_column
from sqlscore.transports.failures import translated
from sqlscore.types import Column, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from sqlscore.products.product import Product, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a run will write: the key, the passed columns, the predictions, their lineage."""

    key: tuple[Column, ...]
    passed: tuple[Column, ...]
    predictions: tuple[Column, ...]  #: `declared` is the product's word for the type
    lineage: tuple[Column, ...] = ()  #: which model, version and run the predictions are of

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of them, in the order in which a new table has them."""
        return (*self.key, *self.passed, *self.predictions, *self.lineage)


def check(
    engine: sa.Engine, product: Product, found: Target, wanted: Wanted, *, needs_key: bool
) -> Target:
    """The found table as the target of a run: it has every wanted column, of a type that fits.

    With `needs_key` it must also hold the key unique, by its catalogue. Raises `DatabaseError`
    with the statement that would put a table right; nobody's table is altered behind their back.
    """
    name = found.table.fullname
    lacking = []
    for column in wanted.columns:
        try:
            there = find_column(column.name, found.columns, where=f"the target {name!r}")
        except DatabaseError:
            lacking.append(column)
            continue
        if not _takes(there.type, column.type):
            raise DatabaseError(
                f"column {there.name!r} of the target {name!r} is {there.declared or there.type}, "
                f"and what is to be written there is {column.type}. Choose another target, or "
                "name the prediction otherwise at add: outputs={name: …}"
            )
    if lacking:
        raise DatabaseError(_lacking(engine, found, lacking))
    key = tuple(find_column(c.name, found.columns, where=name).name for c in wanted.key)
    with translated("looking at the target's keys"), engine.connect() as connection:
        keys = product.keys(connection, found.table)
        if needs_key and set(key) not in map(set, (keys.primary, *keys.unique)):
            raise DatabaseError(
                f"the target {name!r} does not hold ({', '.join(key)}) unique, so a row could be "
                "there twice. Add a primary key or a unique index on exactly these columns"
            )
    return dataclasses.replace(found, key=key)


def spelled(wanted: Wanted, found: Target) -> Wanted:
    """The wanted columns in the spelling of a table that has them, where it differs in case."""

    def as_there(column: Column) -> Column:
        try:
            there = find_column(column.name, found.columns, where=found.table.fullname)
        except DatabaseError:  # `check` says what is lacking
            return column
        return dataclasses.replace(column, name=there.name)

    return Wanted(
        key=tuple(map(as_there, wanted.key)),
        passed=tuple(map(as_there, wanted.passed)),
        predictions=tuple(map(as_there, wanted.predictions)),
        lineage=tuple(map(as_there, wanted.lineage)),
    )


def _lacking(engine: sa.Engine, found: Target, lacking: Sequence[Column]) -> str:
    quote = engine.dialect.identifier_preparer
    table = quote.format_table(found.table)
    statements = "; ".join(
        f"ALTER TABLE {table} ADD {quote.quote(column.name)} {column.declared}"
        for column in lacking
    )
    has = ", ".join(column.name for column in found.columns)
    return (
        f"the target {found.table.fullname!r} is there and lacks "
        f"{', '.join(repr(column.name) for column in lacking)}. It has: {has}. "
        f"Add what is missing ({statements}), or choose another target"
    )


def _takes(there: pa.DataType, given: pa.DataType) -> bool:
    """Whether a column takes values of a type without making other values of them."""
    if pa.types.is_null(there) or pa.types.is_null(given) or there == given:
        return True
    if pa.types.is_floating(given):
        return bool(pa.types.is_floating(there) or pa.types.is_decimal(there))
    if is_number(given):
        return is_number(there)  # what does not fit is refused when it is written
    return is_text(there) or bool(pa.types.is_list(given) == pa.types.is_list(there))
