"""INSERT … SELECT and SELECT … INTO that only pass predictions on: rows stream into the target.

Rows are read over another connection than they are written on, so both go on at once; all of it is
one transaction. Where a reader stands in the way of a write, what memory does not hold waits in a
file for its end.
"""

from __future__ import annotations

import itertools
import math
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp

from sqlscore import bridge
from sqlscore.errors import DatabaseError, StatementError
from sqlscore.plan import storage
from sqlscore.predict.scope import key_of, table_name
from sqlscore.products.product import Target, Write
from sqlscore.relations import sink
from sqlscore.relations.catalogue import find_column
from sqlscore.relations.ranges import KeyRange
from sqlscore.statements import made
from sqlscore.statements.reading import arranged, can_read_elsewhere, read
from sqlscore.statements.scored import Scorer
from sqlscore.statements.spool import Spool
from sqlscore.types import Column, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from sqlscore.plan.passing import Passing
    from sqlscore.predict.scope import Relation
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.ready import Ready

_RANGE_ROWS = 131_072  #: written at a time
#: bytes written beside a reader that is in the way; with an index their pages take three times that
_IN_MEMORY = 32 << 20


def can_stream(
    on: Conversation, ready: Ready, passing: Sequence[Passing], tree: exp.Expression, text: str
) -> bool:
    """Whether rows may be read over one connection while they are written over another.

    Not where the target's types need casts of the database's own.
    """
    if not reads_beside(on, ready):
        return False
    if isinstance(tree, exp.Select):
        return tree.args.get("into") is not None
    if not isinstance(tree, exp.Insert) or tree.args.get("returning") or tree.args.get("default"):
        return False
    target = _existing(on, tree.this, len(passing), text)
    return all(map(_takes, target.columns, wanted(on, passing)))


def reads_beside(on: Conversation, ready: Ready) -> bool:
    """Whether DATA's rows can be read over another connection while this one writes."""
    return can_read_elsewhere(on, ready) and on.product.reads_elsewhere(on.engine)


def stream(
    on: Conversation, ready: Ready, passing: Sequence[Passing], tree: exp.Expression, text: str
) -> int:
    """Write the rows; how many."""
    if isinstance(tree, exp.Insert):
        target = _existing(on, tree.this, len(passing), text)
        return through(on, ready, passing, target, make=False)
    table = tree.args["into"].this
    target = made.into(on, table, wanted(on, passing))
    count = through(on, ready, passing, target, make=True)
    if table_name(table).startswith("#"):
        on.names.keep(on.names.spelled(table_name(table)))
    return count


def insert(on: Conversation, into: exp.Expression, rows: pa.Table, text: str) -> int:
    """Write rows that are in memory into a table, by the order of the columns; how many."""
    target = _existing(on, into, rows.num_columns, text)
    names = [column.name for column in target.columns]
    batches = rows.rename_columns(names).to_batches()
    with on.transaction(), on.product.unit(on.engine, on.connection) as unit:
        written = unit.write(target, batches, Write.INSERT)
        unit.commit()
    return written


def wanted(on: Conversation, passing: Sequence[Passing]) -> list[Column]:
    """The columns that the statement gives, as a table would hold them."""
    columns = []
    for one in passing:
        if one.data is not None:
            columns.append(replace(one.data, name=one.name))
        elif one.output is not None:
            columns.append(Column(name=one.name, type=storage(one.output.type)))
    return [made.declared(on, column) for column in columns]


def _existing(on: Conversation, into: exp.Expression, count: int, text: str) -> Target:
    """The target of an INSERT, with the columns that it writes, in the statement's order."""
    table = into.this if isinstance(into, exp.Schema) else into
    assert isinstance(table, exp.Table)
    named = into.expressions if isinstance(into, exp.Schema) else None
    relation = relation_of(on, table, text)
    columns = relation.columns
    if named is not None:
        where = f"the table {relation.name!r}"
        try:
            columns = tuple(find_column(one.name, columns, where=where) for one in named)
        except DatabaseError as error:
            raise StatementError(f"INSERT: {error}") from error
    if len(columns) != count:
        raise StatementError(
            f"INSERT writes {len(columns)} columns of {relation.name!r}, and the SELECT gives "
            f"{count}. Name the columns: INSERT INTO {relation.name} (…)"
        )
    there = sa.Table(relation.name, sa.MetaData(), schema=relation.schema)
    return Target(table=there, columns=columns, key=())


