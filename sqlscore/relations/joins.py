"""A SELECT that joins tables: when it is read by key ranges, as one table is.

Its key is a key of one of its tables, by the catalogue, and each row of that table meets at most
one of every other: those of its columns that the SELECT sets equal to what is known hold no value
twice, by the catalogue or by one query. Then the key identifies the SELECT's rows, a range of keys
is a range of that one table, and the join need not be evaluated to prove it.

The other tables are joined anew for each range. Where an index finds their rows, that costs what it
would cost at once. One that may be read whole each time must be small, or the SELECT is evaluated
once instead.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlglot import ErrorLevel, exp

from sqlscore.relations.catalogue import find_table
from sqlscore.relations.joined import Joined, Part
from sqlscore.relations.keys import is_known
from sqlscore.relations.selects import joined_tables, table_name
from sqlscore.relations.source import Base, Source
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlscore.products.product import Product
    from sqlscore.types import Column

#: rows of a table that may be read whole for each range: to read and hash so many takes less than
#: to write a range's rows to a staging table and to read them again
WHOLE = 524_288


def ranged(source: Source, key: Sequence[Column], *, apart_from: str) -> Source:
    """The source as one that is read by key ranges, if it is a join that may be; else as it is.

    `apart_from` is the table that the run writes: joined to the later ranges, it would give them
    rows that the first one did not see. Any table of that name counts, in whatever schema.
    """
    if source.repeatable or source.tree is None or not (pairs := joined_tables(source.tree)):
        return source
    with translated("looking at the SELECT's joins"), source.engine.connect() as connection:
        parts = _parts(connection, source.product, pairs) if _tell_apart(source.columns) else ()
        if not parts or apart_from.casefold() in {part.table.name.casefold() for part in parts}:
            return source
        base = _base(connection, source, Joined(tree=source.tree, parts=parts), key)
    return source if base is None else dataclasses.replace(source, base=base, repeatable=True)


def _parts(
    connection: sa.Connection,
    product: Product,
    pairs: Sequence[tuple[exp.Table, exp.Join | None]],
) -> tuple[Part, ...]:
    """The tables of a SELECT; none where they or their columns cannot be told apart."""
    parts: dict[str, Part] = {}
    for node, join in pairs:
        table = find_table(connection, product, table_name(node, product))
        if table is None:
            return ()
        described = product.describe(connection, table)
        columns = {column.name.casefold(): column for column in described}
        name = node.alias_or_name.casefold()
        if name in parts or not _tell_apart(described):
            return ()
        parts[name] = Part(name=name, table=table, columns=columns, join=join)
    return tuple(parts.values())


def _tell_apart(columns: Sequence[Column]) -> bool:
    """Whether no two columns have names that differ in case only."""
    return len({column.name.casefold() for column in columns}) == len(columns)


def _base(
    connection: sa.Connection, source: Source, joined: Joined, key: Sequence[Column]
) -> Base | None:
    """The table whose rows the SELECT gives, each at most once; None where that is not known."""
    passed, product = joined.passed(), source.product
    owned = [passed.get(column.name.casefold()) for column in key]
    owners = {owner[0] if owner is not None else None for owner in owned}
    part = owners.pop()
    if owners or part is None or part.optional:
        return None
    own = {name: column.name for name, (owner, column) in passed.items() if owner is part}
    names = {
        column.name: own[column.name.casefold()]
        for column in source.columns
        if column.name.casefold() in own
    }
    base = Base(
        table=part.table, columns=tuple(part.columns.values()), names=names, joined=True,
        where=_where(joined, part, product),
    )  # fmt: skip
    known = is_known(connection, product, base, key)
    return base if known and _single(connection, product, joined, part) else None


def _single(connection: sa.Connection, product: Product, joined: Joined, base: Part) -> bool:
    """Whether a row of one table meets at most one row of every other."""
    known, left = [base], [part for part in joined.parts if part is not base]
    while left:
        found = next((p for p in left if _met_once(connection, product, joined, p, known)), None)
        if found is None:
            return False
        known.append(found)
        left.remove(found)
    return True


def _met_once(
    connection: sa.Connection,
    product: Product,
    joined: Joined,
    part: Part,
    known: Collection[Part],
) -> bool:
    """Whether at most one row of a table stands beside a row of the known ones, at a fair cost."""
    matched = joined.matched(part, known)
    if not matched:
        return False
    keys = product.keys(connection, part.table)
    by_key = any(
        names and {name.casefold() for name in names} <= matched
        for names in (keys.primary, *keys.unique)
    )
    if by_key and product.keyset_walk:  # it has indexes that find a few rows
        return True
    names = sa.inspect(connection).get_table_names(part.table.schema)
    if part.table.name not in names:  # a view may hold anything
        return False
    spelled = sorted(part.columns[name].name for name in matched)
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in spelled]
    rows = sa.table(part.table.name, *columns, schema=part.table.schema)
    return _is_small(connection, rows) and (by_key or _is_unique(connection, rows))


def _is_small(connection: sa.Connection, rows: sa.TableClause) -> bool:
    some = sa.select(sa.literal(1).label("one")).select_from(rows).limit(WHOLE + 1).subquery()
    return (connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= WHOLE


def _is_unique(connection: sa.Connection, rows: sa.TableClause) -> bool:
    """Whether no two rows have the same values; those with a NULL equal nothing."""
    twice = (
        sa.select(sa.literal(1)).select_from(rows)
        .where(*(column.is_not(None) for column in rows.c))
        .group_by(*rows.c).having(sa.func.count() > 1).limit(1)
    )  # fmt: skip
    return connection.execute(twice).first() is None


def _where(joined: Joined, part: Part, product: Product) -> sa.ColumnElement[bool] | None:
    """The SELECT's own conditions on one of its tables, in the table's own columns."""
    texts: list[sa.ColumnElement[bool]] = [
        sa.literal_column(f"({node.sql(product.dialect, unsupported_level=ErrorLevel.RAISE)})")
        for node in joined.alone(part)
    ]
    return sa.and_(*texts) if texts else None
