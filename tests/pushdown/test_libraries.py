"""Models as SQL on ClickHouse and Spark, for real, judged by ONNX Runtime."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import sqlscore
from sqlscore.model.compiling import compile
from sqlscore.products.expressions import EXPRESSIONS
from tests.fixtures import scoring
from tests.pushdown.judge import PROBABILITY, Rows
from tests.pushdown.libraries import NEEDS, Library, missing, running
from tests.pushdown.test_estimators import wrong_estimators
from tests.pushdown.test_models import ENSEMBLES, assert_ensemble
from tests.pushdown.test_operators import wrong_operators

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=NEEDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    name: str = request.param
    if reason := missing(name):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running(name, tmp_path_factory.mktemp(name)) as found:
        yield found


def test_operators_give_what_onnx_runtime_gives(place: Library) -> None:
    wrong = wrong_operators(place)
    assert not wrong, wrong


def test_estimators_give_what_onnx_runtime_gives(place: Library) -> None:
    wrong = wrong_estimators(place)
    assert not wrong, wrong


def test_a_view_has_what_the_select_gives(place: Library) -> None:
    spend = [1.5, float("nan"), 2.0, float("inf")]
    columns: dict[str, list[Any]] = {"age": [31, 47, None, 64], "spend": spend}
    rows = Rows.store(place, columns)
    model = sqlscore.load(scoring.WEIGHED, features=scoring.FEATURES)
    written = partial(compile, model, dialect=place.name, table=rows.table, key="id")
    place.tell(statement=written(form="view", name="scored"))
    found = place.ask("SELECT * FROM scored ORDER BY id")
    assert [score is None for _, score in found] == [False, False, True, False]
    assert str(found) == str(sorted(place.ask(written())))
    rows.ask(scoring.WEIGHED, features=scoring.FEATURES).assert_equal(PROBABILITY)


def test_ensembles_take_the_same_leaf_always(place: Library) -> None:
    for name in ENSEMBLES:
        assert_ensemble(place, name, exact=EXPRESSIONS[place.name].real)
