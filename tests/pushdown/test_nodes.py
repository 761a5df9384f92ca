"""The onnx package's own tests of the operators that have a SQL form, over columns of a table."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

import sqlscore
from sqlscore.errors import PushdownUnsupported, SqlscoreError
from tests.pushdown import node_cases
from tests.pushdown.judge import DATABASE_ERRORS, Rows

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.databases import Database

RELATIVE, ABSOLUTE = 2e-6, 1e-6
#: on products with a server only an operator's first test, and all of machine learning
EMBEDDED = {"sqlite", "duckdb"}
#: of how many the SQL gives what ONNX Runtime gives; a newer onnx may have more of them
LEAST, LEAST_ON_SERVERS = 187, 67


def _options(case: node_cases.NodeCase, database: Database) -> dict[str, Any]:
    """The features' names; a name for each value of a list, on products without arrays."""
    block = max(case.widths.values()) > 1
    options: dict[str, Any] = {"features": case.features} if block else {}
    if not database.product.arrays and max(case.sizes.values()) > 1:
        options["outputs"] = {
            f"{y}{i}": f"{y}[{i}]" for y, size in case.sizes.items() for i in range(size)
        }
    return options


def _outcome(case: node_cases.NodeCase, database: Database, table: str) -> str:
    """``equal``, ``refused``, ``left out`` for types that no column has, or what is wrong."""
    try:
        sqlscore.load(case.model, **_options(case, database))
        rows = Rows.store(database, case.columns, table=table)
    except (SqlscoreError, pa.ArrowException):
        return "left out"
    try:
        rows.ask(case.model, **_options(case, database)).assert_close(RELATIVE, ABSOLUTE)
    except PushdownUnsupported:
        return "refused"
    except InvalidArgument:  # with its further dimensions side by side it is no model any more
        return "left out"
    except (AssertionError, SqlscoreError, *DATABASE_ERRORS) as error:
        return f"{error!r:.300}"
    return "equal"


def test_the_tests_of_onnx(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    embedded = database.name in EMBEDDED
    cases = [case for case in node_cases.cases() if embedded or case.first]
    found = {case.name: _outcome(case, database, f"t{i}") for i, case in enumerate(cases)}
    counts = Counter(found.values())
    known = ("equal", "refused", "left out")
    with capsys.disabled():
        told = ", ".join(f"{counts[one]} {one}" for one in known)
        sys.stdout.write(f"\n{database.name}: tests of onnx: {told}\n")
    wrong = [f"{name}: {outcome}" for name, outcome in found.items() if outcome not in known]
    assert not wrong, "\n".join(wrong)
    assert counts["equal"] >= (LEAST if embedded else LEAST_ON_SERVERS)
