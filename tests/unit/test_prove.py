"""What a proof decides: rows in batches where that changes nothing, else row by row, with why."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from sqlscore import graph as graphs
from sqlscore.errors import ModelError
from sqlscore.prove import Proof, prove, runnable
from sqlscore.prove.agreement import Disagreement, within
from sqlscore.prove.draws import draw, interesting
from tests.fixtures import models


def proved(model: bytes, **options: Any) -> tuple[graphs.Graph, Proof]:
    graph = graphs.read(model)
    return graph, prove(graph, graphs.signature_of(graph, **options))


@pytest.mark.parametrize(
    "model",
    [
        models.logistic,
        lambda: models.logistic(40, labels=("no", "perhaps", "yes")),
        lambda: models.logistic(zipmap=False),
        lambda: models.mlp(hidden=(64, 64)),
        models.lightgbm,
        lambda: models.xgboost(missing=True),
        models.imputed_forest,
        models.one_hot,
        lambda: models.one_hot(1),
        *[lambda e=e: models.passing(e) for e in ("float16", "bfloat16", "double", "int8", "bool")],
        lambda: models.passing("string"),
    ],
)
def test_models_whose_rows_are_independent_run_in_batches(model):
    graph, proof = proved(model())
    assert (proof.rowwise, proof.rewritten, proof.reason) == (False, True, None)
    assert proof.rows == 100
    assert proof.largest_ulp <= 4
    assert runnable(graph, proof) == graphs.rewrite(graph)
    assert proof.onnxruntime == ort.__version__


def test_a_linear_model_may_differ_alone_by_rounding_and_still_runs_in_batches():
    # one row takes another kernel: that must not be taken for a graph that mixes rows
    weights = np.random.default_rng(0).normal(size=300).round(4).tolist()
    body = f"y = ai.onnx.ml.LinearRegressor <coefficients = {weights}, targets = 1> (x)"
    _, proof = proved(models.written(f"g (float[N,300] x) => (float[N,1] y) {{ {body} }}"))
    assert not proof.rowwise
    assert proof.alone_ulp > 4


def test_a_tiny_probability_may_have_the_rounding_of_one():
    # 1 - p, where p is nearly 1: half of its bits are rounding, and a row alone rounds otherwise
    weights = (np.random.default_rng(1).normal(size=100) / 3).round(4).tolist()
    body = f"""
        z = ai.onnx.ml.LinearRegressor <coefficients = {weights}, targets = 1> (x)
        p = Sigmoid(z)
        one = Constant <value = float[1] {{1.0}}> ()
        q = Sub(one, p)
    """
    _, proof = proved(models.written(f"g (float[N,100] x) => (float[N,1] q) {{ {body} }}"))
    assert not proof.rowwise
    one, other = floats([1.0, 1e-7, 2e-7]), floats([1.0, 1.6e-7, 2e-7])
    assert within(None, one, other, "differs") < 1
    with pytest.raises(Disagreement):
        within(4, one, other, "differs")


MIXING = {
    "mean over the batch": "m = ReduceMean <axes=[0]> (x) y = Sub(x, m)",
    "softmax over the batch": "y = Softmax <axis=0> (x)",
    "running sum": "zero = Constant <value_int=0> () y = CumSum(x, zero)",
    "largest of the batch": "m = ReduceMax <axes=[0]> (x) y = Div(x, m)",
}


@pytest.mark.parametrize("body", MIXING.values(), ids=MIXING)
def test_a_graph_that_mixes_rows_runs_row_by_row_and_says_why(body):
    _, proof = proved(models.written(f"g (float[N,3] x) => (float[N,3] y) {{ {body} }}"))
    assert proof.rowwise
    assert proof.rewritten
    assert "a row depends on" in str(proof.reason)
    assert "'y'" in str(proof.reason)


def test_a_graph_made_for_one_row_whose_rewrite_does_not_run_runs_row_by_row():
    # the Reshape's target is computed, so no rewrite can free it
    body = """
        one = Constant <value = int64[1] {1}> ()
        four = Constant <value = int64[1] {4}> ()
        shape = Concat <axis=0> (one, four)
        y = Reshape(x, shape)
    """
    graph, proof = proved(models.written(f"g (float[1,4] x) => (float[1,4] y) {{ {body} }}"))
    assert proof.rowwise
    assert "the model failed while it ran" in str(proof.reason)
    assert runnable(graph, proof) == graphs.rewrite(graph)


def test_a_rewrite_that_means_something_else_is_not_used(monkeypatch):
    graph = graphs.read(models.written("g (float[N,2] x) => (float[N,2] y) { y = Abs(x) }"))
    wrong = models.written("g (float[N,2] x) => (float[N,2] y) { y = Neg(x) }")
    monkeypatch.setattr(graphs, "rewrite", lambda _: wrong)
    proof = prove(graph, graphs.signature_of(graph))
    assert proof.rowwise
    assert not proof.rewritten
    assert str(proof.reason).startswith("the rewrite is not used: the rewrite gives other values")
    assert runnable(graph, proof) == graph.stored


def test_zipmap_labels_in_any_order_are_compared_by_label():
    zipmap = 'p = ai.onnx.ml.ZipMap <classlabels_strings = ["z", "a", "m"]> (x)'
    text = f"g (float[N,3] x) => (seq(map(string, float)) p) {{ {zipmap} }}"
    _, proof = proved(models.written(text))
    assert (proof.rowwise, proof.largest_ulp) == (False, 0.0)


def test_an_unused_input_does_not_keep_the_original_from_running():
    _, proof = proved(
        models.written("g (float[N,2] x, float[N,1] nobody) => (float[N,2] y) { y = Neg(x) }")
    )
    assert not proof.rowwise


def test_a_dimension_left_open_gets_the_size_that_the_weights_have():
    body = "w = Constant <value = float[5,1] {1.0,2.0,3.0,4.0,5.0}> () y = MatMul(x, w)"
    _, proof = proved(models.written(f"g (float[N,M] x) => (float[N,1] y) {{ {body} }}"))
    assert not proof.rowwise
    assert proof.rows == 100


def test_rows_that_the_original_refuses_are_left_out():
    # a table of five: whole numbers are drawn from 0 to 9, and the rest is out of range
    body = "t = Constant <value = float[5] {1.0,2.0,3.0,4.0,5.0}> () y = Gather(t, x)"
    _, proof = proved(models.written(f"g (int64[N] x) => (float[N] y) {{ {body} }}"))
    assert not proof.rowwise
    assert 0 < proof.rows < 100


def test_a_model_that_takes_no_row_at_all_is_an_error():
    body = """
        t = Constant <value = float[2] {1.0,2.0}> ()
        far = Constant <value = int64 {100}> ()
        i = Add(x, far)
        y = Gather(t, i)
    """
    with pytest.raises(ModelError, match=r"runs none of 100 drawn rows: .*Gather"):
        proved(models.written(f"g (int64[N] x) => (float[N] y) {{ {body} }}"))


def test_an_output_without_rows_is_an_error_that_says_how_to_leave_it_out():
    body = "y = Neg(x) s = Shape(x)"
    model = models.written(f"g (float[N,3] x) => (float[N,3] y, int64[M] s) {{ {body} }}")
    with pytest.raises(ModelError, match=r"'s' .*does not belong to rows.*drop=\['s'\]"):
        proved(model)
    assert not proved(model, drop=["s"])[1].rowwise


def test_drawn_rows_lie_on_both_sides_of_every_threshold_and_take_every_category():
    graph = graphs.read(models.lightgbm(3, missing=True))
    signature = graphs.signature_of(graph)
    near = interesting(graph.proto, signature)
    tree = next(n for n in graph.proto.graph.node if n.op_type.startswith("TreeEnsemble"))
    given = {a.name: onnx.helper.get_attribute_value(a) for a in tree.attribute}
    at = {
        (feature, np.float32(value))
        for feature, mode, value in zip(
            given["nodes_featureids"], given["nodes_modes"], given["nodes_values"], strict=True
        )
        if mode != b"LEAF"
    }
    assert len(at) > 10
    for feature, value in at:
        assert {value, np.nextafter(value, np.float32(np.inf))} <= set(near["x", feature])
    assert np.isnan(draw(graph.proto, signature, rows=100, seed=0)["x"]).any()

    graph = graphs.read(models.one_hot())
    drawn = draw(graph.proto, graphs.signature_of(graph), rows=200, seed=1)
    assert set(models.CITIES) < set(drawn["city"].ravel())
    assert set(models.PLANS) < set(drawn["plan"].ravel())


def test_thresholds_are_found_behind_a_scaler():
    scaled = "s = ai.onnx.ml.Scaler <offset = [10.0], scale = [0.5]> (x)"
    tree = """
        y = ai.onnx.ml.TreeEnsembleRegressor <
            n_targets = 1, nodes_treeids = [0,0,0], nodes_nodeids = [0,1,2],
            nodes_featureids = [0,0,0], nodes_values = [1.5,0.0,0.0],
            nodes_modes = ["BRANCH_LEQ","LEAF","LEAF"], nodes_truenodeids = [1,0,0],
            nodes_falsenodeids = [2,0,0], target_treeids = [0,0], target_nodeids = [1,2],
            target_ids = [0,0], target_weights = [0.0,1.0]> (s)
    """
    graph = graphs.read(models.written(f"g (float[N,1] x) => (float[N,1] y) {{ {scaled} {tree} }}"))
    near = interesting(graph.proto, graphs.signature_of(graph))
    assert np.float32(13.0) in near["x", 0]  # (13 - 10) * 0.5 = 1.5


def test_the_same_seed_draws_the_same_rows():
    graph = graphs.read(models.one_hot())
    signature = graphs.signature_of(graph)
    one, same, other = (draw(graph.proto, signature, rows=9, seed=s) for s in (4, 4, 5))
    for name in one:
        np.testing.assert_array_equal(one[name], same[name])
    assert any((one[name] != other[name]).any() for name in one)


def test_a_proof_survives_json_and_fields_of_later_versions():
    _, proof = proved(models.mlp())
    assert Proof.from_json(proof.to_json()) == proof
    assert Proof.from_json(proof.to_json().replace("{", '{"later": 1, ', 1)) == proof


def floats(values: Any) -> dict[str, np.ndarray]:
    return {"y": np.array(values, np.float32)}


@pytest.mark.parametrize(
    ("one", "other", "ulp"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 2.0000002], 1.0),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0),
        ([0.0, 1.0], [-0.0, 1.0], 0.0),
    ],
)
def test_an_ulp_is_that_of_the_column(one, other, ulp):
    assert within(4, floats(one), floats(other), "differs") == ulp


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1.0, 2.0], [1.0, 2.1]),
        ([np.nan, 1.0], [0.0, 1.0]),
        ([np.inf, 1.0], [-np.inf, 1.0]),
        ([1.0, 2.0], [[1.0], [2.0]]),
    ],
)
def test_what_is_no_rounding_disagrees(one, other):
    for ulp in (4, None):
        with pytest.raises(Disagreement, match="'y'"):
            within(ulp, floats(one), floats(other), "differs")


def test_labels_must_be_equal():
    one, other = ({"y": np.array(a, object)} for a in (["a", "b"], ["a", "c"]))
    with pytest.raises(Disagreement, match="'y' differs"):
        within(None, one, other, "the labels differ")
