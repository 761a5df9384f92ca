"""Measures what things cost on a database: on a table that is made for it, and dropped again.

Each is the fastest of several tries, as what else the machine does only makes it slower.
"""

from __future__ import annotations

import os
from functools import partial
from time import process_time
from typing import TYPE_CHECKING

from sqlscore.costs import samples
from sqlscore.costs.bench import (
    ROWS,
    Bench,
    fastest,
    features_of,
    per,
    row_and_value,
    rows_of,
    seconds,
    table,
)
from sqlscore.costs.copies import filled, put, staged
from sqlscore.errors import DatabaseError
from sqlscore.model import load
from sqlscore.products.expressions import expressions_for

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from onnx import ModelProto
    from sqlglot import exp

    from sqlscore.products.product import Product

_TREES = 20  #: of the forest whose visits are timed
_MANY = 60  #: trees of the one whose planning is
_DEPTH = 5
_NUMBERS = len(samples.NUMBERS)
#: multiply-adds that a layer has more than a linear model, with one a unit for Relu
_MORE = (_NUMBERS + 2) * samples.UNITS - _NUMBERS


def measured(engine: sa.Engine, product: Product, count: int = ROWS) -> dict[str, float]:
    """The constants of `costs.Costs`, by name; those of SQL only where a model compiles to it.

    Raises `DatabaseError` where no table can be made.
    """
    rows = samples.rows(count)
    with table(engine, product, rows) as made:
        bench = Bench(engine, product, made.target, count)
        found = {**_written(bench, rows, made.seconds), **_read(bench), **_scored(rows)}
        try:
            expressions_for(product.dialect)
        except DatabaseError:
            return found
        scans = bench.scans()
        return {**found, **scans, **_in_sql(bench, scans)}


def _written(bench: Bench, rows: pa.RecordBatch, wide: float) -> dict[str, float]:
    """A row and a value on their way back, and from a query into tables inside."""
    two = rows.select([samples.KEY, samples.NUMBERS[0]])
    numbers = rows.select([samples.KEY, *samples.NUMBERS])
    with table(bench.engine, bench.product, two) as made:
        narrow = made.seconds
    row, value = row_and_value(narrow, wide, rows.num_columns - 1, bench.rows)
    found = {"write_row": row, "write_value": value}
    row, value = row_and_value(put(bench, two), put(bench, numbers), _NUMBERS, bench.rows)
    found |= {"put_row": row, "put_value": value}
    for what, work in (("stage", staged), ("fill", filled)):
        row, value = row_and_value(work(bench, 1), work(bench, _NUMBERS), _NUMBERS, bench.rows)
        found |= {f"{what}_row": row, f"{what}_value": value}
    return found


def _read(bench: Bench) -> dict[str, float]:
    """A row and a value on their way here, by the fastest reader and over a connection."""
    first, every = samples.NUMBERS[:1], samples.NUMBERS
    rows_of(bench, first, most=1)  # a reading process starts once
    start = fastest(lambda: rows_of(bench, first, most=1))
    one, many, text = (
        fastest(partial(rows_of, bench, names)) for names in (first, every, [samples.TEXT])
    )
    read = row_and_value(one - start, many - start, _NUMBERS, bench.rows)
    with bench.engine.connect() as connection:
        one_here, many_here = (
            fastest(partial(rows_of, bench, names, connection), bench.clock)
            for names in (first, every)
        )
    fetch = row_and_value(one_here, many_here, _NUMBERS, bench.rows)
    return {
        "start": start, "read_row": read[0], "read_value": read[1],
        "read_text": per(text - one, bench.rows), "fetch_row": fetch[0], "fetch_value": fetch[1],
    }  # fmt: skip


def _in_sql(bench: Bench, scans: dict[str, float]) -> dict[str, float]:
    """What a model costs as SQL."""
    row, value = scans["scan_row"], scans["scan_value"]
    forest = samples.forest(_TREES, _DEPTH)
    trees = _run(bench, forest, *bench.alone)
    terms = _run(bench, samples.linear(), *bench.alone)
    layer = _run(bench, samples.layered(), *bench.alone)
    curves = _run(bench, samples.curved(), *bench.alone)
    words = _run(bench, samples.encoded(), *bench.alone)
    spread = bench.query(
        bench.compiled(forest), *bench.product.tuning.no_jit, clock=bench.clock_of_share
    )
    start = bench.query(bench.compiled(samples.linear(), none=True), *bench.alone)
    look = bench.rows * (row + _NUMBERS * value)
    compiling, planning = _planned(bench, samples.forest(_MANY))
    return {
        "plan_start": start,
        "plan_leaf": per(planning - start, _MANY * 2**_DEPTH),
        "compile_leaf": per(compiling, _MANY * 2**_DEPTH),
        "sql_visit": per(trees - look, bench.rows * _TREES * _DEPTH),
        "sql_weight": per(terms - look, bench.rows * _NUMBERS),
        "sql_term": per(layer - terms, bench.rows * _MORE),
        "sql_call": per(curves - terms, bench.rows * _NUMBERS),
        "sql_lookup": per(words - bench.rows * (row + value), bench.rows * samples.CATEGORIES),
        "parallel": min(max(trees / spread, 1.0), float(os.cpu_count() or 1)),
    }


def _run(bench: Bench, model: ModelProto, *settings: str) -> float:
    """What a model takes over all rows, without its planning, which is there without a row too."""
    whole = bench.query(bench.compiled(model), *settings)
    return max(whole - bench.query(bench.compiled(model, none=True), *settings), 0.0)


def _planned(bench: Bench, model: ModelProto) -> tuple[float, float]:
    """From a model to its first row: compiled here, and planned there."""
    compiled: list[exp.Expression] = []
    here = seconds(lambda: compiled.append(bench.compiled(model, none=True)), process_time)
    return here, bench.query(compiled[0], *bench.alone)


def _scored(rows: pa.RecordBatch) -> dict[str, float]:
    """What ONNX Runtime takes, with the tensors around it, on one thread."""
    kinds = (samples.linear, samples.layered, samples.curved, samples.encoded)
    terms, layer, curves, words = (_predicted(make(), rows) for make in kinds)
    trees, count = _predicted(samples.forest(_TREES, _DEPTH), rows), rows.num_rows
    classes = _predicted(samples.classified(), rows)
    term = per(layer - terms, count * _MORE)
    one, word = _predicted(samples.linear(1), rows), _predicted(samples.encoded(1), rows)
    row, value = row_and_value(one, terms - count * _NUMBERS * term, _NUMBERS, count)
    lookup = per(words - word, count * (samples.CATEGORIES - 1))
    return {
        "ort_row": row, "ort_value": value, "ort_term": term,
        "ort_output": per(classes - terms, count * samples.MORE_OUTPUTS),
        "ort_visit": per(trees - terms, count * _TREES * _DEPTH),
        "ort_call": per(curves - terms, count * _NUMBERS),
        "ort_lookup": lookup, "ort_text": per(word - count * (row + value), count),
    }  # fmt: skip


def _predicted(proto: ModelProto, rows: pa.RecordBatch) -> float:
    predictor = load(proto, features=features_of(proto)).predictor()
    given = rows.select(predictor.feature_names)
    return fastest(lambda: predictor(given), process_time)
