"""Every operator, on the same hard rows of every database, judged by ONNX Runtime."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

import sqlscore
from sqlscore.errors import SqlscoreError
from sqlscore.pushdown.operators.table import ML, OPERATORS
from tests.fixtures import models
from tests.pushdown import operator_cases, operator_cases_ml
from tests.pushdown.judge import DATABASE_ERRORS, EDGES, Rows, counted

if TYPE_CHECKING:
    from tests.fixtures.databases import Database
    from tests.pushdown.cases import Case
    from tests.pushdown.libraries import Library

#: of a value; a float32 holds 24 bits, and ONNX Runtime's own functions lose two or three of them
RELATIVE, ABSOLUTE = 2e-6, 5e-7

CASES: dict[tuple[str, str], tuple[Case, ...]] = {**operator_cases.CASES, **operator_cases_ml.CASES}

#: operators whose models are trained, or whose cases are made node by node
ELSEWHERE = {("", "Scan"), *((ML, f"TreeEnsemble{of}") for of in ("", "Classifier", "Regressor"))}


TAME = (*np.linspace(-3, 3, 25).tolist(), 0.0, -0.0, 0.5, 1.5, 20.0, -20.0, 5e-324)
HARD = (*EDGES, 0.1, 0.10000000149011612, 0.10000000894069672, 88.0, -88.0, 104.0, 300.0, -1e5)
TEXTS = ("Bern", "bern", "bern ", "BERN", "ü", "Genève", "", "it's", None)
WHOLE = (0, 1, 2, 3, -3, 2**31, -(2**53), 16777217, None)


def _columns(floats: tuple[float, ...]) -> dict[str, list[Any]]:
    """Each float with plain neighbours, in each column."""
    draw = np.random.default_rng(1)
    block = draw.choice(np.linspace(-2, 2, 9), (3 * len(floats) + 6, 3))
    for i, value in enumerate(floats):
        for column in range(3):
            block[3 * i + column, column] = value
    rows = len(block)
    return {
        **dict(zip("abc", block.T.tolist(), strict=True)),
        "n": [WHOLE[i % len(WHOLE)] for i in range(rows)],
        "t": [TEXTS[i % len(TEXTS)] for i in range(rows)],
    }


def _wrong(rows: Rows, case: Case) -> str | None:
    outputs, body = re.split(r"(?=[<{])", case.body, maxsplit=1)
    options: dict[str, Any] = {"features": list("abc")} if " x" in case.inputs else {}
    if not rows.database.product.arrays and "label" not in outputs:
        wide = re.findall(r"N,(\d+)\] (\w+)", outputs)
        options["outputs"] = {
            f"{y}{i}": f"{y}[{i}]" for width, y in wide for i in range(int(width))
        }
    try:
        opsets = f'"" : {case.opset}, "ai.onnx.ml" : 3'
        head = f"<ir_version: 10, opset_import: [{opsets}]>"
        model = models.written(f"{head} g ({case.inputs}) => ({outputs}) {body}")
        rows.ask(model, **options).assert_close(RELATIVE, ABSOLUTE)
    except (AssertionError, SqlscoreError, *DATABASE_ERRORS) as error:
        return f"{' '.join(case.body.split())}: {error!r:.400}"
    return None


def test_every_operator_has_rows() -> None:
    assert {*CASES, *ELSEWHERE} == {*OPERATORS}


def wrong_operators(database: Database | Library) -> str:
    """The cases in which a database gives other values than ONNX Runtime."""
    nulls = [(0, "a"), (1, "b"), (2, "c")]
    tame = Rows.store(database, _columns(TAME), nulls=nulls, table="tame")
    hard = Rows.store(database, _columns((*TAME, *HARD)), nulls=nulls, table="hard")
    return counted([_wrong(tame if c.tame else hard, c) for cases in CASES.values() for c in cases])


def test_every_operator_gives_what_onnx_runtime_gives(database: Database) -> None:
    wrong = wrong_operators(database)
    assert not wrong, wrong


def test_a_row_of_no_category_has_no_prediction(database: Database) -> None:
    rows = Rows.store(database, {"t": ["a", "b", "A", None, "c"]})
    body = """{ z = ai.onnx.ml.OneHotEncoder <cats_strings = ["a", "b"], zeros = 0> (t)
        y = Reshape(z, s) }"""
    model = models.written(f"g (string[N,1] t) => (float[N,2] y) <int64[2] s = {{-1, 2}}> {body}")
    loaded = sqlscore.load(model, outputs={"first": "y[0]", "second": "y[1]"})
    assert rows.selected(loaded) == [[1, 0, None, None, None], [0, 1, None, None, None]]
