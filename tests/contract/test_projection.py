"""Features that nothing in the model looks at are not read, and every prediction stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from skl2onnx import to_onnx
from sklearn.tree import DecisionTreeRegressor

from sqlscore.products import expressions
from tests.fixtures import models
from tests.fixtures.scoring import Shop, asked

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

FEATURES = ["f0", "f1", "f2", "f3"]
ROWS = 200
FROM = "FROM PREDICT(MODEL = tree, DATA = seen AS d)"


@pytest.fixture(scope="module")
def tree() -> bytes:
    """A tree that learned nothing of f0 and f2."""
    x = models.columns(ROWS, 4)
    fitted = DecisionTreeRegressor(max_depth=4).fit(x[:, [1, 3]], x[:, 1] * x[:, 3])
    proto = to_onnx(fitted, x[:1, :2].astype(np.float32))
    (node,) = proto.graph.node
    for attribute in node.attribute:
        if attribute.name == "nodes_featureids":
            attribute.ints[:] = [[1, 3][i] for i in attribute.ints]
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    return bytes(proto.SerializeToString())


@pytest.fixture
def shop(database: Database, tree: bytes) -> Shop:
    made = Shop.on(database, 3)
    values = models.columns(ROWS, 4, seed=2)
    columns = {"id": pa.int64(), **dict.fromkeys(FEATURES, pa.float64())}
    rows: dict[str, Any] = {"id": list(range(ROWS))}
    for j, name in enumerate(FEATURES):
        rows[name] = values[:, j].astype(np.float32).tolist()
    rows["f0"][5] = rows["f2"][6] = rows["f1"][7] = None
    made.write(made.create("seen", None, columns), rows)
    made.scoring.models.add("tree", tree, features=FEATURES)
    return made


def expected(shop: Shop, tree: bytes) -> dict[int, float | None]:
    """By ONNX Runtime: NULL in f1 leaves a row without a prediction, in f0 or f2 it does not."""
    rows = shop.ask("SELECT id, f0, f1, f2, f3 FROM seen")
    x = np.array([[v if v is not None else np.nan for v in row[1:]] for row in rows], np.float64)
    scores = asked(tree, x)[:, 0].tolist()
    return {row[0]: None if row[2] is None else s for row, s in zip(rows, scores, strict=True)}


@pytest.mark.parametrize("without", [(), ("projection",)])
def test_a_job(shop: Shop, tree: bytes, without: tuple[str, ...]):
    shop.score("tree", source="seen", without=without)
    assert shop.found("predictions", "variable") == expected(shop, tree)


@pytest.mark.parametrize("without", [(), ("projection",)])
@pytest.mark.parametrize("route", ["bridge", "push-down"])
def test_a_statement(shop: Shop, tree: bytes, without: tuple[str, ...], route: str):
    if shop.database.product.dialect not in expressions.EXPRESSIONS:
        pytest.skip("no SQL is known to be right there")
    statement = f"SELECT d.id, p.variable {FROM} WITH (variable real) AS p"
    explained = shop.scoring.explain(statement, route=route, without=without)
    read = [feature for feature, _ in explained.predicts[0].features]
    assert read == (FEATURES if without else ["f1", "f3"])
    assert ("f2" in explained.predicts[0].data) == bool(without)
    is_cut = "projection: the graph is cut to the rest" in explained.predicts[0].because
    assert is_cut == (route == "bridge" and not without)
    rows = list(shop.scoring.sql(statement, route=route, without=without))
    found = {key: None if s is None else float(np.float32(s)) for key, s in rows}
    wanted = expected(shop, tree)
    assert found.keys() == wanted.keys()
    # over its own connection MariaDB sends the digits of a FLOAT, six of them
    assert all(
        found[k] == (s if s is None else pytest.approx(s, rel=1e-5)) for k, s in wanted.items()
    )


def test_a_policy_for_an_unread_feature_has_it_read(shop: Shop):
    bound = shop.scoring.bind("tree", source="seen", key="id")
    assert {b.feature: b.nulls for b in bound.features} == {
        "f0": "not read", "f1": "null", "f2": "not read", "f3": "null",
    }  # fmt: skip
    asked_of = shop.scoring.bind("tree", source="seen", key="id", nulls={"f0": "error"})
    assert [b.nulls for b in asked_of.features if b.feature == "f0"] == ["error"]
    run = shop.score("tree", source="seen", nulls={"f0": "null"})
    assert run.counts.features["f0"].nulls == 1
