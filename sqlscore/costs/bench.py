"""A table that is made in a database to time things on, and the timing."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from sqlscore import pushdown
from sqlscore.costs import samples
from sqlscore.model import load
from sqlscore.products.expressions import expressions_for
from sqlscore.products.product import Write
from sqlscore.relations import sink
from sqlscore.relations.selects import textual
from sqlscore.transports.failures import translated
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onnx import ModelProto

    from sqlscore.products.product import Product, Target

ROWS = 50_000
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

    return seconds(write)


class Bench:
    """Times queries on the table, each the fastest of several tries."""

    def __init__(self, engine: sa.Engine, product: Product, target: Target, rows: int) -> None:
        self.engine, self.product, self.target, self.rows = engine, product, target, rows

    def query(self, tree: exp.Expression, *settings: str) -> float:
        """Seconds of a query with one row, with settings for its transaction alone."""
        text = tree.sql(dialect=self.product.dialect, unsupported_level=ErrorLevel.RAISE)
        with translated("measuring", url=self.engine.url), self.engine.connect() as connection:
            for setting in settings:
                connection.execute(sa.text(setting))
            return fastest(lambda: connection.execute(textual(text)).all())

    def columns(self, count: int) -> float:
        """Seconds to look at some columns of every row."""
        least = [exp.Min(this=_column(name)) for name in samples.NUMBERS[:count]]
        return self.query(exp.select(*least).from_(self.relation()), *self.alone)

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


def staged(bench: Bench, count: int) -> float:
    """Seconds to copy the key and some numbers into a temporary table."""
    names = (samples.KEY, *samples.NUMBERS[:count])
    columns = [c for c in bench.target.columns if c.name in names]
    mark = "#" if bench.product.t_sql else ""
    name = f"{mark}{bench.target.table.name}_{count}"
    temporary = sink.described((name, None), columns, ())
    if not bench.product.t_sql:
        temporary.table._prefixes = ["TEMPORARY"]
    with translated("measuring", url=bench.engine.url), bench.engine.connect() as connection:
        connection.execute(sa.schema.CreateTable(temporary.table))
        given = sa.select(*(bench.target.table.c[c.name] for c in columns))
        insert = temporary.table.insert().from_select([c.name for c in columns], given)
        took = seconds(lambda: connection.execute(insert))
        temporary.table.drop(connection)
        connection.rollback()
    return took


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
        return seconds(lambda: _done(bench, insert))
    finally:
        with translated("dropping it again", url=bench.engine.url), bench.engine.begin() as opened:
            target.table.drop(opened, checkfirst=True)


def _done(bench: Bench, statement: sa.Executable) -> None:
    with bench.product.unit(bench.engine, None) as unit:
        unit.execute(statement)
        unit.commit()


def rows_of(
    bench: Bench, count: int, connection: sa.Connection | None, most: int | None = None
) -> int:
    """Read some numbers of every row, or of those with the least keys; how many there were."""
    columns = {c.name: c for c in bench.target.columns}
    chosen = [columns[name] for name in samples.NUMBERS[:count]]
    relation = sink.relation(bench.target)
    schema = pa.schema([(c.name, pa.float64()) for c in chosen])
    selected: list[Any] = [
        bench.product.project(relation.c[c.name], c, pa.float64()).label(c.name) for c in chosen
    ]
    query = sa.select(*selected).select_from(relation)
    if most is not None:
        query = query.where(relation.c[samples.KEY] < sa.literal_column(str(most)))
    batches = bench.product.read(
        bench.engine, query, schema, batch_rows=16_384, connection=connection
    )
    return sum(batch.num_rows for batch in batches)


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest try."""
    return min(seconds(work) for _ in range(_TRIES))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def per(took: float, count: float) -> float:
    """Seconds for one of them; a difference of two times may be nothing, and never less."""
    return max(took / count, 1e-10)


def row_and_value(one: float, many: float, values: int, rows: int) -> tuple[float, float]:
    """Seconds for a row and for a value, from those for all rows with one value and with many."""
    value = per(many - one, rows * (values - 1))
    return per(one - rows * value, rows), value
