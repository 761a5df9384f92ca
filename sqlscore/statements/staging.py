"""What a PREDICT gives, in temporary tables that a statement reads in its place.

In one table where another connection may read DATA and not too many of its columns are kept: they
stream through the model with the features, and come back beside the predictions.

Else DATA's rows in one and their predictions in another, both on one connection. The rows keep the
database's own types and never leave it; only features do, by ranges of the numbers that the rows
are given. One connection reads or writes, never both at once: a range is read while the one before
it is scored, then that one is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp

from sqlscore import bridge
from sqlscore.plan import storage
from sqlscore.plan.passing import Passing
from sqlscore.products.product import RowIndex, Write
from sqlscore.relations.ranges import KeyRange
from sqlscore.statements import made, writing
from sqlscore.statements.data import ROW
from sqlscore.statements.scored import Scorer
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlscore.products.product import Target
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.ready import Ready

NUMBER = Column(name=ROW, type=pa.int64())
RANGE_ROWS = 131_072  #: read, scored and written at a time
_BATCH_ROWS = 16_384
#: columns for each feature that leave the database and come back sooner than all are copied inside
_KEPT = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """The names of the two tables."""

    rows: str
    predicted: str


def can_stream(on: Conversation, ready: Ready) -> bool:
    """Whether one table will do, and is the faster way.

    A name that both sides have would be two columns of it.
    """
    kept, outputs = ready.plan.kept, ready.plan.outputs
    names = [column.name.casefold() for column in kept]
    names += [output.name.casefold() for output in outputs]
    return (
        len(kept) <= _KEPT * len(ready.plan.binding.features)
        and len(set(names)) == len(names)
        and not on.derived.by_chance(ready.query)
        and writing.reads_beside(on, ready)
    )


def stream(on: Conversation, ready: Ready, *, fill: bool = True) -> str:
    """Score DATA's rows as they are read, into one temporary table; its name.

    Without `fill` it is made and stays empty.
    """
    passing = [Passing(name=c.name, data=c, output=None) for c in ready.plan.kept]
    passing += [Passing(name=o.name, data=None, output=o) for o in ready.plan.outputs]
    target = made.temporary(on, on.names.temporary("scored"), writing.wanted(on, passing))
    if fill:
        writing.through(on, ready, passing, target, make=True)
    else:
        with on.transaction():
            on.make(target)
    return target.table.name


def stage(on: Conversation, ready: Ready, *, fill: bool = True) -> Staged:
    """Evaluate DATA once, score its rows, and leave both in temporary tables.

    Without `fill` the tables are made and stay empty.
    """
    rows = made.temporary(on, on.names.temporary("rows"), [NUMBER, *ready.plan.read], key=_key(on))
    predicted = _predicted(on, ready, on.names.temporary("predicted"))
    with on.transaction():
        on.make(rows)
        on.make(predicted)
        if fill:
            with on.steps.timed("DATA into a temporary table") as step:
                step.rows = count = _evaluated(on, ready, rows)
            with on.steps.timed("predictions into a temporary table") as step:
                step.rows = count
                _score(on, ready, rows.table.name, predicted, count)
    return Staged(rows=rows.table.name, predicted=predicted.table.name)


def _evaluated(on: Conversation, ready: Ready, rows: Target) -> int:
    """Write DATA's rows with their numbers; how many there are."""
    on.execute(on.write(made.insert(rows, _numbered(on, ready.query.copy()))))
    most = exp.select(exp.Max(this=_row())).from_(exp.table_(rows.table.name, quoted=True))
    count = int(on.rows(on.write(most))[0][0] or 0)
    if count > RANGE_ROWS and on.product.row_index is RowIndex.AFTER:
        on.execute(on.write(_index(rows.table.name)))
    return count


def _row() -> exp.Column:
    return exp.column(exp.to_identifier(ROW, quoted=True))


def _numbered(on: Conversation, query: exp.Expression) -> exp.Select:
    """The rows of a query behind their numbers; T-SQL wants to be told that any order will do."""
    nothing = exp.Ordered(this=exp.Subquery(this=exp.select(exp.Null())), nulls_first=True)
    order = exp.Order(expressions=[nothing]) if on.product.t_sql else None
    inside = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("rows_of_data")))
    everything = exp.Column(this=exp.Star(), table=exp.to_identifier("rows_of_data"))
    number = exp.Window(this=exp.RowNumber(), order=order)
    return exp.select(number, everything).from_(inside)


def _index(name: str) -> exp.Create:
    index = exp.Index(
        this=exp.to_identifier(f"{name}_index", quoted=True), table=exp.table_(name, quoted=True),
        params=exp.IndexParameters(columns=[_row()]),
    )  # fmt: skip
    return exp.Create(this=index, kind="INDEX")


def _predicted(on: Conversation, ready: Ready, name: str) -> Target:
    """The table of the predictions, with the types that the statement asks for."""
    outputs = [Column(name=o.name, type=storage(o.type)) for o in ready.plan.outputs]
    return made.temporary(on, name, [NUMBER, *outputs], key=_key(on))


def _key(on: Conversation) -> list[Column]:
    return [NUMBER] if on.product.row_index is RowIndex.WITHIN else []


def _score(on: Conversation, ready: Ready, rows: str, target: Target, count: int) -> None:
    number = made.declared(on, NUMBER)
    scorer = Scorer(ready.plan, ready.model, on.product, [(number, pa.int64())], ready.place)
    names = [column.name for column in target.columns]
    relation = sa.table(rows, *(sa.column(c.name) for c in (number, *ready.plan.read)))

    def read(range_: KeyRange) -> Generator[pa.RecordBatch, None, None]:
        low, high = range_.low, range_.high
        assert low is not None
        assert high is not None
        projection = scorer.layout.projection
        selected = [
            on.product.project(relation.c[column.name], column, field.type).label(field.name)
            for column, field in zip(projection.columns, projection.schema, strict=True)
        ]
        between = sa.and_(
            relation.c[ROW] >= sa.literal_column(str(low[0])),
            relation.c[ROW] < sa.literal_column(str(high[0])),
        )
        yield from on.product.read(
            on.engine, sa.select(*selected).where(between), projection.schema,
            batch_rows=_BATCH_ROWS, connection=on.connection,
        )  # fmt: skip

    def predict(batch: pa.RecordBatch) -> pa.RecordBatch:
        kept, outputs = scorer(batch)
        columns = [array.cast(storage(array.type)) for array in outputs]
        return pa.RecordBatch.from_arrays([*kept, *columns], names=names)

    def write(_: KeyRange, batches: list[pa.RecordBatch], __: bridge.Ready) -> None:
        with on.product.unit(on.engine, on.connection) as unit:
            unit.write(target, batches, Write.INSERT)
            unit.commit()

    ranges = [
        KeyRange(ordinal=n, low=(low,), high=(low + RANGE_ROWS,))
        for n, low in enumerate(range(1, count + 1, RANGE_ROWS))
    ]
    bridge.run(ranges, read=read, predict=predict, write=write, overlap=bridge.Overlap.NOTHING)
