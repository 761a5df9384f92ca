"""What it costs to copy rows inside a database, and to write them into its temporary tables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.costs import samples
from sqlscore.costs.bench import seconds
from sqlscore.products.product import RowIndex, Write
from sqlscore.relations import sink
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from sqlscore.costs.bench import Bench
    from sqlscore.products.product import Target
    from sqlscore.types import Column


def staged(bench: Bench, count: int) -> float:
    """Seconds to copy the key and some numbers into a temporary table."""
    names = (samples.KEY, *samples.NUMBERS[:count])
    columns = [c for c in bench.target.columns if c.name in names]
    temporary = _temporary(bench, columns, ())
    given = sa.select(*(bench.target.table.c[c.name] for c in columns))
    insert = temporary.table.insert().from_select([c.name for c in columns], given)
    with _made(bench, temporary) as connection:
        return seconds(lambda: connection.execute(insert), bench.clock)


def put(bench: Bench, rows: pa.RecordBatch) -> float:
    """Seconds to write rows from here into a temporary table."""
    names = rows.schema.names
    columns = [c for c in bench.target.columns if c.name in names]
    key = columns[:1] if bench.product.row_index is RowIndex.WITHIN else ()
    temporary = _temporary(bench, columns, key)

    def write() -> None:
        with bench.product.unit(bench.engine, connection) as unit:
            unit.write(temporary, [rows], Write.INSERT)
            unit.commit()

    with _made(bench, temporary) as connection:
        return seconds(write, bench.clock)


def _temporary(bench: Bench, columns: Sequence[Column], key: Sequence[Column]) -> Target:
    mark = "#" if bench.product.t_sql else ""
    name = f"{mark}{bench.target.table.name}_{len(columns)}"
    temporary = sink.described((name, None), columns, key)
    if not bench.product.t_sql:
        temporary.table._prefixes = ["TEMPORARY"]
    return temporary


@contextmanager
def _made(bench: Bench, temporary: Target) -> Iterator[sa.Connection]:
    """A connection with that temporary table, which its pool gets back without it."""
    with translated("measuring", url=bench.engine.url), bench.engine.connect() as connection:
        connection.execute(sa.schema.CreateTable(temporary.table))
        try:
            yield connection
        finally:
            connection.rollback()  # which on PostgreSQL takes the table with it, and on SQLite not
            connection.execute(sa.schema.DropTable(temporary.table, if_exists=True))
            connection.commit()


def filled(bench: Bench, count: int) -> float:
    """Seconds to copy the key and some numbers into a table that has the key."""
    names = [samples.KEY, *samples.NUMBERS[:count]]
    columns = [c for c in bench.target.columns if c.name in names]
    name = f"{bench.target.table.name}_keyed_{count}"
    target = sink.described((name, None), columns, columns[:1])
    source = sink.relation(bench.target)
    given = sa.select(*(source.c[c.name] for c in columns))
    insert = sink.relation(target).insert().from_select([c.name for c in columns], given)
    with bench.product.unit(bench.engine, None) as unit:
        sink.make(unit, target)
        unit.commit()
    try:
        return seconds(lambda: _done(bench, insert), bench.clock)
    finally:
        with translated("dropping it again", url=bench.engine.url), bench.engine.begin() as opened:
            target.table.drop(opened, checkfirst=True)


def _done(bench: Bench, statement: sa.Executable) -> None:
    with bench.product.unit(bench.engine, None) as unit:
        unit.execute(statement)
        unit.commit()
