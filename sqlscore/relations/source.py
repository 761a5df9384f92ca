"""A relation that is read: resolved by name, cut into key ranges, read as batches.

A source is a table, a view, or a SELECT. Key ranges need one that gives the same rows when it is
asked twice: a table, a view, a SELECT of columns and filters over one of them, or a join of which
`joins` knows as much (`repeatable`). Any other SELECT is evaluated once, into a staging table that
the run owns, which then is the source. Keys are compared by the database, never in Python.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp

from sqlscore.errors import DatabaseError
from sqlscore.relations.catalogue import find_column, find_table, no_table
from sqlscore.relations.cutting import Cut, cut
from sqlscore.relations.parameters import bound
from sqlscore.relations.ranges import KeyRange, within
from sqlscore.relations.selects import (
    is_repeatable,
    is_select,
    parsed,
    passed,
    table_name,
    textual,
)
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlscore.products.product import Product
    from sqlscore.types import Column


#: a condition on a source's rows; None: all of them
Condition = sa.ColumnElement[bool] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """The one table that a source's rows come from, each at most once."""

    table: sa.Table
    columns: tuple[Column, ...]
    names: dict[str, str]  #: the source's column -> the table's, where it is passed as it is
    joined: bool = False  #: the source joins other tables to it
    where: Condition = None  #: the source's own conditions on it alone, where others are joined


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A relation that can be read."""

    engine: sa.Engine
    product: Product
    name: str  #: as the user typed it
    relation: sa.FromClause  #: the table or SELECT under the name ``source``, with its columns
    table: sa.Table | None  #: None for a SELECT
    base: Base | None  #: the table whose keys are the source's, where the catalogue can tell
    columns: tuple[Column, ...]
    repeatable: bool  #: gives the same rows when it is asked twice
    chosen: bool  #: the user named the columns one by one, so their order means something
    asked: frozenset[str] = frozenset()  #: the parameters of a SELECT, which have their values
    tree: exp.Query | None = None  #: of a SELECT that sqlglot understands, as it was typed

    @property
    def joins(self) -> bool:
        """It is a SELECT that joins tables."""
        return self.tree is not None and bool(self.tree.args.get("joins"))

    def column(self, name: str) -> Column:
        """The column of that name, in the catalogue's spelling, or a `DatabaseError`."""
        return find_column(name, self.columns, where=f"the source {self.name!r}")


def resolve(
    engine: sa.Engine, product: Product, text: str, params: Mapping[str, Any] | None = None
) -> Source:
    """The relation that a user means by `text`: a table's or view's name, or a SELECT.

    `params` are values of a SELECT's parameters as `ranges.encoded` wrote them, by name.
    """
    refuse_absent(engine, product, text)
    if is_select(text):
        return _select(engine, product, text, params or {})
    with translated(f"looking for {text!r}", url=engine.url), engine.connect() as connection:
        table = find_table(connection, product, text)
        if table is None:
            raise DatabaseError(no_table(connection, text))
        columns = product.describe(connection, table)
    relation = sa.table(table.name, *_columns(columns), schema=table.schema).alias("source")
    return Source(
        engine=engine, product=product, name=text, relation=relation, table=table,
        base=Base(table=table, columns=columns, names={c.name: c.name for c in columns}),
        columns=columns, repeatable=True, chosen=False,
    )  # fmt: skip


def refuse_absent(engine: sa.Engine, product: Product, text: str) -> None:
    """Raise `DatabaseError` where the database is a file that is not there; none is made."""
    if product.absent(engine):
        raise DatabaseError(
            f"there is no database file {engine.url.database!r}, so there is no {text!r} to read. "
            "Is the path right?"
        )


def _columns(columns: Sequence[Column]) -> list[sa.ColumnClause[Any]]:
    return [sa.column(column.name) for column in columns]


