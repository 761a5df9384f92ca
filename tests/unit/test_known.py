"""What a graph says of its training: categories, ranges; and the values that are neither."""

from __future__ import annotations

import json
import warnings

import numpy as np
import onnx
import pyarrow as pa
import pytest

from sqlscore.graph import read, signature_of
from sqlscore.predictor import NullPolicy, Predictor
from tests.fixtures import models


def known(model: bytes) -> dict[str, set[object] | None]:
    features = signature_of(read(model)).features
    return {f.name: None if f.categories is None else set(f.categories) for f in features}


def with_ranges(model: bytes, text: str) -> bytes:
    proto = onnx.load_from_string(model)
    proto.metadata_props.add(key="feature_ranges", value=text)
    return bytes(proto.SerializeToString())


def ordinal() -> bytes:
    """An ordinal encoder of text beside a one-hot encoder of whole numbers, by scikit-learn."""
    import pandas as pd
    from skl2onnx import to_onnx
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    plans = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    frame = pd.DataFrame({"plan": ["a", "b", "c"] * 5, "rooms": [1, 2, 5] * 5})
    columns = make_column_transformer(
        (plans, ["plan"]), (OneHotEncoder(handle_unknown="ignore"), ["rooms"])
    )
    fitted = make_pipeline(columns, LinearRegression()).fit(frame, np.arange(15.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(to_onnx(fitted, frame[:1]).SerializeToString())


def test_categories_are_the_keys_of_encoders():
    cities = known(models.one_hot())
    assert cities["city"] == set(models.CITIES)
    assert cities["plan"] == set(models.PLANS)
    assert cities["age"] is None
    assert known(ordinal()) == {"plan": {"a", "b", "c"}, "rooms": {1, 2, 5}}


def test_what_is_changed_on_its_way_has_none():
    scaled = models.written(
        "g (float[N,1] a, float[N,1] b) => (float[N,1] y) { t = Add(a, a) "
        "u = ai.onnx.ml.LabelEncoder <keys_floats = [1.0], values_floats = [2.0]> (t) "
        "v = ai.onnx.ml.LabelEncoder <keys_floats = [0.5, 2.0], values_floats = [1.0, 2.0]> (b) "
        "y = Add(u, v) }"
    )
    assert known(scaled) == {"a": None, "b": {0.5, 2.0}}


def test_unknown_categories_are_counted():
    predict = Predictor(models.one_hot(), signature_of(read(models.one_hot())))
    rows = models.people(500)
    cities, plans = rows.column("city").to_pylist(), rows.column("plan").to_pylist()
    counts = predict(rows).counts
    assert counts.features["city"].unknown == cities.count("Nowhere") > 0
    assert counts.features["plan"].unknown == plans.count("") > 0
    assert "age" not in counts.features
    encoded = rows.set_column(2, "city", rows.column("city").dictionary_encode())
    assert predict(encoded).counts == counts
    assert type(counts).from_json(counts.to_json()) == counts


def test_a_null_is_no_category():
    model = models.one_hot()
    predict = Predictor(
        model, signature_of(read(model)), nulls={"city": NullPolicy.default("Nowhere")}
    )
    rows = pa.RecordBatch.from_pydict(
        {"age": [1.0, 2.0], "spend": [1.0, 2.0], "city": [None, "Bern"], "plan": ["pro", "pro"]}
    )
    tally = predict(rows).counts.features["city"]
    assert (tally.nulls, tally.unknown) == (1, 0)


def test_numbers_are_categories_as_the_encoder_gets_them():
    predict = Predictor(ordinal(), signature_of(read(ordinal())))
    rows = pa.RecordBatch.from_pydict({"plan": ["a", "z", "b"], "rooms": [1, 2, 4]})
    counts = predict(rows).counts.features
    assert (counts["plan"].unknown, counts["rooms"].unknown) == (1, 1)


def test_values_out_of_the_range_of_training_are_counted():
    ranges = json.dumps(
        {"f0": [-1, 1], "f1": [0, None], "f2": [None, None], "f3": ["a", 2], "x": 1}
    )
    model = with_ranges(models.logistic(zipmap=False), ranges)
    signature = signature_of(read(model))
    assert [f.range for f in signature.features] == [(-1, 1), (0, None), (None, None), None]
    values = models.columns(300, 4)
    values[:3, 0] = [np.nan, 1.0, np.inf]
    counts = Predictor(model, signature)(models.batch_of(values)).counts.features
    assert counts["f0"].outside == int((np.abs(values[:, 0]) > 1).sum())
    assert counts["f1"].outside == int((values[:, 1] < 0).sum())
    assert not set(counts) & {"f2", "f3"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"f0": [1, true]}', '{"f0": [NaN, 1]}'])
def test_metadata_that_says_nothing_is_none(text: str):
    model = with_ranges(models.logistic(), text)
    assert all(feature.range is None for feature in signature_of(read(model)).features)
