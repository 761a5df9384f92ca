"""Measures what things cost on a database: on a table that is made for it, and dropped again.

Each is the fastest of several tries, as what else the machine does only makes it slower.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlscore.costs import samples
from sqlscore.costs.bench import (
    ROWS,
    Bench,
    fastest,
    features_of,
    filled,
    per,
    row_and_value,
    rows_of,
    seconds,
    staged,
    table,
)
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
    with table(bench.engine, bench.product, two) as made:
        narrow = made.seconds
    row, value = row_and_value(narrow, wide, rows.num_columns - 1, bench.rows)
    found = {"write_row": row, "write_value": value}
    for what, work in (("stage", staged), ("fill", filled)):
        row, value = row_and_value(work(bench, 1), work(bench, _NUMBERS), _NUMBERS, bench.rows)
        found |= {f"{what}_row": row, f"{what}_value": value}
    return found


def _read(bench: Bench) -> dict[str, float]:
    """A row and a value on their way here, by the fastest reader and over a connection."""
    rows_of(bench, 1, None, most=1)  # a reading process starts once
    start = fastest(lambda: rows_of(bench, 1, None, most=1))
    one, many = (fastest(partial(rows_of, bench, n, None)) for n in (1, _NUMBERS))
    read = row_and_value(one - start, many - start, _NUMBERS, bench.rows)
    with bench.engine.connect() as connection:
        one, many = (fastest(partial(rows_of, bench, n, connection)) for n in (1, _NUMBERS))
    fetch = row_and_value(one, many, _NUMBERS, bench.rows)
    return {
        "start": start, "read_row": read[0], "read_value": read[1], "fetch_row": fetch[0],
        "fetch_value": fetch[1],
    }  # fmt: skip


def _in_sql(bench: Bench, scans: dict[str, float]) -> dict[str, float]:
    """What a model costs as SQL."""
    tuning = bench.product.tuning
    row, value = scans["scan_row"], scans["scan_value"]
    forest = samples.forest(_TREES, _DEPTH)
    trees = _run(bench, forest, *bench.alone)
    terms = _run(bench, samples.linear(), *bench.alone)
    layer = _run(bench, samples.layered(), *bench.alone)
    curves = _run(bench, samples.curved(), *bench.alone)
    words = _run(bench, samples.encoded(), *bench.alone)
    spread = _run(bench, forest, *tuning.no_jit)
    start = bench.query(bench.compiled(samples.linear(), none=True), *bench.alone)
    look = bench.rows * (row + _NUMBERS * value)
    found = {
        "plan_start": start,
        "plan_leaf": per(_planned(bench, samples.forest(_MANY)), _MANY * 2**_DEPTH),
        "sql_visit": per(trees - look, bench.rows * _TREES * _DEPTH),
        "sql_weight": per(terms - look, bench.rows * _NUMBERS),
        "sql_term": per(layer - terms, bench.rows * _MORE),
        "sql_call": per(curves - terms, bench.rows * _NUMBERS),
        "sql_lookup": per(words - bench.rows * (row + value), bench.rows * samples.CATEGORIES),
        "parallel": max(trees / max(spread, 1e-6), 1.0),
    }
    if tuning.jit:
        whole = bench.compiled(forest)
        jitted = bench.query(whole, *tuning.serial, *tuning.jit)
        found["jit_leaf"] = per(jitted - bench.query(whole, *bench.alone), _TREES * 2**_DEPTH)
    return found


def _run(bench: Bench, model: ModelProto, *settings: str) -> float:
    """What a model takes over all rows, without its planning, which is there without a row too."""
    whole = bench.query(bench.compiled(model), *settings)
    return max(whole - bench.query(bench.compiled(model, none=True), *settings), 0.0)


def _planned(bench: Bench, model: ModelProto) -> float:
    """From a model to its first row: compiled here, planned there."""
    compiled: list[exp.Expression] = []
    here = seconds(lambda: compiled.append(bench.compiled(model, none=True)))
    return here + bench.query(compiled[0], *bench.alone)


def _scored(rows: pa.RecordBatch) -> dict[str, float]:
    """What ONNX Runtime takes, with the tensors around it, on one thread."""
    kinds = (samples.linear, samples.layered, samples.curved, samples.encoded)
    terms, layer, curves, words = (_predicted(make(), rows) for make in kinds)
    trees, count = _predicted(samples.forest(_TREES, _DEPTH), rows), rows.num_rows
    term = per(layer - terms, count * _MORE)
    one = _predicted(samples.linear(1), rows)
    row, value = row_and_value(one, terms - count * _NUMBERS * term, _NUMBERS, count)
    return {
        "ort_row": row, "ort_value": value, "ort_term": term,
        "ort_visit": per(trees - terms, count * _TREES * _DEPTH),
        "ort_call": per(curves - terms, count * _NUMBERS),
        "ort_lookup": per(words - count * (row + value), count * samples.CATEGORIES),
    }  # fmt: skip


def _predicted(proto: ModelProto, rows: pa.RecordBatch) -> float:
    predictor = load(proto, features=features_of(proto)).predictor()
    given = rows.select(predictor.feature_names)
    return fastest(lambda: predictor(given))
