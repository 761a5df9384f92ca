"""The form of a product's table of types: what a column is declared as, and values at its edges.

`types_<database>.py` holds one product's `CASES`. The tests make a table of them all with a row of
NULLs, and demand that every value comes out as it went in.
"""

from __future__ import annotations

import importlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.contract.tables import create

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from sqlscore.products.product import Target
    from tests.fixtures.databases import Database


@dataclass(frozen=True, kw_only=True)
class TypeCase:
    """One declared type and its edge values."""

    declared: str  #: the type as DDL has it, e.g. ``numeric(10,2)``
    values: tuple[str, ...]  #: SQL expressions, each of one value; NULL is added by the test
    carried: pa.DataType  #: what `Product.carried` must say of such a column
    compare: str = "{}"  #: how a value is compared in the database; {} is the column
    number: bool = False  #: it may feed a float64 feature: the test compares with the database


def cases_for(database: str) -> tuple[TypeCase, ...]:
    """The cases of one database, by the name that its fixture has."""
    module = importlib.import_module(f"tests.contract.types_{database}")
    cases: tuple[TypeCase, ...] = module.CASES
    return cases


def source_of_all_types(database: Database) -> tuple[Target, tuple[TypeCase, ...]]:
    """A table with a column of each type; a row for each value, and one of NULLs alone."""
    cases = cases_for(database.name)
    module = importlib.import_module(f"tests.contract.types_{database.name}")
    rows = itertools.zip_longest(*(case.values for case in cases), fillvalue="NULL")
    with database.engine.begin() as connection:
        for statement in getattr(module, "PREPARE", ()):
            connection.exec_driver_sql(statement)
    columns = {"id": "bigint"} | {f"c{i}": case.declared for i, case in enumerate(cases)}
    target = create(database, "source", columns)
    with database.engine.begin() as connection:
        for number, row in enumerate([*rows, ("NULL",) * len(cases)]):
            connection.exec_driver_sql(f"INSERT INTO source VALUES ({number}, {', '.join(row)})")
    return target, cases


def differences(database: Database, cases: Sequence[TypeCase]) -> dict[str, int]:
    """The types of which `target` has other values than `source`, and for how many keys."""
    quote = database.engine.dialect.identifier_preparer.quote
    different = {}
    with database.engine.connect() as connection:
        for i, case in enumerate(cases):
            a, b = (sa.text(case.compare.format(f"{t}.{quote(f'c{i}')}")) for t in "st")
            query = (
                sa.select(sa.func.count())
                .select_from(sa.text("source s LEFT JOIN target t ON s.id = t.id"))
                .where(sa.type_coerce(a.self_group(), sa.Text()).is_distinct_from(b))
            )
            if wrong := connection.scalar(query):
                different[case.declared] = wrong
    return different
