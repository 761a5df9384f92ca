"""What scikit-learn, LightGBM and XGBoost make: how much of it compiles, and that it agrees."""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from skl2onnx._supported_operators import build_sklearn_operator_name_map

import sqlscore
from sqlscore import pushdown
from sqlscore.errors import SqlscoreError
from sqlscore.products.expressions import EXPRESSIONS
from sqlscore.types import is_list
from tests.pushdown import boosters, recipes, recipes_composed, recipes_of_others
from tests.pushdown.estimators import PLAIN, POSITIVE, Recipe, converted, table
from tests.pushdown.judge import DATABASE_ERRORS, EDGES, Rows, counted, thresholds

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.databases import Database
    from tests.pushdown.libraries import Library

DIALECTS = ("postgres", "duckdb", "sqlite", "mysql", "tsql")
NAMES = ["a", "b", "c"]
WHOLE = (0, 1, 2, 3, None)
TEXTS = ("Bern", "bern", "Genève", "it's", "", "BERN", "bern ")
#: of sums of a few hundred, whose terms ONNX Runtime adds in an order of its own
RELATIVE = 2e-6
#: where all models are asked; on products with a server, as many as it takes for each operator
EMBEDDED = {"sqlite", "duckdb", "clickhouse", "spark"}
MOST = 300  #: hard values of one feature
RECIPES: dict[str, Recipe] = {
    **recipes.RECIPES,
    **recipes_composed.RECIPES,
    **recipes_of_others.RECIPES,
}


@cache
def made(name: str) -> bytes:
    """The model of a recipe, or of a booster's objective."""
    library, _, objective = name.partition(" ")
    if library in boosters.MAKE:
        return boosters.MAKE[library](objective)
    return converted(RECIPES[name])


@cache
def _loaded(name: str, *, arrays: bool) -> sqlscore.Model:
    return sqlscore.load(made(name), **_options(name, arrays=arrays))


@cache
def _options(name: str, *, arrays: bool) -> dict[str, Any]:
    """The features' names; a name for a score of each list, on products without arrays."""
    recipe = RECIPES.get(name)
    block = recipe is None or recipe.rows in {PLAIN, POSITIVE}
    options: dict[str, Any] = {"features": NAMES} if block else {}
    if recipe is not None and recipe.drop:
        options["drop"] = recipe.drop
    predictions = sqlscore.load(made(name), **options).signature.predictions
    lists = [p for p in predictions if is_list(p.type)]
    if lists and not arrays:
        options["outputs"] = {f"score{i}": f"{p.output}[0]" for i, p in enumerate(lists)}
    return options


def _refused(name: str, dialect: str) -> str:
    """The first operator that has no SQL form, the step before that fails, or nothing."""
    facts = EXPRESSIONS[dialect]
    try:
        made(name)
    except (RuntimeError, NotImplementedError, ValueError):
        return "the converter"
    model = _loaded(name, arrays=facts.arrays)
    missing = pushdown.missing(model.graph, model.signature, facts)
    return missing[0].operator or missing[0].node if missing else ""


def test_every_estimator_of_the_converter_has_a_recipe() -> None:
    known = {estimator.__name__ for estimator in build_sklearn_operator_name_map()}
    assert {name.partition(",")[0] for name in RECIPES} == known - recipes_composed.NO_TABLES


def test_what_compiles(capsys: pytest.CaptureFixture[str]) -> None:
    expected = {name: recipe.refused for name, recipe in RECIPES.items()}
    expected |= dict.fromkeys(boosters.NAMES, "")
    kinds = {_form(name): name for name in expected}
    found = {}
    for dialect in DIALECTS:
        refused = {form: _refused(name, dialect) for form, name in kinds.items()}
        found[dialect] = {name: refused[_form(name)] for name in expected}
    told = ", ".join(f"{Counter(one.values())['']} on {d}" for d, one in found.items())
    with capsys.disabled():
        sys.stdout.write(f"\nof {len(expected)} estimators and objectives compile: {told}\n")
    wrong = [
        f"{name} on {dialect}: {why!r}, expected {expected[name]!r}"
        for dialect, one in found.items()
        for name, why in one.items()
        if why != expected[name]
    ]
    assert not wrong, "\n".join(wrong)


@cache
def _form(name: str) -> tuple[Any, ...]:
    """What two models have in common that differ in numbers alone."""
    nodes = onnx.ModelProto.FromString(made(name)).graph.node
    kinds = tuple((n.op_type, tuple(sorted(a.name for a in n.attribute))) for n in nodes)
    return (RECIPES[name].rows if name in RECIPES else PLAIN, *kinds)


@cache
def _different() -> list[str]:
    """A model of each form that compiles."""
    names = [*(name for name, recipe in RECIPES.items() if not recipe.refused), *boosters.NAMES]
    return list({_form(name): name for name in reversed(names)}.values())


@cache
def _covering() -> list[str]:
    """As many of them as it takes for each operator, with the attributes that it has there."""
    wanted = {part for name in _different() for part in _form(name)}
    found: list[str] = []
    while wanted:
        found.append(max(_different(), key=lambda name: len(wanted & set(_form(name)))))
        wanted -= set(_form(found[-1]))
    return found


def _tables(database: Database | Library) -> dict[bool, Rows]:
    """Rows around all thresholds, and (False) those with values at the edges of float32 too."""
    x = table()[0].astype(np.float64)
    hard: list[list[np.ndarray]] = [[np.array([])] for _ in NAMES]
    for name in _different():
        for feature, values in enumerate(thresholds(made(name))):
            hard[feature % len(NAMES)].append(values)
    draw = np.random.default_rng(5)
    found = {}
    for tame in (True, False):
        blocks = [x]
        for feature, one in enumerate(hard):
            some = draw.permutation(np.unique(np.concatenate(one)))[:MOST]
            some = some if tame else np.concatenate([some[: MOST // 3], EDGES])
            blocks.append(x[draw.integers(0, len(x), len(some))])
            blocks[-1][:, feature] = some
        whole = np.concatenate(blocks)
        columns: dict[str, Any] = dict(zip(NAMES, whole.T.tolist(), strict=True))
        columns["n"] = [WHOLE[i % len(WHOLE)] for i in range(len(whole))]
        columns["t"] = [TEXTS[i % len(TEXTS)] for i in range(len(whole))]
        nulls = [(3, "a"), (4, "b"), (5, "c")]
        found[tame] = Rows.store(database, columns, nulls=nulls, table=f"tame_{int(tame)}")
    return found


def _wrong(name: str, tables: dict[bool, Rows]) -> str | None:
    recipe = RECIPES.get(name, Recipe(make=dict))
    rows = tables[recipe.tame]
    try:
        options = _options(name, arrays=rows.database.product.arrays)
        answers = rows.ask(made(name), **options)
        answers.assert_close(RELATIVE, recipe.bound)
    except (AssertionError, SqlscoreError, *DATABASE_ERRORS) as error:
        return f"{name}: {error!r:.400}"
    return None


def wrong_estimators(database: Database | Library) -> str:
    """The models with which a database gives other values than ONNX Runtime."""
    tables = _tables(database)
    names = _different() if database.name in EMBEDDED else _covering()
    return counted([_wrong(name, tables) for name in names])


def test_they_give_what_onnx_runtime_gives(database: Database) -> None:
    wrong = wrong_estimators(database)
    assert not wrong, wrong
