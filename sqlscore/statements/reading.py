"""Rows for the caller: those of a query, or those that stream through a model."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp

from sqlscore import bridge
from sqlscore.errors import StatementError
from sqlscore.relations.selects import textual
from sqlscore.statements.results import Result
from sqlscore.statements.scored import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from sqlscore.plan.passing import Passing
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.ready import Ready
    from sqlscore.types import Column

_BATCH_ROWS = 16_384

In = TypeVar("In")
Out = TypeVar("Out")


def query(on: Conversation, tree: exp.Expression) -> Result:
    """The rows of a query in the database's own words."""
    sql = on.write(tree)
    columns = on.columns(on.write(tree, outline=True))
    refuse_twice([column.name for column in columns])
    types = [on.product.carried(column) for column in columns]
    schema = pa.schema([(f"c{i}", type_) for i, type_ in enumerate(types)])
    empty = [on.product.returned(pa.nulls(0, t), c) for c, t in zip(columns, types, strict=True)]
    given = pa.schema([(c.name, array.type) for c, array in zip(columns, empty, strict=True)])

    def batches() -> Generator[pa.RecordBatch, None, None]:
        rows = read(on, sql, columns, schema, over=True)
        with on.plainly(), on.steps.timed("the statement") as step, closing(rows):
            for batch in rows:
                step.rows = (step.rows or 0) + batch.num_rows
                arrays = [
                    on.product.returned(array, column)
                    for array, column in zip(batch.columns, columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=given)

    return Result(given, batches)


def stream(on: Conversation, ready: Ready, passing: Sequence[Passing]) -> Result:
    """DATA's rows with their predictions, as the statement passes them on."""
    kept = [one.data for one in passing if one.data is not None]
    carried = [(column, on.product.carried(column)) for column in kept]
    scorer = Scorer(ready.plan, ready.model, on.product, carried, ready.place)
    returned = [on.product.returned(pa.nulls(0, type_), column).type for column, type_ in carried]
    given = _schema(passing, returned)
    sql = on.write(ready.query)
    elsewhere = can_read_elsewhere(on, ready)

    def predict(batch: pa.RecordBatch) -> pa.RecordBatch:
        found, outputs = scorer(batch)
        rows = [on.product.returned(a, c) for a, c in zip(found, kept, strict=True)]
        return pa.RecordBatch.from_arrays(arranged(passing, rows, ready, outputs), schema=given)

    def batches() -> Generator[pa.RecordBatch, None, None]:
        projection = scorer.layout.projection
        rows = read(on, sql, projection.columns, projection.schema, over=not elsewhere)
        with on.steps.timed("rows through the model") as step, closing(rows):
            for batch in in_order(predict, rows):
                step.rows = (step.rows or 0) + batch.num_rows
                yield batch

    return Result(given, batches)


def _schema(passing: Sequence[Passing], returned: Sequence[pa.DataType]) -> pa.Schema:
    refuse_twice([one.name for one in passing])
    types = iter(returned)
    return pa.schema(
        [(p.name, next(types) if p.output is None else p.output.type) for p in passing]
    )


def refuse_twice(names: Sequence[str]) -> None:
    """`StatementError` where the caller could not tell two columns apart."""
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise StatementError(f"the SELECT names a column twice: {', '.join(twice)}. Use AS")


def arranged(
    passing: Sequence[Passing], kept: Sequence[pa.Array], ready: Ready, outputs: Sequence[pa.Array]
) -> list[pa.Array]:
    """Kept columns and outputs in the statement's order."""
    by_name = dict(zip((o.name for o in ready.plan.outputs), outputs, strict=True))
    rows = iter(kept)
    return [next(rows) if p.output is None else by_name[p.output.name] for p in passing]


def can_read_elsewhere(on: Conversation, ready: Ready) -> bool:
    """Whether DATA's rows are there for another connection too, which may be faster."""
    return ready.shared and not on.transactions.count


def is_read(tree: exp.Expression) -> bool:
    """Whether a statement's rows go to the caller."""
    return isinstance(tree, exp.Query) and not tree.args.get("into")


def read(
    on: Conversation,
    sql: str,
    columns: Sequence[Column],
    schema: pa.Schema,
    *,
    over: bool,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query's text, over the conversation's connection or the fastest way."""
    names = dict.fromkeys(column.name for column in columns)
    relation = textual(sql).columns(*(sa.column(name) for name in names)).subquery("result")
    selected: list[Any] = [
        on.product.project(relation.c[column.name], column, field.type).label(field.name)
        for column, field in zip(columns, schema, strict=True)
    ]
    connection = on.connection if over else None
    rows = on.product.read(
        on.engine, sa.select(*selected).select_from(relation), schema, batch_rows=_BATCH_ROWS,
        connection=connection,
    )  # fmt: skip
    with closing(rows):  # type: ignore[type-var]
        yield from rows


def in_order(work: Callable[[In], Out], items: Iterable[In]) -> Generator[Out, None, None]:
    """Each item worked on, in order, by one thread a core, with few on the way."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(bridge.workers(), thread_name_prefix="sqlscore-predict") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * bridge.workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
