"""The face of a model: what predict gives is what ONNX Runtime gives, in the caller's own kind."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.errors import ModelError, ProviderError, SignatureError
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.signature import describe
from tests.fixtures import models

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["a", "b", "c", "d"]


def asked(model: bytes, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    """ONNX Runtime's own answer."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def frame(rows: int = 50) -> pd.DataFrame:
    made = pd.DataFrame(models.columns(rows, 4, seed=2), columns=NAMES)
    made["id"] = [f"row {i}" for i in range(rows)]
    return made


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda df: df,
    "polars": pl.from_pandas,
    "table": lambda df: pa.Table.from_pandas(df, preserve_index=False),
    "batch": lambda df: pa.RecordBatch.from_pandas(df, preserve_index=False),
    "table in pieces": lambda df: pa.concat_tables(
        [pa.Table.from_pandas(part, preserve_index=False) for part in (df[:7], df[7:7], df[7:])],
        promote_options="default",  # no text shows its type in pandas 2
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_onnxruntimes_own_in_the_kind_that_came(kind: str):
    model = sqlscore.load(models.logistic(), features=NAMES)
    rows = KINDS[kind](frame())
    found = model.predict(rows)
    assert type(found) is type(rows)
    table = found if isinstance(found, pa.Table | pa.RecordBatch) else pa.table(found)
    names = ["output_label", "output_probability_0", "output_probability_1"]
    assert table.schema.names == names
    own = asked(models.logistic(zipmap=False), {"X": frame()[NAMES].to_numpy().astype(np.float32)})
    assert table.column(0).to_pylist() == own["label"].tolist()
    for position, name in enumerate(names[1:]):
        got = np.array(table.column(name).to_pylist(), np.float32)
        assert got.tobytes() == own["probabilities"][:, position].tobytes()


def test_the_index_of_a_frame_is_kept():
    model = sqlscore.load(models.logistic(), features=NAMES)
    rows = frame(6).set_index("id")
    assert model.predict(rows).index.tolist() == rows.index.tolist()
    assert model.predict(rows).index.name == "id"
    double = frame(6).set_index(["id", "a"], drop=False)
    pd.testing.assert_index_equal(double.sqlscore.predict(model).index, double.index)


def test_the_accessor_takes_the_same_options():
    model = sqlscore.load(models.logistic(), features=NAMES)
    rows = frame().rename(columns={"a": "Alter"})
    found = rows.sqlscore.predict(model, map={"a": "Alter"})
    pd.testing.assert_frame_equal(found, model.predict(frame()))


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_give_no_predictions_of_the_same_types(kind: str):
    model = sqlscore.load(models.logistic(), features=NAMES)
    full, empty = (pa.table(model.predict(KINDS[kind](frame()[:n]))) for n in (5, 0))
    assert empty.num_rows == 0
    assert empty.schema.names == full.schema.names
    assert empty.schema.types == full.schema.types


def test_many_rows_get_the_same_bits_as_few():
    model = sqlscore.load(models.lightgbm(), features=NAMES)
    values = models.columns(150_000, 4, seed=5)
    whole = model.predict(models.batch_of(values, NAMES))
    for start in (0, 65_530, 149_990):
        part = model.predict(models.batch_of(values[start : start + 10], NAMES))
        assert part.equals(whole.slice(start, 10))
        one = model.predict(models.batch_of(values[start : start + 1], NAMES))
        assert one.equals(whole.slice(start, 1))


def test_columns_bind_by_name_in_any_order_and_else_by_case():
    model = sqlscore.load(models.logistic(), features=NAMES)
    expected = model.predict(frame())
    pd.testing.assert_frame_equal(model.predict(frame()[["id", "d", "c", "b", "a"]]), expected)
    pd.testing.assert_frame_equal(model.predict(frame().rename(columns={"a": "A"})), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"a": "age"}}, r"1 of the model's 4 features have no column:\n  'a'"),
        ({"columns": {"a": "A", "b": "a", "c": "B"}}, "'c'"),
        ({"columns": {"a": "x", "id": "X", "b": "x"}}, "'a'"),
    ],
)
def test_what_does_not_bind_is_told(change: dict[str, Any], message: str):
    model = sqlscore.load(models.logistic(), features=NAMES)
    with pytest.raises(SignatureError, match=message) as error:
        model.predict(frame().rename(**change))
    assert "The model wants: 'a', 'b', 'c', 'd'" in str(error.value)
    assert "The source has: " in str(error.value)


