"""The form of a product's table of types: what a column is declared as, and values at its edges.

`types_<database>.py` holds one product's `CASES`; `test_product.py` makes a table of them all,
adds a row of NULLs, and demands that every value comes out as it went in.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


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
