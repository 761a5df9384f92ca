"""Rewritten graphs beside their originals, both run by ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from sqlscore.graph import read, rewrite
from sqlscore.graph.nodes import dimensions
from tests.fixtures import models


def run(model: bytes, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def ops(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


@pytest.mark.parametrize("labels", [(), ("no", "yes")])
def test_zipmap_becomes_a_tensor_with_the_same_bits(labels):
    graph = read(models.logistic(labels=labels))
    before = graph.stored
    rewritten = rewrite(graph)
    assert "ZipMap" in ops(before)
    assert "ZipMap" not in ops(rewritten)
    assert graph.stored == before
    rows = models.columns(100, 4).astype(np.float32)
    old, new = run(before, {"X": rows}), run(rewritten, {"X": rows})
    maps = np.array([list(row.values()) for row in old["output_probability"]], np.float32)
    np.testing.assert_array_equal(new["output_probability"].view(np.int32), maps.view(np.int32))
    np.testing.assert_array_equal(new["output_label"], old["output_label"])


def test_zipmap_in_a_model_without_the_main_opset():
    given = models.written(
        '<ir_version: 8, opset_import: ["ai.onnx.ml" : 3]>'
        "g (float[N,2] x) => (float[N,2] p) {"
        ' s = ai.onnx.ml.Normalizer<norm = "L1">(x) p = ai.onnx.ml.Identity(s) }'
    )
    model = onnx.load_model_from_string(given)
    node = model.graph.node[1]
    node.op_type = "ZipMap"
    node.attribute.append(onnx.helper.make_attribute("classlabels_int64s", [3, 5]))
    maps = onnx.helper.make_map_type_proto(
        onnx.TensorProto.INT64, onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    )
    model.graph.output[0].type.CopyFrom(onnx.helper.make_sequence_type_proto(maps))
    rows = np.array([[1, 3], [2, 2]], np.float32)
    found = run(rewrite(read(model)), {"x": rows})["p"]
    np.testing.assert_array_equal(found, np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))


def test_the_row_count_that_lightgbm_declares_is_freed(capfd):
    graph = read(models.lightgbm())
    assert dimensions(graph.proto.graph.output[0]) == (1,)
    rewritten = rewrite(graph)
    outputs = onnx.load_model_from_string(rewritten).graph.output
    assert [dimensions(o) for o in outputs] == [(None,), (None, 2)]
    rows = models.columns(64, 4).astype(np.float32)
    session = onnxruntime.InferenceSession(rewritten)  # with its warnings on
    assert session.run(["label"], {"x": rows})[0].shape == (64,)
    assert "does not match actual shape" not in capfd.readouterr().err


def test_a_batch_of_one_becomes_free():
    graph = read(models.one_hot(1))
    rewritten = rewrite(graph)
    numbers, (cities, plans) = models.columns(50, 2), models.texts(50)
    feeds = {
        "age": numbers[:, :1].astype(np.float32),
        "spend": numbers[:, 1:].astype(np.float32),
        "city": np.array(cities, object).reshape(-1, 1),
        "plan": np.array(plans, object).reshape(-1, 1),
    }
    together = run(rewritten, feeds)
    for i in range(50):
        row = {name: value[i : i + 1] for name, value in feeds.items()}
        original, alone = run(graph.stored, row), run(rewritten, row)
        scores = np.array(list(original["output_probability"][0].values()), np.float32)
        np.testing.assert_array_equal(scores, alone["output_probability"][0])
        assert original["output_label"][0] == alone["output_label"][0]
        assert original["output_label"][0] == together["output_label"][i]
        # a single row takes another kernel in linear classifiers
        np.testing.assert_allclose(scores, together["output_probability"][i], rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", ["{1, 2, 2}", "{1, -1, 2}", "{1, 4, 1}"])
@pytest.mark.parametrize("back", ["{1, 4}", "{1, -1}", "{-1, 4}"])
def test_inner_reshapes_to_one_row_become_free(shape, back):
    graph = read(
        models.written(
            "g (float[1,4] x) => (float[1,4] y)"
            f" <int64[3] inner = {shape}, int64[2] outer = {back}> {{"
            " a = Reshape(x, inner) b = Relu(a) y = Reshape(b, outer) }"
        )
    )
    rows = models.columns(9, 4).astype(np.float32)
    np.testing.assert_array_equal(run(rewrite(graph), {"x": rows})["y"], np.maximum(rows, 0))


def test_a_reshape_to_a_single_value_becomes_a_column():
    graph = read(
        models.written(
            "g (float[1,1] x) => (float[1] y) <int64[1] one = {1}> { y = Reshape(x, one) }"
        )
    )
    rows = models.columns(9, 1).astype(np.float32)
    np.testing.assert_array_equal(run(rewrite(graph), {"x": rows})["y"], rows[:, 0])


def test_a_constant_input_beside_rows_keeps_its_shape():
    graph = read(models.written("g (float[N,3] x, float[1] t) => (float[N,3] y) { y = Mul(x, t) }"))
    assert rewrite(graph) is graph.stored


def test_unused_inputs_go():
    graph = read(
        models.written("g (float[N,2] x, string[N,1] idle) => (float[N,2] y) { y = Relu(x) }")
    )
    rows = models.columns(3, 2).astype(np.float32)
    np.testing.assert_array_equal(run(rewrite(graph), {"x": rows})["y"], np.maximum(rows, 0))


def test_where_nothing_is_to_be_rewritten_the_bytes_stay():
    for given in (models.mlp(), models.xgboost(), models.imputed_forest()):
        graph = read(given)
        assert rewrite(graph) is graph.stored