def test_columns_that_differ_in_case_only_are_ambiguous():
    model = sqlscore.load(models.logistic(), features=["AB", "b", "c", "d"])
    rows = frame().rename(columns={"a": "ab", "id": "Ab"})
    with pytest.raises(SignatureError, match="differ in case only"):
        model.predict(rows)


def test_a_name_that_two_columns_have_is_an_error_where_it_is_needed():
    model = sqlscore.load(models.logistic(), features=NAMES)
    twice = pd.concat([frame(), frame()[["a"]]], axis=1)
    with pytest.raises(SignatureError, match="2 columns named 'a'"):
        model.predict(twice)
    spare = pd.concat([frame(), frame()[["id"]]], axis=1)
    pd.testing.assert_frame_equal(model.predict(spare), model.predict(frame()))


def test_unnamed_features_bind_by_position_where_there_are_exactly_as_many():
    model = sqlscore.load(models.logistic())
    named = sqlscore.load(models.logistic(), features=NAMES)
    pd.testing.assert_frame_equal(model.predict(frame()[NAMES]), named.predict(frame()))
    numbered = pd.DataFrame(frame()[NAMES].to_numpy())
    pd.testing.assert_frame_equal(model.predict(numbered), named.predict(frame()))
    with pytest.raises(SignatureError, match="exactly 4 columns beside the key, and there are 5"):
        model.predict(frame())


def test_null_is_nan_where_the_model_handles_it_and_else_makes_the_predictions_null():
    rows = frame(4)
    rows.loc[1, "a"] = np.nan
    handles = sqlscore.load(models.xgboost(missing=True), features=NAMES).predict(rows)
    own = asked(models.xgboost(missing=True), {"x": rows[NAMES].to_numpy().astype(np.float32)})
    np.testing.assert_array_equal(handles.iloc[:, 0], own["variable"].ravel())

    plain = sqlscore.load(models.logistic(), features=NAMES)
    assert plain.predict(rows).isna().all(axis=1).tolist() == [False, True, False, False]
    table = pa.Table.from_pandas(rows, preserve_index=False)
    assert plain.predict(table).column("output_label").to_pylist()[1] is None


def test_nulls_takes_a_policy_for_each_feature():
    model = sqlscore.load(models.logistic(), features=NAMES)
    rows, filled = frame(4), frame(4)
    rows.loc[1, "a"] = np.nan
    filled.loc[1, "a"] = 7.5
    for policy in (7.5, "=7.5", NullPolicy.default(7.5)):
        found = model.predict(rows, nulls={"a": policy})
        pd.testing.assert_frame_equal(found, model.predict(filled))
    with pytest.raises(SignatureError, match="'a' has 1 NULL"):
        model.predict(rows, nulls={"a": "error"})
    with pytest.raises(SignatureError, match="'aa'"):
        model.predict(rows, nulls={"aa": "error"})


def test_types_take_a_policy_for_all_features_or_for_each():
    model = sqlscore.load(models.MIXED)
    rows = pa.table({"age": [1.0, -2.75, 300.0, None], "spend": [0.5, 0.1, 0.25, 2.0]})
    with pytest.raises(SignatureError, match="'age' takes int8"):
        model.predict(rows)
    whole, spend = np.array([1, -2, 127], np.int8), np.array([0.5, 0.1, 0.25], np.float32)
    wanted = asked(models.MIXED, {"age": whole[:, None], "spend": spend[:, None]})["score"][:, 0]
    for types in ("lossy", {"age": "lossy"}, {"age": "lossy", "spend": "safe"}):
        found = model.predict(rows, types=types).column("score")
        assert found.to_pylist() == [*wanted.tolist(), None]
    with pytest.raises(SignatureError, match=r"'spend' has 1 values.*\(row 1, counted from 0\)"):
        model.predict(rows, types={"age": "lossy", "spend": "exact"})
    with pytest.raises(SignatureError, match="Did you mean 'lossy'"):
        model.predict(rows, types="lossi")
    with pytest.raises(SignatureError, match="Did you mean 'age'"):
        model.predict(rows, types={"agee": "lossy"})


def test_nan_is_a_number_in_arrow_and_polars():
    model = sqlscore.load(models.logistic(), features=NAMES)
    values = models.columns(3, 4)
    values[1, 0] = np.nan
    own = asked(models.logistic(zipmap=False), {"X": values.astype(np.float32)})
    found = model.predict(models.batch_of(values, NAMES)).column("output_probability_1")
    assert found.null_count == 0
    assert np.isnan(own["probabilities"][1]).all()
    assert np.isnan(found.to_pylist()[1])
    polars = model.predict(pl.DataFrame(values, schema=NAMES))["output_probability_1"]
    assert polars.is_nan().to_list() == [False, True, False]


