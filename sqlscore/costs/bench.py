"""A table that is made in a database to time things on, and the timing."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from sqlscore import pushdown
from sqlscore.costs import samples
from sqlscore.model import load
from sqlscore.products.expressions import expressions_for
from sqlscore.products.product import Write
from sqlscore.pushdown.sql.arithmetic import added
from sqlscore.relations import sink
from sqlscore.relations.selects import textual
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onnx import ModelProto

    from sqlscore.products.product import Product, Target

ROWS = 50_000
Clock: TypeAlias = "Callable[[], float]"  #: seconds
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Made:
    """A table with its rows."""

    target: Target
    seconds: float  #: to write its rows


@contextmanager
def table(engine: sa.Engine, product: Product, rows: pa.RecordBatch) -> Iterator[Made]:
    """A table with these rows, which is gone afterwards."""
    columns = [
        Column(name=f.name, type=f.type, declared=product.declare(f.type)) for f in rows.schema
    ]
    name = f"sqlscore_calibration_{secrets.token_hex(4)}"
    target = sink.described((name, None), columns, columns[:1])
    try:
        with product.unit(engine, None) as unit:
            sink.make(unit, target)
            unit.commit()
        yield Made(target, _written(engine, product, target, rows))
    finally:
        with translated("dropping it again", url=engine.url), engine.begin() as connection:
            target.table.drop(connection, checkfirst=True)


def _written(engine: sa.Engine, product: Product, target: Target, rows: pa.RecordBatch) -> float:
    def write() -> None:
        with product.unit(engine, None) as unit:
            unit.write(target, [rows], Write.INSERT)
            unit.commit()

    return seconds(write, clock_of(product))


def clock_of(product: Product) -> Clock:
    """What is measured by: processor time, where the database is no process of its own.

    It is the same while other programs run; of a server nobody knows it.
    """
    return time.perf_counter if product.server else time.process_time


class Bench:
    """Times queries on the table, each the fastest of several tries."""

    def __init__(self, engine: sa.Engine, product: Product, target: Target, rows: int) -> None:
        self.engine, self.product, self.target, self.rows = engine, product, target, rows
        self.clock = clock_of(product)
        #: of a query on all cores: this thread does its share of it
        self.clock_of_share = time.perf_counter if product.server else time.thread_time

    def query(self, tree: exp.Expression, *settings: str, clock: Clock | None = None) -> float:
        """Seconds of a query with one row, with settings for its transaction alone."""
        text = tree.sql(dialect=self.product.dialect, unsupported_level=ErrorLevel.RAISE)
        with translated("measuring", url=self.engine.url), self.engine.connect() as connection:
            for setting in settings:
                connection.execute(sa.text(setting))
            return fastest(lambda: connection.execute(textual(text)).all(), clock or self.clock)

    def columns(self, count: int) -> float:
        """Seconds to look at some columns of every row, as their sum."""
        total = added([_column(name) for name in samples.NUMBERS[:count]])
        least = exp.Min(this=total)
        return self.query(exp.select(least).from_(self.relation()), *self.alone)

    @property
    def alone(self) -> Sequence[str]:
        """Settings for queries on one core, without machine code."""
        return self.product.tuning.serial + self.product.tuning.no_jit

    def relation(self) -> exp.Expression:
        """The table in a FROM."""
        return exp.table_(self.target.table.name, quoted=True)

    def scans(self) -> dict[str, float]:
        """A row and a value that the database looks at."""
        count = len(samples.NUMBERS)
        row, value = row_and_value(self.columns(1), self.columns(count), count, self.rows)
        return {"scan_row": row, "scan_value": value}

    def compiled(self, model: ModelProto, *, none: bool = False) -> exp.Select:
        """The query for a model's average prediction; over no row where `none`."""
        loaded = load(model, features=features_of(model))
        relation = self.relation()
        if none:
            nothing = exp.LT(this=_column(samples.KEY), expression=exp.Literal.number(0))
            relation = _named(exp.select("*").from_(relation).where(nothing), "d")
        compiled = pushdown.select(
            loaded.graph, loaded.signature, expressions_for(self.product.dialect),
            relation=relation, columns={n: n for n in features_of(model)}, names={"y": "p"},
        )  # fmt: skip
        return exp.select(exp.Avg(this=_column("p"))).from_(_named(compiled, "s"))


def _named(query: exp.Expression, name: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(name)))


def features_of(model: ModelProto) -> list[str]:
    """The columns that feed a model of `samples`."""
    given = model.graph.input[0]
    if given.name == "t":
        return [samples.TEXT]
    return list(samples.NUMBERS[: given.type.tensor_type.shape.dim[1].dim_value])


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def rows_of(
    bench: Bench,
    names: Sequence[str],
    connection: sa.Connection | None = None,
    most: int | None = None,
) -> int:
    """Read some columns of every row, or of those with the least keys; how many there were."""
    columns = {c.name: c for c in bench.target.columns}
    chosen = [columns[name] for name in names]
    relation = sink.relation(bench.target)
    schema = pa.schema([(c.name, c.type) for c in chosen])
    selected: list[Any] = [
        bench.product.project(relation.c[c.name], c, c.type).label(c.name) for c in chosen
    ]
    query = sa.select(*selected).select_from(relation)
    if most is not None:
        query = query.where(relation.c[samples.KEY] < sa.literal_column(str(most)))
    batches = bench.product.read(
        bench.engine, query, schema, batch_rows=16_384, connection=connection
    )
    return sum(batch.num_rows for batch in batches)


def fastest(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Seconds of the fastest try."""
    return min(seconds(work, clock) for _ in range(_TRIES))


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """How long it takes."""
    start = clock()
    work()
    return clock() - start


def per(took: float, count: float) -> float:
    """Seconds for one of them; a difference of two times may be nothing, and never less."""
    return max(took / count, 1e-10)


def row_and_value(one: float, many: float, values: int, rows: int) -> tuple[float, float]:
    """Seconds for a row and for a value, from those for all rows with one value and with many."""
    value = per(many - one, rows * (values - 1))
    return per(one - rows * value, rows), value
