"""Which features a graph looks at, and that a graph fed zeros for the others gives the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.binding import bind
from sqlscore.errors import SqlscoreError
from sqlscore.graph import read, signature_of
from sqlscore.optimisations import optimisations
from sqlscore.predictor import NullPolicy, Predictor
from sqlscore.projection import projected
from sqlscore.signature import Use
from sqlscore.types import Column
from tests.fixtures import models
from tests.fixtures.scoring import asked

A, N, F = Use.ALWAYS, Use.NEVER, Use.NOT_FINITE
FOREST = (
    "ai.onnx.ml.TreeEnsembleRegressor <n_targets = 1, nodes_featureids = [2, 0, 0],"
    ' nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values = [0.5, 0.0, 0.0],'
    " nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], nodes_truenodeids = [1, 0, 0],"
    " nodes_falsenodeids = [2, 0, 0], target_treeids = [0, 0], target_nodeids = [1, 2],"
    " target_ids = [0, 0], target_weights = [1.5, -2.5]>"
)
LINEAR = "ai.onnx.ml.LinearRegressor <coefficients = [0.0, 2.0, 0.0], intercepts = [0.25]>"


def uses(text: str) -> list[Use]:
    return [f.use for f in signature_of(read(models.written(text))).features]


def test_a_tree_looks_at_what_its_branches_ask_for():
    assert uses(f"g (float[N,4] x) => (float[N,1] y) {{ y = {FOREST} (x) }}") == [N, N, A, N]


def test_a_weight_of_zero_looks_at_what_is_not_finite():
    assert uses(f"g (float[N,3] x) => (float[N,1] y) {{ y = {LINEAR} (x) }}") == [F, A, F]
    huge = "s = ai.onnx.ml.Scaler <offset = [0.0], scale = [1e20]> (x)"
    assert uses(f"g (float[N,3] x) => (float[N,1] y) {{ {huge} y = {LINEAR} (s) }}") == [A, A, A]


def test_columns_are_followed_through_what_moves_them():
    text = (
        "g (float[N,1] a, string[N,1] city, float[N,3] x) => (float[N,1] y) {"
        ' c = ai.onnx.ml.OneHotEncoder <cats_strings = ["Bonn", "Kiel"]> (city)'
        " shape = Constant <value = int64[2] {-1, 2}> ()"
        " flat = Reshape (c, shape)"
        " three = Concat <axis = 1> (flat, a)"
        f" all = Concat <axis = 1> (x, three) y = {FOREST} (all) }}"
    )
    assert uses(text) == [N, N, N, N, A]  # a, city, x


def test_what_a_subgraph_or_an_output_sees_is_looked_at():
    assert uses(f"g (float[N,3] x) => (float[N,1] y, float[N,3] x2) "
                f"{{ y = {FOREST} (x) x2 = Identity (x) }}") == [A, A, A]  # fmt: skip


def test_text_that_becomes_a_number_is_looked_at():
    text = f"g (string[N,3] x) => (float[N,1] y) {{ f = Cast <to = 1> (x) y = {FOREST} (f) }}"
    assert uses(text) == [A, A, A]


COLUMNS = {
    "a": Column(name="a", type=pa.int64(), nullable=False),
    "b": Column(name="b", type=pa.float64(), nullable=False),
    "c": Column(name="c", type=pa.int64()),
}


def test_only_what_cannot_be_null_or_infinite_goes_unread_for_a_weight_of_zero():
    text = (
        "g (float[N,1] a, float[N,1] b, float[N,1] c, float[N,1] d) => (float[N,1] y) {"
        " x = Concat <axis = 1> (a, d, b, c) y = ai.onnx.ml.LinearRegressor"
        " <coefficients = [0.0, 2.0, 0.0, 0.0], intercepts = [0.25]> (x) }"
    )
    signature = signature_of(read(models.written(text)))
    columns = [*COLUMNS.values(), Column(name="d", type=pa.float64())]
    bound = bind(signature, columns, key=(), identifier_limit=63, column_limit=100, arrays=True)
    found = projected(bound)
    assert [b.feature.name for b in found.idle] == ["a"]
    assert found.columns.keys() == bound.columns.keys()
    assert not projected(bound, watched={"a"}).idle


@pytest.mark.parametrize("hole", [np.nan, np.inf, None])
def test_the_rest_gives_the_same_bits(hole: float | None):
    model = models.written(f"g (float[N,4] x) => (float[N,1] y) {{ y = {FOREST} (x) }}")
    signature = signature_of(read(model))
    read_features = tuple(f for f in signature.features if f.use is A)
    values = models.columns(100, 4)
    whole = models.batch_of(values, [f.name for f in signature.features])
    columns = [pa.array([hole, *c.to_pylist()[1:]], pa.float64()) for c in whole.columns]
    columns[2] = whole.column(2)
    given = pa.RecordBatch.from_arrays(columns, names=whole.schema.names)
    every = Predictor(model, signature)(given).batch
    rest = Predictor(model, dataclasses.replace(signature, features=read_features))
    assert rest(given.select([2])).batch == every
    assert every.column(0).to_pylist() == asked(model, values)[:, 0].tolist()


def test_a_text_that_nothing_looks_at_may_be_null():
    text = (
        "g (string[N,1] city, int64[N,1] n, float[N,3] x) => (float[N,1] y) {"
        ' c = ai.onnx.ml.LabelEncoder <keys_strings = ["a"], values_floats = [1.0]> (city)'
        f" m = Cast <to = 1> (n) all = Concat <axis = 1> (x, c, m) y = {FOREST} (all) }}"
    )
    signature = signature_of(read(models.written(text)))
    predictor = Predictor(models.written(text), signature)
    assert predictor.policies["city"] == NullPolicy.default("")
    assert predictor.policies["n"] == NullPolicy.default(0)


def test_an_optimisation_of_another_name_is_refused():
    assert optimisations() - optimisations("projection")
    with pytest.raises(SqlscoreError, match=r"'projektion'.*Did you mean"):
        optimisations(["projektion"])
