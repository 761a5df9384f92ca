"""A graph that is cut to the features it looks at gives the bits of the whole one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sqlscore.binding import bind
from sqlscore.graph import read, rewrite, signature_of
from sqlscore.graph.cutting import cut
from sqlscore.predictor import Predictor
from sqlscore.projection import projected
from sqlscore.types import Column
from tests.fixtures import models
from tests.pushdown import drawn
from tests.pushdown.judge import around

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import NodeProto

    from sqlscore.binding import Binding
    from sqlscore.graph import Graph
    from sqlscore.signature import Signature

    Draw = Callable[[st.SearchStrategy[Any]], Any]

CITIES = ("Bern", "Genève")
ROWS = 64


def binding_of(graph: Graph) -> Binding:
    signature = signature_of(graph)
    columns = [Column(name=f.name, type=pa.float64()) for f in signature.features]
    columns = [
        Column(name=f.name, type=pa.string()) if pa.types.is_string(f.type) else c
        for f, c in zip(signature.features, columns, strict=True)
    ]
    return bind(
        signature, columns, key=(), positional=True, identifier_limit=63, column_limit=1000,
        arrays=True,
    )  # fmt: skip


def rows_of(signature: Signature) -> pa.RecordBatch:
    """Values at the thresholds, with NaN and infinities, and cities, known and not."""
    draw = np.random.default_rng(3)
    hard = [*around(drawn.THRESHOLDS), np.nan, np.inf, -np.inf]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(draw.choice([*CITIES, "Nowhere"], ROWS).tolist())
            if pa.types.is_string(feature.type)
            else pa.array(draw.choice(hard, ROWS))
            for feature in signature.features
        ],
        names=[feature.name for feature in signature.features],
    )


def bits(batch: pa.RecordBatch) -> list[list[Any]]:
    return [
        column.to_numpy(zero_copy_only=False).view(f"i{column.type.bit_width // 8}").tolist()
        if pa.types.is_floating(column.type)
        else column.to_pylist()
        for column in batch.columns
    ]


def assert_same_bits(model: bytes) -> onnx.ModelProto:
    """Whole, fed with zeros, and cut it gives the same; the cut graph."""
    graph = read(model)
    runs, binding = rewrite(graph), binding_of(graph)
    rows, rest = rows_of(binding.signature), projected(binding)
    left = rows.select([bound.feature.name for bound in rest.features])
    smaller, signature = cut(runs, rest.signature)
    whole = bits(Predictor(runs, binding.signature)(rows).batch)
    assert bits(Predictor(runs, rest.signature)(left).batch) == whole
    assert bits(Predictor(smaller, signature)(left).batch) == whole
    assert (smaller == runs) == (not rest.idle)
    found: onnx.ModelProto = onnx.ModelProto.FromString(smaller)
    return found


class _Chain:
    """Nodes in front of a tree ensemble, drawn one after the other."""

    def __init__(self, draw: Draw, graph: Any) -> None:
        self.draw, self.graph = draw, graph
        self.nodes: list[NodeProto] = []

    def one_of(self, *kinds: Any) -> Any:
        return self.draw(st.sampled_from(kinds))

    def then(self, kind: str, *given: str, **attributes: Any) -> str:
        domain = "" if kind in _PLAIN else "ai.onnx.ml"
        name = f"v{len(self.nodes)}"
        node: Any = helper.make_node(kind, list(given), [name], domain=domain, **attributes)
        self.nodes.append(node)
        return name

    def constant(self, values: Any, dtype: Any = np.int64) -> str:
        name = f"c{len(self.graph.initializer)}"
        tensor = numpy_helper.from_array(np.array(values, dtype), name)
        self.graph.initializer.append(tensor)
        return name

    def step(self, value: str, columns: int) -> str:
        """Each column for itself, by one number for all or one for each."""
        size = self.one_of(1, columns)
        many = [self.one_of(*drawn.WEIGHTS) + 1.0 for _ in range(size)]
        kind = self.one_of("Scaler", "Imputer", "Identity", "Sub", "Mul", "Div")
        if kind == "Scaler":
            return self.then(kind, value, offset=many, scale=many[::-1])
        if kind == "Imputer":
            hole = {"replaced_value_float": float("nan")}
            return self.then(kind, value, imputed_value_floats=many, **hole)
        if kind == "Identity":
            return self.then(kind, value)
        shaped = np.reshape(many, self.one_of((size,), (1, size)))
        both = [value, self.constant(shaped, np.float32)]
        return self.then(kind, *(both[::-1] if self.one_of(True, False) else both))

    def together(self, width: int) -> str:
        """A block, a number and the categories of a text."""
        value = self.step(self.step("x", width), width)
        encoded = self.then("OneHotEncoder", "city", cats_strings=CITIES, zeros=1)
        encoded = self.then("Reshape", encoded, self.constant([-1, len(CITIES)]))
        parts = {value: width, "a": 1, encoded: len(CITIES)}
        if self.one_of(True, False):
            return self.then("FeatureVectorizer", *parts, inputdimensions=[*parts.values()])
        return self.then("Concat", *parts, axis=self.one_of(1, -1))

    def picked(self, value: str, columns: int) -> str:
        places = [self.draw(st.integers(0, columns - 1)) for _ in range(drawn.WIDTH)]
        if self.one_of(True, False):
            return self.then("ArrayFeatureExtractor", value, self.constant([places]))
        return self.then("Gather", value, self.constant(places), axis=1)


_PLAIN = {"Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Reshape", "Sub"}


@st.composite
def pipelines(draw: Draw) -> bytes:
    """Trees behind a block, a number and a text that are scaled, filled, put together, picked."""
    kinds = [drawn.regressors(2), drawn.classifiers(), drawn.ensembles(1)]
    model = onnx.ModelProto.FromString(draw(st.one_of(kinds)))
    graph, width = model.graph, draw(st.integers(3, 6))
    element = graph.input[0].type.tensor_type.elem_type
    chain, columns = _Chain(draw, graph), width + 1 + len(CITIES)
    value = chain.picked(chain.step(chain.together(width), columns), columns)
    (tree,) = graph.node
    tree.input[0] = chain.then("Cast", value, to=element)
    del graph.node[:], graph.input[:]
    graph.node.extend([*chain.nodes, tree])
    of, number = helper.make_tensor_value_info, TensorProto.FLOAT
    inputs = [of("city", TensorProto.STRING, [None, 1]), of("x", number, [None, width])]
    graph.input.extend([*inputs, of("a", number, [None, 1])])
    whole: bytes = model.SerializeToString()
    return whole


@settings(max_examples=80, deadline=None, derandomize=True)
@given(pipelines())
def test_a_pipeline_drawn_at_random(model: bytes):
    assert_same_bits(model)


TREE = (
    "ai.onnx.ml.TreeEnsembleRegressor <n_targets = 1, nodes_featureids = [{feature}, 9, 9],"
    ' nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values = [0.5, 0.0, 0.0],'
    " nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], nodes_truenodeids = [1, 0, 0],"
    " nodes_falsenodeids = [2, 0, 0], target_treeids = [0, 0], target_nodeids = [1, 2],"
    " target_ids = [0, 0], target_weights = [1.5, -2.5]>"
)


def kinds_and_inputs(proto: onnx.ModelProto) -> tuple[list[str], list[str]]:
    return [n.op_type for n in proto.graph.node], [v.name for v in proto.graph.input]


def test_what_nothing_looks_at_goes_with_what_makes_it():
    text = (
        "g (float[N,1] a, string[N,1] city, float[N,9] x) => (float[N,1] y) {"
        ' c = ai.onnx.ml.OneHotEncoder <cats_strings = ["Bern", "Genève"]> (city)'
        " f = Flatten <axis = 1> (c) n = Identity (a)"
        f" all = Concat <axis = 1> (n, f, x) y = {TREE.format(feature=7)} (all) }}"
    )
    smaller = assert_same_bits(models.written(text))
    found = kinds_and_inputs(smaller)
    assert found == (["Concat", "TreeEnsembleRegressor"], ["x"])
    assert smaller.graph.input[0].type.tensor_type.shape.dim[1].dim_value == 1


@pytest.mark.parametrize("weights", ["0.0, 2.0, 0.0, 1.0", "1.0, 2.0, 3.0, 4.0"])
def test_a_linear_model_keeps_its_weights(weights: str):
    text = (
        "g (float[N,4] x, float[N,9] z) => (float[N,1] y, float[N,1] t) {"
        f" y = ai.onnx.ml.LinearRegressor <coefficients = [{weights}], intercepts = [0.25]> (x)"
        f" t = {TREE.format(feature=2)} (z) }}"
    )
    smaller = assert_same_bits(models.written(text))
    widths = [v.type.tensor_type.shape.dim[1].dim_value for v in smaller.graph.input]
    assert widths == [4, 1]


def test_a_trained_pipeline_loses_its_encoders():
    frame = models.people(400).to_pandas()
    known = OneHotEncoder(handle_unknown="ignore")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    parts = ColumnTransformer([("c", known, ["city", "plan"]), ("n", numbers, ["age", "spend"])])
    tree = DecisionTreeClassifier(max_depth=2)
    fitted = make_pipeline(parts, tree).fit(frame, (frame["spend"] > 0.5).astype(int))
    types = [(n, StringTensorType([None, 1])) for n in ("city", "plan")]
    types += [(n, FloatTensorType([None, 1])) for n in ("age", "spend")]
    smaller = assert_same_bits(to_onnx(fitted, initial_types=types).SerializeToString())
    found, inputs = kinds_and_inputs(smaller)
    assert inputs == ["spend"]
    assert "OneHotEncoder" not in found


def test_a_whole_signature_leaves_the_graph_as_it_is():
    graph = read(models.lightgbm(12, 3))
    signature = signature_of(graph)
    assert cut(graph.stored, signature) == (graph.stored, signature)