def test_text_and_numbers_side_by_side():
    rows = models.people(40).to_pandas()
    model = sqlscore.load(models.one_hot())
    own = asked(
        models.one_hot(),
        {
            **{n: rows[[n]].to_numpy().astype(np.float32) for n in ("age", "spend")},
            **{n: rows[[n]].to_numpy(dtype=object) for n in ("city", "plan")},
        },
    )
    expected = np.array([row[1] for row in own["output_probability"]], np.float32)
    for given in (rows, rows.astype({"city": "category", "plan": object}), pl.from_pandas(rows)):
        found = model.predict(given)["output_probability_1"].to_numpy()
        assert found.astype(np.float32).tobytes() == expected.tobytes()


def test_a_model_made_for_one_row_takes_many():
    # as for Azure SQL Edge: every input is [1, 1]
    rows = models.people(30)
    loaded = sqlscore.load(models.one_hot(1))
    assert not loaded.proof.rowwise
    found = loaded.predict(rows)
    assert found.equals(sqlscore.load(models.one_hot()).predict(rows))
    for i, one in enumerate(rows.to_pylist()):
        feeds = {
            name: np.array([[value]], object if isinstance(value, str) else np.float32)
            for name, value in one.items()
        }
        own = asked(models.one_hot(1), feeds)
        assert found.column("output_label")[i].as_py() == own["output_label"][0]
        score = found.column("output_probability_1")[i].as_py()
        # a single row takes another kernel, which rounds in another order
        assert score == pytest.approx(own["output_probability"][0][1], rel=0, abs=1e-6)


def test_a_graph_that_mixes_rows_gives_what_each_row_gives_alone():
    body = "m = ReduceMax <axes=[0]> (x) y = Div(x, m)"
    model = models.written(f"g (float[N,2] x) => (float[N,2] y) {{ {body} }}")
    values = models.columns(9, 2).astype(np.float32)
    loaded = sqlscore.load(model, outputs={"p": "y[0]", "q": "y[1]"})
    assert loaded.proof.rowwise
    found = loaded.predict(models.batch_of(values))
    alone = np.concatenate([asked(model, {"x": row[None]})["y"] for row in values])
    np.testing.assert_array_equal(found.to_pandas()[["p", "q"]].to_numpy(), alone)
    # tensors are one call of the graph
    together = asked(model, {"x": values})["y"]
    np.testing.assert_array_equal(loaded.predict({"x": values})["y"], together)


def test_tensors_without_rows_are_one_call():
    model = models.written(
        "g (float[2,3] x, int64 k, float by = {2.0}) => (float[3,2] y, int64 n) "
        "{ t = Transpose(x) y = Mul(t, by) n = Add(k, k) }"
    )
    loaded = sqlscore.load(model)
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = loaded.predict({"x": values, "k": 4})
    np.testing.assert_array_equal(found["y"], 2 * values.T)
    assert (found["n"], found["n"].shape) == (8, ())
    given = loaded.predict({"x": values, "k": 4, "by": np.array([3.0], np.float32)})
    np.testing.assert_array_equal(given["y"], 3 * values.T)
    for columns in (lambda: loaded.signature, lambda: loaded.predict(frame())):
        with pytest.raises(SignatureError, match="no input of the model has a free first"):
            columns()
    assert "of tensors" in repr(loaded)
    with pytest.raises(SignatureError, match="no input of the model has a free first"):
        sqlscore.load(model, features=["a", "b"])


def test_sequences_go_in_and_come_out_as_lists():
    model = models.written("g (seq(float[N]) s, int64 i) => (float[N] y) { y = SequenceAt(s, i) }")
    parts = [np.array([1.0, 2.0], np.float32), np.array([3.0], np.float32)]
    assert sqlscore.load(model).predict({"s": parts, "i": 1})["y"].tolist() == [3.0]
    with pytest.raises(ModelError, match="failed while it ran"):
        sqlscore.load(model).predict({"s": "text", "i": 1})


def test_a_graph_for_one_row_takes_tensors_of_several():
    mixing = "g (float[1,2] x) => (float[1,2] y) { m = ReduceMax <axes=[0]> (x) y = Sub(x, m) }"
    plain = "g (float[1,2] x) => (float[1,2] y) { y = Neg(x) }"
    values = models.columns(9, 2).astype(np.float32)
    for model, expected in ((mixing, 0 * values), (plain, -values)):
        loaded = sqlscore.load(models.written(model))
        np.testing.assert_array_equal(loaded.predict({"x": values})["y"], expected)
        np.testing.assert_array_equal(loaded.predict({"x": values[:1]})["y"], expected[:1])
    with pytest.raises(SignatureError, match="no row to tell its outputs"):
        sqlscore.load(models.written(mixing)).predict({"x": values[:0]})


