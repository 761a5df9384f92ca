"""The million rows: 20 doubles, an integer key, two text columns, one column with NULLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from sqlscore.products import engine_for, product_for
from sqlscore.products.product import Write
from sqlscore.relations import sink
from sqlscore.relations.fitting import Wanted
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlscore.products.product import Product

TABLE = "features"
KEY = "id"
NUMBERS = tuple(f"f{i}" for i in range(20))
TEXT = ("city", "plan")
NULLABLE = "balance"

_CITIES = tuple(f"city {i}" for i in range(25))
_PLANS = tuple(f"plan {i}" for i in range(10))
_AT_ONCE = 65_536

#: what is to be done with a table that was just filled, so that the first who reads it pays no more
_SETTLE = {"postgresql": "VACUUM ANALYZE {}", "mysql": "ANALYZE TABLE {}"}


def made(count: int, *, seed: int = 0, first: int = 0) -> pa.Table:
    """So many rows, drawn; one in ten has no balance."""
    draw = np.random.default_rng([seed, first])
    arrays = {KEY: pa.array(np.arange(first, first + count))}
    arrays |= {name: pa.array(draw.standard_normal(count)) for name in NUMBERS}
    for name, words in zip(TEXT, (_CITIES, _PLANS), strict=True):
        picked = draw.integers(len(words), size=count)
        arrays[name] = pa.DictionaryArray.from_arrays(picked, list(words)).cast(pa.string())
    balance = draw.normal(100, 30, count)
    arrays[NULLABLE] = pa.array(balance, mask=draw.random(count) < 0.1)
    return pa.table(arrays)


def load(url: str, count: int) -> None:
    """Make the table and fill it."""
    for first in range(0, count, 20 * _AT_ONCE):
        piece = made(min(20 * _AT_ONCE, count - first), first=first)
        fill(url, TABLE, KEY, piece, create=first == 0)
    settle(url, TABLE)


def fill(url: str, name: str, key: str, table: pa.Table, *, create: bool = True) -> None:
    """Write rows to a table, which is made first unless it is there."""
    engine = engine_for(url)
    product = product_for(engine)
    columns = tuple(_column(product, field, key) for field in table.schema)
    wanted = Wanted(
        key=tuple(c for c in columns if c.name == key),
        passed=tuple(c for c in columns if c.name != key),
        predictions=(),
    )
    target = sink.design(product, name, wanted)
    with product.unit(engine, None) as unit:
        if create:
            sink.make(unit, target)
            unit.commit()
    with product.unit(engine, None) as unit:
        unit.write(target, table.to_batches(max_chunksize=_AT_ONCE), Write.INSERT)
        unit.commit()
    engine.dispose()


def _column(product: Product, field: pa.Field, key: str) -> Column:
    keyed = field.name == key
    declare = (product.declare_key if keyed else None) or product.declare
    return Column(
        name=field.name, type=field.type, declared=declare(field.type), nullable=not keyed
    )


def settle(url: str, name: str) -> None:
    """Let the database do now what it would do when the table is first read."""
    engine = sa.create_engine(engine_for(url).url, isolation_level="AUTOCOMMIT")
    statement = _SETTLE.get(engine.dialect.name)
    if statement:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement.format(name))
    engine.dispose()


def double(url: str, count: int) -> None:
    """Add as many rows again as there are, made by the database."""
    engine = engine_for(url)
    names = [KEY, *NUMBERS, *TEXT, NULLABLE]
    table = sa.table(TABLE, *(sa.column(name) for name in names))
    again = sa.select(table.c[KEY] + count, *(table.c[name] for name in names[1:]))
    with engine.begin() as connection:
        connection.execute(sa.insert(table).from_select(names, again))
    engine.dispose()
    settle(url, TABLE)
