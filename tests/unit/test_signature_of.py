"""What a graph takes and gives: kinds of inputs, names of features and predictions."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from sqlscore.errors import SignatureError
from sqlscore.graph import read, signature_of
from sqlscore.signature import InputKind
from tests.fixtures import models


def signature(given: bytes, **options):
    return signature_of(read(given), **options)


def names(given: bytes, **options) -> list[str]:
    return [one.name for one in signature(given, **options).predictions]


def test_kinds_of_inputs():
    found = signature(
        models.written(
            "g (float[N] a, float[N,1] b, float[N,3] c, float[N,2,2] d, float[N,K] e, float f,"
            " float[3] h) => (float[N] y) {"
            " c0 = ReduceSum(c) d0 = ReduceSum(d) e0 = ReduceSum(e) h0 = ReduceSum(h)"
            " y = Sum(a, b, c0, d0, e0, f, h0) }"
        )
    )
    assert {one.name: one.kind for one in found.inputs} == {
        "a": InputKind.COLUMN,
        "b": InputKind.COLUMN,
        "c": InputKind.BLOCK,
        "d": InputKind.TENSOR,
        "e": InputKind.TENSOR,
        "f": InputKind.CONSTANT,
        "h": InputKind.CONSTANT,
    }
    assert [one.name for one in found.features] == ["a", "b", "f0", "f1", "f2", "d", "e"]
    assert not found.named


def test_features_are_named_by_the_caller_then_by_the_graph():
    text = "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }"
    described = models.written(text, {"feature_names": json.dumps(["age", "größe", "a.b:c/d"])})
    assert [f.name for f in signature(described).features] == ["age", "größe", "a.b:c/d"]
    assert signature(described).named
    given = signature(described, features=["x", "y", "z"])
    assert [(f.name, f.input, f.position) for f in given.features] == [
        ("x", "x", 0),
        ("y", "x", 1),
        ("z", "x", 2),
    ]
    for useless in ("[1, 2, 3]", "['age']", '["a", "a", "b"]', '["a"]', "{}", "no JSON"):
        assert not signature(models.written(text, {"feature_names": useless})).named


def test_names_for_one_block_beside_columns_and_for_everything():
    mixed = models.written(
        "g (float[N,1] age, float[N,2] x) => (float[N,3] y) { y = Concat<axis = 1>(age, x) }"
    )
    assert [f.name for f in signature(mixed).features] == ["age", "f0", "f1"]
    assert [f.name for f in signature(mixed, features=["p", "q"]).features] == ["age", "p", "q"]
    assert [f.name for f in signature(mixed, features=["o", "p", "q"]).features] == ["o", "p", "q"]
    with pytest.raises(
        SignatureError, match=r"names 4 features, .* takes 3: 'age' \(1\), 'x' \(2\)"
    ):
        signature(mixed, features=list("abcd"))
    with pytest.raises(SignatureError, match="names 'a' more than once"):
        signature(mixed, features=list("aa"))


def test_names_give_a_block_of_unknown_width_its_width():
    given = models.written("g (float[N,K] x) => (float[N,1] y) { y = ReduceSum<keepdims = 1>(x) }")
    assert signature(given).features[0].name == "x"
    block = signature(given, features=["a", "b", "c"])
    assert block.inputs[0].kind is InputKind.BLOCK
    assert block.inputs[0].shape == (None, 3)


def test_inputs_that_no_column_can_feed():
    with pytest.raises(SignatureError, match="no input of the model has a free first dimension"):
        signature(models.written("g (float[8,3] x) => (float[8,3] y) { y = Relu(x) }"))
    with pytest.raises(SignatureError, match="the input 'x' is no tensor of numbers"):
        signature(models.written("g (complex64[N,3] x) => (complex64[N,3] y) { y = Identity(x) }"))


def test_what_nothing_depends_on_is_no_feature():
    found = signature(
        models.written("g (float[N,1] a, float[N,1] idle) => (float[N,1] y) { y = Relu(a) }")
    )
    assert [one.name for one in found.features] == ["a"]


def test_initialisers_among_the_inputs_are_no_features():
    text = (
        '<ir_version: 3, opset_import: ["" : 9]>'
        "g (float[N,2] x, float[2] w = {1, 2}) => (float[N,2] y) { y = Mul(x, w) }"
    )
    assert [one.name for one in signature(models.written(text)).inputs] == ["x"]


def test_a_batch_of_one_is_a_batch():
    found = signature(models.one_hot(1))
    assert [(one.kind, one.shape) for one in found.inputs] == [(InputKind.COLUMN, (None, 1))] * 4
    assert [str(feature.type) for feature in found.features] == [
        "float",
        "float",
        "string",
        "string",
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (models.logistic, ["output_label", "output_probability_0", "output_probability_1"]),
        (models.lightgbm, ["label", "probabilities_0", "probabilities_1"]),
        (models.mlp, ["label", "probabilities_0", "probabilities_1"]),
        (models.xgboost, ["variable"]),
        (models.imputed_forest, ["variable"]),
    ],
)
def test_predictions_by_rule(given, expected):
    assert names(given()) == expected


def test_labels_without_a_zipmap_and_in_text():
    given = models.logistic(zipmap=False, labels=("no", "Ja, ganz", "peut-être"))
    assert names(given) == [
        "label",
        "probabilities_Ja, ganz",
        "probabilities_no",
        "probabilities_peut-être",
    ]
    assert signature(given).predictions[0].type == pa.string()


WIDE = (
    "g (float[N,3] x) => (float[N,3] wide, float[N,1] thin) { wide = Relu(x) thin = ReduceSum(x) }"
)


def test_a_wide_output_is_a_list_column():
    found = signature(models.written(WIDE)).predictions
    assert [(p.name, p.type, p.position) for p in found] == [
        ("wide", pa.list_(pa.float32()), None),
        ("thin", pa.float32(), None),
    ]


def test_outputs_rename_and_the_rest_stays():
    classes = models.logistic(zipmap=False, labels=("no", "yes"))
    assert names(classes, outputs={"score": "probabilities[yes]"}) == [
        "label",
        "probabilities_no",
        "score",
    ]
    assert names(classes, outputs={"score": "probabilities_yes"}, drop=["label"]) == [
        "probabilities_no",
        "score",
    ]
    assert names(classes, drop=["label", "probabilities[no]"]) == ["probabilities_yes"]
    whole = signature(classes, outputs={"all": "probabilities"})
    assert [(p.name, p.type) for p in whole.predictions] == [
        ("label", pa.string()),
        ("all", pa.list_(pa.float32())),
    ]
    wide = models.written(WIDE)
    assert names(wide, outputs={"second": "wide[1]", "sum": "thin"}) == ["second", "sum"]
    assert names(wide, outputs={"sum": "thin[0]"}) == ["wide", "sum"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": {"s": "probabilites[yes]"}}, r"no output 'probabilites\[yes\]'. Did you mean"),
        ({"outputs": {"s": "probabilities[jes]"}}, r"has no class 'jes'. Did you mean 'yes'\?"),
        ({"outputs": {"s": "label[1]"}}, "has no column '1'; it has 1 columns"),
        ({"drop": ["lable"]}, "no output 'lable'. Did you mean 'label'"),
        ({"drop": ["label", "probabilities"]}, "leaves no prediction"),
    ],
)
def test_unknown_outputs_are_errors_with_the_nearest_names(options, message):
    with pytest.raises(SignatureError, match=message):
        signature(models.logistic(zipmap=False, labels=("no", "yes")), **options)


def odd_outputs() -> bytes:
    """Outputs named as TensorFlow and PyTorch name them."""
    model = read(models.written(WIDE)).proto
    changed = type(model)()
    changed.CopyFrom(model)
    for old, new in (("wide", "StatefulPartitionedCall/dense:0"), ("thin", "head.fc[0]")):
        for value in changed.graph.output:
            value.name = new if value.name == old else value.name
        for node in changed.graph.node:
            node.output[0] = new if node.output[0] == old else node.output[0]
    whole: bytes = changed.SerializeToString()
    return whole


def test_outputs_with_dots_slashes_colons_and_brackets():
    given = odd_outputs()
    assert names(given) == ["StatefulPartitionedCall/dense:0", "head.fc[0]"]
    chosen = {"a": "StatefulPartitionedCall/dense:0[2]", "b": "head.fc[0]"}
    assert names(given, outputs=chosen) == ["a", "b"]
    assert names(given, drop=["StatefulPartitionedCall/dense:0"]) == ["head.fc[0]"]


def test_two_predictions_never_share_a_name():
    text = (
        "g (float[N,1] x) => (float[N,1] p_yes, float[N,1] b) { p_yes = Relu(x) b = Relu(p_yes) }"
    )
    assert names(models.written(text), outputs={"p_yes": "b"}) == ["p_yes_2", "p_yes"]


def test_an_output_that_no_column_can_hold_can_be_left_out():
    text = (
        "g (float[N,1] x) => (float[N,1] y, complex64[N,1] z) { y = Relu(x) z = Cast<to = 14>(x) }"
    )
    with pytest.raises(SignatureError, match=r"the output 'z' .* drop=\['z'\]"):
        signature(models.written(text))
    assert names(models.written(text), drop=["z"]) == ["y"]


def missing(given: bytes) -> list[bool]:
    return [feature.missing for feature in signature(given).features]


def test_features_whose_missing_values_the_graph_handles():
    assert missing(models.logistic()) == [False] * 4
    assert missing(models.mlp()) == [False] * 4
    assert missing(models.imputed_forest()) == [True] * 4
    assert missing(models.lightgbm(missing=True)) == [True] * 4
    assert missing(models.xgboost(missing=True)) == [True] * 4
    assert missing(models.one_hot()) == [False] * 4


def test_missing_values_are_traced_column_by_column():
    # a and c reach the Imputer; c also reaches a Relu; b reaches nothing but the Relu; f0 nothing
    text = (
        "g (float[N,1] a, float[N,1] b, float[N,1] c, float[N,2] d) => (float[N,5] y) {"
        " ac = Concat<axis = 1>(a, c)"
        " one = Constant<value = int64[1] {1}>()"
        " half = Constant<value = float {0.5}>()"
        " d1 = Gather<axis = 1>(d, one)"
        " d2 = Mul(d1, half)"
        " acd = ai.onnx.ml.FeatureVectorizer<inputdimensions = [2, 1]>(ac, d2)"
        " clean = ai.onnx.ml.Imputer<imputed_value_floats = [0.0], replaced_value_float = NAN>(acd)"
        " rest = Concat<axis = 1>(b, c)"
        " relu = Relu(rest)"
        " y = Concat<axis = 1>(clean, relu) }"
    ).replace("replaced_value_float = NAN", "replaced_value_float = 0.0")
    model = read(models.written(text)).proto
    changed = type(model)()
    changed.CopyFrom(model)
    for node in changed.graph.node:
        for attribute in node.attribute:
            if attribute.name == "replaced_value_float":
                attribute.f = float("nan")
    found = signature(changed.SerializeToString())
    assert {f.name: f.missing for f in found.features} == {
        "a": True,
        "b": False,
        "c": False,
        "f0": True,
        "f1": True,
    }
    # an Imputer of 0.0 does not handle NaN
    assert missing(models.written(text)) == [False, False, False, True, False]


@pytest.mark.parametrize("drop", [(), ("p",)])
def test_a_named_column_stands_for_its_output_without_labels(drop):
    text = "g (float[N,2] x) => (float[N,2] p) { p = Identity(x) }"
    given = models.written(text, {"feature_names": json.dumps(["a", "b"])})
    assert names(given, outputs={"score": "p[1]"}, drop=drop) == ["score"]