def test_tensors_by_input_name_come_back_by_output_name():
    model = sqlscore.load(models.logistic(labels=("no", "maybe", "yes")), drop=["output_label"])
    values = models.columns(20, 4).astype(np.float32)
    found = model.predict({"X": values})
    own = asked(models.logistic(zipmap=False, labels=("no", "maybe", "yes")), {"X": values})
    assert set(found) == {"output_label", "output_probability"}
    assert found["output_label"].tolist() == own["label"].tolist()
    assert found["output_probability"].tobytes() == own["probabilities"].tobytes()
    assert model.predict({"X": values[:0]})["output_probability"].shape == (0, 3)


def test_tensors_of_more_than_two_dimensions_keep_their_shape():
    model = models.written(
        "g (float[N,2,3] x) => (float[N,3,2] y) { y = Transpose<perm=[0,2,1]>(x) }"
    )
    values = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    found = sqlscore.load(model).predict({"x": values})["y"]
    np.testing.assert_array_equal(found, values.transpose(0, 2, 1))
    frames = pd.DataFrame({"x": list(values)})
    flat = sqlscore.load(model).predict(frames)["y"]
    np.testing.assert_array_equal(np.array(flat.tolist()).ravel(), found.ravel())


def test_numbers_are_converted_where_they_stay_of_their_kind():
    model = sqlscore.load(models.one_hot())
    feeds: dict[str, Any] = {
        "age": np.array([40, 50]),
        "spend": np.array([1.5, 2.5]),
        "city": np.array(["Bern", "Genève"]),
        "plan": ["pro", "plus"],
    }
    expected = model.predict(pd.DataFrame({k: list(v) for k, v in feeds.items()}))
    assert model.predict(feeds)["output_label"].tolist() == expected["output_label"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": None}, "the input 'x' is missing. The model's inputs are: 'x' float"),
        ({"xx": [[1.0]]}, r"'xx' is no input of the model. Did you mean 'x'\?"),
        ({"x": np.zeros((3, 3), np.float32)}, r"'x' float\[N, 2\] was given .* shape \[3, 3\]"),
        ({"x": np.zeros(2, np.float32)}, r"shape \[2\]"),
        ({"x": np.zeros((2, 2), "U3")}, "array of <U3"),
        ({"n": np.zeros((2, 1))}, r"'n' int64\[N, 1\] was given an array of float64"),
        ({"n": np.zeros((3, 1), int)}, "different numbers of rows: 'x' 2, 'n' 3"),
        ({"t": np.array([["a"], [None]])}, "objects that are not all text"),
        ({"t": np.zeros((2, 1))}, r"'t' string\[N, 1\]"),
    ],
)
def test_tensors_that_do_not_fit_are_told(change: dict[str, Any], message: str):
    inputs = "float[N,2] x, int64[N,1] n, string[N,1] t"
    outputs = "float[N,2] y, int64[N,1] m, string[N,1] u"
    body = "y = Neg(x) m = Neg(n) u = Identity(t)"
    model = sqlscore.load(models.written(f"g ({inputs}) => ({outputs}) {{ {body} }}"))
    feeds: dict[str, Any] = {
        "x": np.zeros((2, 2), np.float32),
        "n": np.zeros((2, 1), np.int64),
        "t": np.array([["a"], ["b"]], object),
    }
    assert set(model.predict(feeds)) == {"y", "m", "u"}
    given = {name: value for name, value in (feeds | change).items() if value is not None}
    with pytest.raises(SignatureError, match=message):
        model.predict(given)


def test_constants_are_given_by_the_caller():
    model = models.written("g (float[N,2] x, float[1] by) => (float[N,2] y) { y = Mul(x, by) }")
    loaded = sqlscore.load(model, outputs={"p": "y[0]"}, features=["a", "b"])
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    by = np.array([10.0], np.float32)
    assert loaded.predict(rows, constants={"by": by})["p"].tolist() == [10.0, 20.0]
    with pytest.raises(SignatureError, match="'by'"):
        loaded.predict(rows)
    tensors = {"x": rows.to_numpy(), "by": by}
    assert loaded.predict(tensors)["y"].tolist() == [[10.0, 30.0], [20.0, 40.0]]