def relation_of(on: Conversation, table: exp.Table, text: str) -> Relation:
    """What the database knows of a table that a statement writes."""
    return on.relations(exp.Select(from_=exp.From(this=table.copy())), text)[key_of(table)]


def _takes(there: Column, given: Column) -> bool:
    """Whether a column takes values as they come, without a cast of the database's own."""
    if there.declared == given.declared or there.type == given.type:
        return True
    if pa.types.is_floating(given.type):
        return bool(pa.types.is_floating(there.type))
    if is_number(given.type):
        return is_number(there.type) and not pa.types.is_boolean(there.type)
    return is_text(given.type) and is_text(there.type)


def through(
    on: Conversation,
    ready: Ready,
    passing: Sequence[Passing],
    target: Target,
    *,
    make: bool,
) -> int:
    """Rows through the model into a target, which is made first where `make` says so; how many."""
    kept = [one.data for one in passing if one.data is not None]
    carried = [(column, on.product.carried(column)) for column in kept]
    scorer = Scorer(ready.plan, ready.model, on.product, carried, ready.place)
    sql = on.write(ready.query)
    projection = scorer.layout.projection
    names = [column.name for column in target.columns]
    written = 0

    def predict(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows, outputs = scorer(batch)
        columns = arranged(passing, rows, ready, [a.cast(storage(a.type)) for a in outputs])
        return pa.RecordBatch.from_arrays(columns, names=names)

    with ExitStack() as stack:
        temporary = on.names.is_temporary(target.table.name)
        into = "a temporary table" if temporary else "the target"
        step = stack.enter_context(on.steps.timed(f"rows through the model into {into}"))
        stack.enter_context(on.transaction())
        if make and not on.product.transactional_ddl:
            stack.enter_context(_undone(on, target))
            on.make(target)
        unit = stack.enter_context(on.product.unit(on.engine, on.connection))
        # pages that leave the writer's memory would wait for every reader's end
        room = _IN_MEMORY if on.product.readers_block_commit(on.engine) else math.inf
        spool = stack.enter_context(Spool())
        if make and on.product.transactional_ddl:
            sink.make(unit, target)
        with (
            on.product.unspilled(on.connection),
            closing(read(on, sql, projection.columns, projection.schema, over=False)) as rows,
        ):
            cuts = _Cuts(rows)

            def write(_: KeyRange, batches: list[pa.RecordBatch], __: bridge.Ready) -> None:
                nonlocal written, room
                room -= sum(batch.nbytes for batch in batches)
                if room < 0:
                    spool.add(batches)
                else:
                    written += unit.write(target, batches, Write.INSERT)

            bridge.run(cuts.ranges(), read=cuts.read, predict=predict, write=write)
        for batch in spool.batches():
            written += unit.write(target, [batch], Write.INSERT)
        unit.commit()
        step.rows = written
    return written


@contextmanager
def _undone(on: Conversation, target: Target) -> Iterator[None]:
    """Drop a table that a failed statement made, where the rollback does not."""
    try:
        yield
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):
            on.connection.execute(sa.schema.DropTable(target.table, if_exists=True))
        raise


class _Cuts:
    """One stream of rows cut into ranges, which the bridge scores and writes one after another."""

    def __init__(self, rows: Generator[pa.RecordBatch, None, None]) -> None:
        self._rows, self._ended = rows, False

    def ranges(self) -> Iterator[KeyRange]:
        """A range for as long as there are rows."""
        for ordinal in itertools.count():
            if self._ended:
                return
            yield KeyRange(ordinal=ordinal, low=None, high=None)

    def read(self, _: KeyRange) -> Generator[pa.RecordBatch, None, None]:
        """The batches of the next range."""
        count = 0
        for batch in self._rows:
            yield batch
            count += batch.num_rows
            if count >= _RANGE_ROWS:
                return
        self._ended = True