def _select(engine: sa.Engine, product: Product, text: str, params: Mapping[str, Any]) -> Source:
    query = text.strip().rstrip(";").rstrip()
    tree = parsed(query, product)
    query, asked = bound(engine, product, query, tree, params)
    with translated("describing the SELECT", url=engine.url), engine.connect() as connection:
        columns = product.describe(connection, textual(query).columns().subquery("source"))
    # SQLite gives the second one another name, by itself
    written = [] if tree is None else [name for name in tree.named_selects if name != "*"]
    names = max(written, [column.name for column in columns], key=len)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DatabaseError(f"the SELECT names a column twice: {', '.join(twice)}. Use AS")
    relation = textual(query).columns(*_columns(columns)).subquery("source")
    repeatable = tree is not None and is_repeatable(tree)
    return Source(
        engine=engine, product=product, name=text, relation=relation, table=None,
        base=_base(engine, product, tree) if tree is not None and repeatable else None,
        columns=columns, repeatable=repeatable,
        chosen=tree is not None and not any(tree.find_all(exp.Star)), asked=asked, tree=tree,
    )  # fmt: skip


def _base(engine: sa.Engine, product: Product, tree: exp.Query) -> Base | None:
    with translated("looking for the SELECT's table"), engine.connect() as connection:
        (base,) = tree.find_all(exp.Table)
        table = find_table(connection, product, table_name(base, product))
        if table is None:
            return None
        columns = product.describe(connection, table)
    names = passed(tree, [column.name for column in columns])
    return Base(table=table, columns=columns, names=names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Projection:
    """What is read of a source: each column under a name of its own, in a type of its own."""

    columns: tuple[Column, ...]
    schema: pa.Schema

    @staticmethod
    def of(*parts: tuple[str, Column, pa.DataType]) -> Projection:
        """A projection of (name in the batch, column, type in the batch)."""
        return Projection(
            columns=tuple(column for _, column, _ in parts),
            schema=pa.schema([(name, type_) for name, _, type_ in parts]),
        )

    @staticmethod
    def once(parts: Sequence[tuple[Column, pa.DataType]]) -> tuple[Projection, tuple[int, ...]]:
        """A projection that reads each column once in each type; the place in it of each part.

        Columns have their own names, which errors tell, where all are plain; else numbers.
        """
        read: dict[tuple[str, pa.DataType], Column] = {}
        for column, type_ in parts:
            read.setdefault((column.name, type_), column)
        places = {part: place for place, part in enumerate(read)}
        names = [column.name for column in read.values()]
        plain = all(name.isidentifier() and name.isascii() for name in names)
        if not plain or len(set(map(str.casefold, names))) < len(names):
            names = [f"c{place}" for place in range(len(names))]
        return (
            Projection.of(*zip(names, read.values(), (type_ for _, type_ in read), strict=True)),
            tuple(places[column.name, type_] for column, type_ in parts),
        )


def ranges_of(
    source: Source,
    key: Sequence[Column],
    *,
    rows: int,
    where: Condition = None,
    held: bool = False,
    long: bool = False,
) -> Cut:
    """The source cut into key ranges of about `rows` rows, those of `where` only.

    `held` says that an index of the source's table holds the key unique; with `long` no range is
    made shorter so that there are more of them.
    """
    relation, key, where = _cut(source, key, where)
    held = held and (source.tree is None or source.tree.args.get("where") is None)
    with translated("cutting key ranges"), source.engine.connect() as connection:
        return cut(
            connection, source.product, relation, key, rows=rows, where=where, held=held, long=long
        )  # fmt: skip


def _cut(
    source: Source, key: Sequence[Column], where: Condition
) -> tuple[sa.FromClause, Sequence[Column], Condition]:
    """What is cut in a source's stead: of a join, the table that has the key, without the others.

    Its rows are about the join's; a condition on the join's rows may be about any of its tables.
    """
    base = source.base
    if base is None or not base.joined or where is not None:
        return source.relation, key, where
    own = [dataclasses.replace(column, name=base.names[column.name]) for column in key]
    return sa.table(base.table.name, *_columns(own), schema=base.table.schema), own, base.where


def read(
    source: Source,
    projection: Projection,
    *,
    batch_rows: int,
    key: Sequence[Column] = (),
    range_: KeyRange | None = None,
    where: Condition = None,
    limit: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The source's rows, or those of one range, as batches of the projection's schema."""
    product = source.product
    selected = [
        product.project(source.relation.c[column.name], column, field.type).label(field.name)
        for column, field in zip(projection.columns, projection.schema, strict=True)
    ]
    query = sa.select(*selected).select_from(source.relation)
    inside = within(product, source.relation, key, range_) if range_ is not None else None
    for part in (inside, where):
        query = query if part is None else query.where(part)
    if limit is not None:
        query = query.limit(limit)
    return product.read(source.engine, query, projection.schema, batch_rows=batch_rows)