def test_outputs_are_named_and_dropped():
    model = sqlscore.load(
        models.logistic(labels=("gone", "stays")),
        features=NAMES,
        outputs={"score": "output_probability[gone]"},
        drop=["output_label", "output_probability[stays]"],
    )
    assert model.predict(frame()).columns.tolist() == ["score"]


@pytest.mark.parametrize("source", ["path", "str", "bytes", "proto"])
def test_a_model_is_loaded_from_a_path_bytes_or_what_was_parsed(source: str, tmp_path):
    model = models.logistic()
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    given = {
        "path": path,
        "str": str(path),
        "bytes": model,
        "proto": onnx.ModelProto.FromString(model),
    }[source]
    loaded = sqlscore.load(given)
    assert (loaded.name, loaded.version) == (None, None)
    assert len(loaded.sha256) == 64
    assert len(loaded.signature.features) == 4


def test_no_model_is_an_error():
    for wrong in (b"", b"not a model", "no such file.onnx"):
        with pytest.raises(ModelError):
            sqlscore.load(wrong)


def test_what_is_no_rows_is_an_error():
    model = sqlscore.load(models.logistic(), features=NAMES)
    for wrong in ([[1.0, 2.0, 3.0, 4.0]], np.zeros((2, 4)), frame()["a"], pl.Series([1.0]), None):
        with pytest.raises(SignatureError, match="rows are a pandas or polars DataFrame"):
            model.predict(wrong)
    with pytest.raises(SignatureError, match=r"LazyFrame. Call its collect\(\) first"):
        model.predict(pl.from_pandas(frame()).lazy())


def test_a_provider_that_is_not_here_is_an_error():
    model = sqlscore.load(models.logistic(), features=NAMES)
    with pytest.raises(ProviderError, match="unknown provider 'gpu'"):
        model.predict(frame(), provider="gpu")


def test_a_predictor_is_loaded_once():
    model = sqlscore.load(models.logistic(), features=NAMES)
    one = model.predictor()
    assert model.predictor("cpu", {}) is one
    other = model.predictor("cpu", {"a": 0.0})
    assert other is not one
    assert model.predictor("cpu", {"a": NullPolicy.default(0.0)}) is other


def test_threads_may_share_a_model():
    model = sqlscore.load(models.lightgbm(), features=NAMES)
    rows = [frame(20 + i) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.predict, rows))
    for given, one in zip(rows, found, strict=True):
        pd.testing.assert_frame_equal(one, model.predict(given))


def test_a_model_can_be_pickled():
    model = sqlscore.load(models.logistic(), features=NAMES, outputs={"p": "output_probability[1]"})
    expected = model.predict(frame())
    copy = pickle.loads(pickle.dumps(model))
    assert copy.sha256 == model.sha256
    assert copy.signature == model.signature
    assert copy.proof == model.proof
    pd.testing.assert_frame_equal(copy.predict(frame()), expected)
    assert len(pickle.dumps(model)) < len(models.logistic()) + 2000


def test_a_proof_of_another_onnxruntime_is_made_anew():
    from dataclasses import replace

    from sqlscore.graph import read

    proof = sqlscore.load(models.logistic()).proof
    old = replace(proof, onnxruntime="1.0.0", rowwise=True, reason="a bug of that version")
    assert sqlscore.Model(read(models.logistic()), proof=old).proof == proof
    kept = replace(proof, reason="kept", rowwise=True)
    assert sqlscore.Model(read(models.logistic()), proof=kept).proof == kept


def test_a_model_says_what_it_is():
    model = sqlscore.load(models.logistic(), features=NAMES)
    told = repr(model)
    assert told.startswith("<Model 4 features -> output_label, output_probability_0")
    assert model.sha256[:12] in told


def test_a_signature_is_described_as_a_table():
    shown = describe(sqlscore.load(models.xgboost(missing=True), features=NAMES).signature)
    assert shown.splitlines()[:3] == [
        "feature  type   input  NULL",
        "-------  -----  -----  ----",
        "a        float  x[0]   NaN",
    ]
    assert shown.splitlines()[-1] == "variable    float  variable"
    unnamed = describe(sqlscore.load(models.logistic()).signature)
    assert "name them by features=[…], or give exactly 4 columns" in unnamed
    text = "g (float[N,1] x, float[3] by) => (float[N,3] y) { y = Mul(x, by) }"
    shown = describe(sqlscore.load(models.written(text)).signature)
    assert "constant  type\n--------  --------\nby        float[3]" in shown
    assert shown.splitlines()[-1] == "y           list<float>  y[3]"
