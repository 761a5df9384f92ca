"""A SELECT that cannot be asked twice, evaluated once into a table that the run owns.

The table lies in the target's database, under a name that the run's record holds before the table
is made; the run drops it when it ends.
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.product import Write
from sqlscore.relations import sink
from sqlscore.relations import source as sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from sqlscore.jobs.plan import Plan
    from sqlscore.jobs.work import Work
    from sqlscore.products.product import Target
    from sqlscore.relations.source import Source
    from sqlscore.tables import Tables
    from sqlscore.types import Column

_ROWS = 131_072  #: of a unit, where the rows come from another database


def table(tables: Tables, name: str, columns: Sequence[Column] = ()) -> Target:
    """The staging table of that name, among sqlscore's own."""
    return sink.described((f"{tables.prefix}{name}", tables.metadata.schema), columns, ())


def fill(
    work: Work,
    name: str,
    source: Source,
    columns: Sequence[Column],
    where: sources.Condition = None,
) -> None:
    """Make the staging table and evaluate the source into it, once: the rows of `where`.

    `columns` are the source's columns in the words of the target's product.
    """
    target = table(work.tables, name, columns)
    with work.unit() as unit:
        sink.make(unit, target)
        unit.commit()
    if source.engine is work.engines.target:
        names = [column.name for column in columns]
        rows: sa.Select[Any] = sa.Select(*(source.relation.c[n] for n in names))
        rows = rows if where is None else rows.where(where)
        with work.unit() as unit:
            unit.execute(sa.insert(target.table).from_select(names, rows))
            unit.commit()
        return
    _copy(work, source, target, where)


def _copy(work: Work, source: Source, target: Target, where: sources.Condition) -> None:
    carried = source.product.carried
    columns = [source.column(column.name) for column in target.columns]
    projection = sources.Projection.of(*((c.name, c, carried(c)) for c in columns))
    waiting: list[pa.RecordBatch] = []
    for batch in sources.read(source, projection, batch_rows=16_384, where=where):
        waiting.append(batch)
        if sum(b.num_rows for b in waiting) >= _ROWS:
            _write(work, target, waiting)
            waiting = []
    _write(work, target, waiting)


def _write(work: Work, target: Target, batches: Sequence[pa.RecordBatch]) -> None:
    with work.unit() as unit:
        unit.write(target, batches, Write.INSERT)
        unit.commit()


def index(work: Work, name: str, key: Sequence[Column]) -> None:
    """Index the staged rows by key, where the product can: ranges are read by it."""
    target = table(work.tables, name, key)
    with suppress(DatabaseError), work.unit() as unit:
        made = sa.Index(f"{target.table.name}_key", *(target.table.c[c.name] for c in key))
        unit.execute(sa.schema.CreateIndex(made))
        unit.commit()


def source(work: Work, name: str, typed: str, *, chosen: bool) -> Source:
    """The staging table in the place of the source, which keeps what the user typed."""
    target = table(work.tables, name)
    found = sources.resolve(work.engines.target, work.product, target.table.fullname)
    return dataclasses.replace(found, name=typed, chosen=chosen)


def staged_table(plan: Plan, target: sa.Table) -> sa.Table:
    """The table, beside the target, that is to take its place."""
    return sa.Table(plan.staged or "", sa.MetaData(), schema=target.schema)


def tables_of(work: Work, plan: Plan, place: str) -> list[sa.Table]:
    """The tables that a plan names to be staged, whether they are there or not."""
    named = [table(work.tables, name).table for name in (plan.staging, plan.keys) if name]
    if plan.staged:
        target = sink.named(work.engines.target, work.product, place)
        named.append(staged_table(plan, target))
        # where DDL commits by itself, a kill in a swap leaves the old rows aside
        named.append(sa.Table(f"{plan.staged}_old", sa.MetaData(), schema=target.schema))
    return named


def drop(work: Work, plan: Plan, place: str) -> None:
    """Drop what a run staged, if it is there, each table in a unit of its own."""
    for gone in tables_of(work, plan, place):
        drop_table(work, gone)


def drop_one(work: Work, name: str) -> None:
    """Drop one of the tables that a run stages among sqlscore's own, if it is there."""
    drop_table(work, table(work.tables, name).table)


def drop_table(work: Work, gone: sa.Table) -> None:
    """Drop a table, if it is there, in a unit of its own."""
    with work.unit() as unit:
        unit.execute(sa.schema.DropTable(gone, if_exists=True))
        unit.commit()
