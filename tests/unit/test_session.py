"""A session runs what ONNX Runtime runs, and its errors are ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import onnxruntime
import pytest

from sqlscore.errors import ModelError, ProviderError
from sqlscore.session import Session, available
from tests.fixtures import models

ROWS = models.columns(100, 4).astype(np.float32)


def test_outputs_come_back_by_name():
    session = Session(models.mlp())
    assert session.outputs == ("label", "probabilities")
    assert [(one.name, one.element, one.shape) for one in session.inputs] == [
        ("X", "float", (None, 4))
    ]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    expected = onnxruntime.InferenceSession(models.mlp(), options).run(None, {"X": ROWS})
    found = session.run({"X": ROWS})
    np.testing.assert_array_equal(found["label"], expected[0])
    np.testing.assert_array_equal(found["probabilities"], expected[1])
    assert list(session.run({"X": ROWS}, ["probabilities"])) == ["probabilities"]


def test_the_cpu_is_always_there():
    assert available()[0] == "cpu"
    assert Session(models.mlp(), provider="cpu").provider == "cpu"


def test_a_provider_that_is_not_there_says_what_to_install():
    with pytest.raises(ProviderError, match="unknown provider 'abacus'; there are: cpu, cuda"):
        Session(models.mlp(), provider="abacus")
    packages = {"cuda": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}
    for provider, package in packages.items():
        if provider in available():
            continue
        with pytest.raises(ProviderError) as caught:
            Session(models.mlp(), provider=provider)
        assert f"the provider '{provider}' is not here" in str(caught.value)
        assert f"pip install {package}" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"no model", "onnxruntime cannot load the model: .*protobuf parsing failed"),
        (b"", "onnxruntime cannot load the model"),
        (
            models.written(
                '<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>'
                "g (float[N,2] x) => (float[N,2] y) { y = com.microsoft.NoSuch(x) }"
            ),
            "onnxruntime cannot load the model: .*NoSuch",
        ),
        (
            models.written(
                '<ir_version: 10, opset_import: ["" : 99]>'
                "g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }"
            ),
            "onnxruntime cannot load the model: .*opset",
        ),
    ],
)
def test_what_cannot_be_loaded(given, message, capfd):
    with pytest.raises(ModelError, match=message) as caught:
        Session(given)
    assert caught.value.__cause__ is not None
    assert not isinstance(caught.value, ProviderError)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"X": ROWS, "extra": ROWS},
        {"X": ROWS[:, :3]},
        {"X": ROWS.astype(np.float64)},
        {"X": "text"},
        {"X": None},
    ],
)
def test_what_cannot_be_run(feeds, capfd):
    with pytest.raises(ModelError, match="the model failed while it ran") as caught:
        Session(models.mlp()).run(feeds)
    assert caught.value.__cause__ is not None
    assert capfd.readouterr().err == ""


def test_a_model_that_fails_on_some_rows(capfd):
    session = Session(
        models.written("g (int64[N] i, float[3] t) => (float[N] y) { y = Gather(t, i) }")
    )
    table = np.array([1, 2, 3], np.float32)
    assert session.run({"i": np.array([2]), "t": table})["y"].tolist() == [3.0]
    with pytest.raises(ModelError, match="the model failed while it ran"):
        session.run({"i": np.array([7]), "t": table})
    assert capfd.readouterr().err == ""


def test_wrong_declared_shapes_do_not_print(capfd):
    Session(models.lightgbm()).run({"x": ROWS})
    assert capfd.readouterr().err == ""


def test_bfloat16_goes_in_and_out_as_float32():
    given = models.written(
        '<ir_version: 10, opset_import: ["" : 22]>'
        "g (bfloat16[N,2] x) => (bfloat16[N,2] same, bfloat16[N,2] back) {"
        " same = Identity(x) f = Cast<to = 1>(x) g1 = Neg(f) back = Cast<to = 16>(g1) }"
    )
    rows = np.array([[1.00390625, 3.0e38], [-1.01171875, 1e-40], [np.inf, 0.1]], np.float32)
    expected = rows.astype(ml_dtypes.bfloat16).astype(np.float32)
    session = Session(given)
    assert session.inputs[0].element == "float"
    found = session.run({"x": rows})
    np.testing.assert_array_equal(found["same"], expected)
    np.testing.assert_array_equal(found["back"], -expected)


@pytest.mark.parametrize("element", ["float8_e4m3fn", "float8_e5m2"])
def test_8_bits_go_in_and_out_as_float32(element):
    name = element.replace("_", "")
    given = models.written(
        f'<ir_version: 10, opset_import: ["" : 19]> g ({name}[N] x) => ({name}[N] y)'
        " { y = Identity(x) }"
    )
    rows = np.array([0.1, -3.3, 1e9, np.nan, 0.0], np.float32)
    largest = float(ml_dtypes.finfo(element).max)
    expected = np.clip(rows, -largest, largest).astype(element).astype(np.float32)
    np.testing.assert_array_equal(Session(given).run({"x": rows})["y"], expected)


def test_an_element_type_that_nothing_holds_is_told():
    model = '<ir_version: 10, opset_import: ["" : 21]> g (uint4[N] x) => (float[N] y)'
    with pytest.raises(ModelError, match="'x' holds uint4, which neither numpy nor Arrow has"):
        Session(models.written(model + " { y = Cast<to = 1>(x) }"))


def test_several_threads_share_a_session():
    session = Session(models.lightgbm(trees=20))
    parts = [models.columns(500, 4, seed).astype(np.float32) for seed in range(8)]
    alone = [session.run({"x": part}, ["label"])["label"] for part in parts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda part: session.run({"x": part}, ["label"])["label"], parts))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
