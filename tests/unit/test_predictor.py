"""Predictions are ONNX Runtime's, bit for bit, whatever the batch; NULL, NaN and ±inf by rule."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

from sqlscore.errors import ModelError, SignatureError
from sqlscore.graph import read, rewrite, signature_of
from sqlscore.predictor import Counts, NullPolicy, Predictor
from tests.fixtures import models

if TYPE_CHECKING:
    from collections.abc import Callable

#: onnxruntime 1.27 had no kernel for it yet, and 1.30 has
COSINES_OF_DOUBLES = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 30)
ROWS = 4 * 4080 + 1  # four slices and a row


def predictor(given: bytes, *, original: bool = False, options=None, **settings) -> Predictor:
    graph = read(given)
    model = graph.stored if original else rewrite(graph)
    return Predictor(model, signature_of(graph, **(options or {})), **settings)


def reference(given: bytes, feeds, names) -> dict[str, np.ndarray]:
    """ONNX Runtime by itself, one thread, 1,600 rows at a time.

    Its own bits are not the same in all batches: see `sqlscore/predictor/kernels.py`.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(rewrite(read(given)), options)
    rows = len(next(iter(feeds.values())))
    parts = [
        session.run(names, {name: value[start : start + 1600] for name, value in feeds.items()})
        for start in range(0, rows, 1600)
    ]
    return {name: np.concatenate([p[i] for p in parts]) for i, name in enumerate(names)}


def elementwise(element: str) -> bytes:
    """Kernels whose last, incomplete vector is computed by other code."""
    first = "Cos" if element == "float" or COSINES_OF_DOUBLES else "Exp"
    return models.written(
        f"g ({element}[N,4] x) => ({element}[N,4] a, {element}[N,4] b) {{"
        f" a = {first}(x) s = Sin(x) b = Tanh(s) }}"
    )


def bits(array: np.ndarray) -> list[object]:
    if array.dtype.kind == "f":
        array = np.ascontiguousarray(array).view(f"i{array.dtype.itemsize}")
    return list(array.tolist())


BLOCKS: dict[str, Callable[[], bytes]] = {
    "logistic": models.logistic,
    "logistic, labels in text": lambda: models.logistic(zipmap=False, labels=("n", "y", "z")),
    "mlp": models.mlp,
    "lightgbm": models.lightgbm,
    "xgboost": models.xgboost,
    "imputed forest": models.imputed_forest,
    "logistic, four classes": lambda: models.logistic(zipmap=False, labels=("a", "b", "c", "d")),
    "element-wise on floats": lambda: elementwise("float"),
    "element-wise on doubles": lambda: elementwise("double"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_same_bits_whatever_the_batch(name):
    given = BLOCKS[name]()
    values = models.columns(ROWS, 4)
    predict = predictor(given)
    outputs = list(dict.fromkeys(one.output for one in predict.signature.predictions))
    block = predict.signature.inputs[0]
    feeds = {block.name: values.astype("f4" if block.element == "float" else "f8")}
    expected = reference(given, feeds, outputs)
    batch = models.batch_of(values)
    whole = predict(batch).batch
    for one in predict.signature.predictions:
        array = expected[one.output]
        column = array if one.position is None else array[:, one.position]
        found = whole.column(one.name)
        found = found.flatten() if pa.types.is_list(one.type) else found
        assert bits(found.to_numpy(zero_copy_only=False)) == bits(column.reshape(-1)), one.name
    for rows in (1, 2, 7, 1000, 4079, 4080, 4081, 8191, 8192, 8193):
        for start in (0, 5, ROWS - rows):
            part = predict(batch.slice(start, rows)).batch
            assert part.equals(whole.slice(start, rows)), (rows, start)
    assert predict(batch).counts == Counts(rows=ROWS)


def test_text_columns_give_the_same_bits_whatever_the_batch():
    given, batch = models.one_hot(), models.people(9000)
    predict = predictor(given)
    feeds = {
        name: np.array(batch.column(name).to_pylist(), dtype).reshape(-1, 1)
        for name, dtype in zip(batch.schema.names, ("f4", "f4", "O", "O"), strict=True)
    }
    expected = reference(given, feeds, ["output_label", "output_probability"])
    whole = predict(batch).batch
    assert whole.column("output_label").to_pylist() == expected["output_label"].tolist()
    scores = expected["output_probability"]
    assert bits(whole.column("output_probability_1").to_numpy()) == bits(scores[:, 1])
    for rows in (1, 2, 7, 8191, 8193):
        assert predict(batch.slice(3, rows)).batch.equals(whole.slice(3, rows))
    encoded = batch.set_column(2, "city", batch.column("city").dictionary_encode())
    assert predict(encoded).batch.equals(whole)


@pytest.mark.parametrize("given", [models.logistic, models.lightgbm])
def test_the_original_with_its_maps_gives_the_same_columns(given):
    batch = models.batch_of(models.columns(100, 4))
    assert predictor(given(), original=True)(batch).batch.equals(predictor(given())(batch).batch)


def test_row_by_row_where_the_batch_cannot_be_freed():
    given = models.written(
        "g (float[1,3] x) => (float[1,1] y) <float[1] one = {1}> {"
        " s = ReduceSum<keepdims = 1>(x) y = Mul(s, one) }"  # sums over all rows of a batch
    )
    values = models.columns(50, 3)
    graph = read(given)
    predict = Predictor(graph.stored, signature_of(graph), rowwise=True)
    session = onnxruntime.InferenceSession(graph.stored)
    expected = [session.run(None, {"x": row[None]})[0].item() for row in values.astype(np.float32)]
    assert predict(models.batch_of(values)).batch.column("y").to_pylist() == expected


def test_a_batch_of_one_with_maps_row_by_row():
    graph = read(models.one_hot(1))
    batch = models.people(20)
    alone = Predictor(graph.stored, signature_of(graph), rowwise=True)(batch).batch
    together = Predictor(rewrite(graph), signature_of(graph))(batch).batch
    assert alone.schema == together.schema
    assert alone.column("output_label").equals(together.column("output_label"))
    np.testing.assert_allclose(
        alone.column("output_probability_1"), together.column("output_probability_1"), atol=1e-6
    )


def test_empty_batches_are_typed():
    for given, batch in (
        (models.logistic(labels=("no", "yes")), models.batch_of(np.empty((0, 4)))),
        (models.one_hot(), models.people(5).slice(5)),
    ):
        predict = predictor(given)
        found = predict(batch)
        assert found.batch.num_rows == 0
        assert found.batch.schema == pa.schema(
            [(one.name, one.type) for one in predict.signature.predictions]
        )
        assert found.counts == Counts()


# What a value in the column f0 becomes: the feature's policy, the tally, and the predictions' NULLs
NULL_TABLE = [
    # the model handles NaN, policy, value, what is counted of f0, whether predictions are NULL
    (False, "auto", None, {"nulls": 1}, True),
    (False, "nan", None, {"nulls": 1}, False),
    (False, "null", None, {"nulls": 1}, True),
    (False, "0.5", None, {"nulls": 1}, False),
    (True, "auto", None, {"nulls": 1}, False),
    (True, "null", None, {"nulls": 1}, True),
    (True, "nan", None, {"nulls": 1}, False),
    (False, "auto", np.nan, {"nans": 1}, False),
    (True, "auto", np.nan, {"nans": 1}, False),
    (False, "auto", np.inf, {"infinities": 1}, False),
    (True, "auto", -np.inf, {"infinities": 1}, False),
    (False, "auto", 1e300, {"overflows": 1}, False),
    (True, "null", -1e300, {"overflows": 1}, False),
]


@pytest.mark.parametrize(("handles", "policy", "value", "tally", "null"), NULL_TABLE)
def test_null_nan_and_infinity(handles, policy, value, tally, null):
    given = models.imputed_forest() if handles else models.mlp()
    values = models.columns(20, 4)
    columns = [values[:, j].tolist() for j in range(4)]
    columns[0][7] = value
    batch = pa.RecordBatch.from_pydict({f"f{j}": column for j, column in enumerate(columns)})
    found = predictor(given, nulls={"f0": NullPolicy.of(policy)})(batch)

    fed = values.astype(np.float32)
    with np.errstate(over="ignore"):
        fed[7, 0] = {"0.5": 0.5}.get(policy, np.nan) if value is None else np.float32(value)
    name = found.batch.schema.names[-1]
    output = "variable" if handles else "probabilities"
    expected = reference(given, {"X": fed}, [output])[output][:, -1]

    assert found.batch.num_rows == 20
    assert {k: n for k, n in tallied(found.counts, "f0").items() if n} == tally
    rest = np.arange(20) != 7
    assert bits(found.batch.column(name).to_numpy(zero_copy_only=False)[rest]) == bits(
        expected[rest]
    )
    assert [column[7].is_valid for column in found.batch.columns] == [
        not null
    ] * found.batch.num_columns
    if not null:
        np.testing.assert_equal(found.batch.column(name)[7].as_py(), expected[7].item())


def tallied(counts: Counts, name: str) -> dict[str, int]:
    tally = counts.features[name]
    return {k: getattr(tally, k) for k in ("nulls", "nans", "infinities", "overflows")}


def test_rows_that_are_lost_keep_their_places_over_slices():
    values = models.columns(ROWS, 4)
    whole = predictor(models.logistic())(models.batch_of(values)).batch
    lost = np.zeros(ROWS, bool)
    lost[[0, 1, 8191, 8192, ROWS - 1]] = True
    first = pa.array(values[:, 0], mask=lost)
    batch = models.batch_of(values).set_column(0, "f0", first)
    found = predictor(models.logistic())(batch)
    assert found.batch.schema == whole.schema
    for name in whole.schema.names:
        expected = pa.array(whole.column(name).to_numpy(), mask=lost)
        assert found.batch.column(name).equals(expected)
    assert found.counts.features["f0"].nulls == 5
    assert found.counts.predictions["output_label"].nulls == 5


def test_a_batch_of_nothing_but_nulls():
    batch = pa.RecordBatch.from_arrays([pa.nulls(5)] * 4, names=["age", "spend", "city", "plan"])
    found = predictor(models.one_hot())(batch)
    assert found.batch.num_rows == 5
    assert all(column.null_count == 5 for column in found.batch.columns)
    assert found.counts.features["city"].nulls == 5


def test_null_into_other_types():
    text = "g ({0}[N,1] x) => ({0}[N,1] y) {{ y = Identity(x) }}"
    for element, values in (
        ("int64", [1, None, 3]),
        ("bool", [True, None]),
        ("string", ["a", None]),
    ):
        predict = predictor(models.written(text.format(element)))
        batch = pa.RecordBatch.from_pydict({"x": values})
        assert predict(batch).batch.column("y").to_pylist() == values
    floats = pa.RecordBatch.from_pydict({"x": [1.0, np.nan, None]})
    found = predictor(models.written(text.format("int64")))(floats)
    assert found.batch.column("y").to_pylist() == [1, None, None]


def test_defaults_are_of_the_features_type():
    text = models.written("g (string[N,1] x) => (string[N,1] y) { y = Identity(x) }")
    batch = pa.RecordBatch.from_pydict({"x": ["a", None]})
    encoded = pa.RecordBatch.from_arrays([pa.array(["a", None]).dictionary_encode()], names=["x"])
    for given in (batch, encoded):
        found = predictor(text, nulls={"x": NullPolicy.of("=nan")})(given)
        assert found.batch.column("y").to_pylist() == ["a", "nan"]
    number = models.written("g (float[N,1] x) => (float[N,1] y) { y = Identity(x) }")
    integers = pa.RecordBatch.from_pydict({"x": [1, None]})
    found = predictor(number, nulls={"x": NullPolicy.of("0.5")})(integers)
    assert found.batch.column("y").to_pylist() == [1.0, 0.5]


def test_policies_that_do_not_fit():
    with pytest.raises(SignatureError, match=r"no such feature\. Did you mean 'age'"):
        predictor(models.one_hot(), nulls={"aeg": NullPolicy.NAN})
    with pytest.raises(SignatureError, match="the feature 'city' is string and cannot be NaN"):
        predictor(models.one_hot(), nulls={"city": NullPolicy.NAN})
    with pytest.raises(SignatureError, match="the feature 'age' is 'old', which is no float"):
        predictor(models.one_hot(), nulls={"age": NullPolicy.of("old")})
    with pytest.raises(SignatureError, match=f"the feature 'age' is {10**30}, which is no float"):
        predictor(models.one_hot(), nulls={"age": NullPolicy.default(10**30)})
    with pytest.raises(SignatureError, match="'f0' has 2 NULLs, and its NULL policy is"):
        predictor(models.mlp(), nulls={"f0": NullPolicy.ERROR})(
            pa.RecordBatch.from_pydict({f"f{j}": [1.0, None, None] for j in range(4)})
        )


def test_policies_are_read_and_written():
    for text in ("auto", "error", "nan", "null", "=0.5", "=nan"):
        assert str(NullPolicy.of(text)) == text
    assert NullPolicy.of(3) == NullPolicy.default(3)
    assert NullPolicy.of("NULL") == NullPolicy.NULL
    with pytest.raises(ValueError, match="exactly where its rule is DEFAULT"):
        NullPolicy(rule=NullPolicy.NAN.rule, value=1)


def test_what_comes_out_is_counted():
    given = models.written(
        "g (float[N,2] x) => (float[N,2] y, float[N,1] s) {"
        " y = Log(x) s = ReduceMax<keepdims = 1, axes = [1]>(y) }"
    )
    batch = models.batch_of(np.array([[1, 1], [-1, 0], [0, 1]], np.float64))
    found = predictor(given)(batch)
    assert found.counts.to_json() == (
        '{"rows": 3, "features": {}, "predictions": '
        '{"y": {"nans": 1, "infinities": 2}, "s": {"nans": 1}}}'
    )


def test_counts_add_up_and_survive_json():
    predict = predictor(models.mlp())
    values = {f"f{j}": [1.0, np.nan, None, 1e200] for j in range(4)}
    one = predict(pa.RecordBatch.from_pydict(values)).counts
    both = one + one + Counts()
    assert both.rows == 8
    assert both.features["f2"].nulls == 2 * one.features["f2"].nulls == 2
    assert both.features["f2"].overflows == 2
    assert Counts.from_json(both.to_json()) == both
    assert Counts.from_json(Counts().to_json()) == Counts()


def test_columns_that_do_not_fit_are_named():
    predict = predictor(models.one_hot())
    batch = models.people(3)
    with pytest.raises(SignatureError, match="the model takes the columns 'age', 'spend', 'city'"):
        predict(batch.select(["spend", "age", "city", "plan"]))
    with pytest.raises(SignatureError, match="the feature 'spend' takes a number"):
        predict(batch.set_column(1, "spend", pa.array(["1", "2", "x"])))
    with pytest.raises(SignatureError, match="'plan' takes text, and its column is int64"):
        predict(batch.set_column(3, "plan", pa.array([1, 2, 3])))


def test_only_the_outputs_of_predictions_are_made():
    given = models.written(
        "g (float[N,2] x, int64[N,1] i) => (float[N,2] y, int64[K,2] t) {"
        " f = Cast<to = 1>(i) y = Add(x, f) n = NonZero(x) t = Transpose(n) }"
    )
    batch = models.batch_of(np.ones((3, 2))).append_column("i", pa.array([1, 2, 3]))
    found = predictor(given, options={"drop": ["t"]})(batch)
    assert found.batch.column("y").to_pylist() == [[2, 2], [3, 3], [4, 4]]
    with pytest.raises(ModelError, match=r"'t' .* does not belong to rows.*drop=\['t'\]"):
        predictor(given)(batch)


def test_constants_and_unused_inputs_are_fed():
    text = "g (float[N,2] x, float t, string[N,1] idle) => (float[N,2] y) { y = Mul(x, t) }"
    batch = models.batch_of(np.ones((3, 2)))
    for original in (False, True):
        predict = predictor(
            models.written(text), original=original, constants={"t": np.float64(2.5)}
        )
        assert predict(batch).batch.column("y").to_pylist() == [[2.5, 2.5]] * 3
    with pytest.raises(SignatureError, match=r"'t' float\[\] has no batch dimension.*constants="):
        predictor(models.written(text))


def test_tensor_columns_and_lost_rows():
    given = models.written(
        "g (float[N,2,2] x) => (float[N,2] y) <int64[1] a = {2}> {"
        " y = ReduceSum<keepdims = 0>(x, a) }"
    )
    batch = pa.RecordBatch.from_pydict(
        {"x": [[[1.0, 2.0], [3.0, 4.0]], None, [[5.0, 6.0], [7.0, 8.0]]]}
    )
    found = predictor(given)(batch)
    assert found.batch.column("y").to_pylist() == [[3, 7], None, [11, 15]]
    with pytest.raises(SignatureError, match="NULL has no default there"):
        predictor(given, nulls={"x": NullPolicy.of(1)})


def test_a_model_that_fails_in_the_middle():
    given = models.written(
        "g (int64[N] i) => (float[N] y) <float[3] t = {1, 2, 3}> { y = Gather(t, i) }"
    )
    good = pa.RecordBatch.from_pydict({"i": [0, 2]})
    predict = predictor(given)
    assert predict(good).batch.column("y").to_pylist() == [1, 3]
    with pytest.raises(ModelError, match="the model failed while it ran"):
        predict(pa.RecordBatch.from_pydict({"i": [0] * 9000 + [9]}))
    assert predict(good).batch.column("y").to_pylist() == [1, 3]


def test_outputs_that_are_inputs_keep_every_slice():
    given = models.written("g (float[N,1] x) => (float[N,1] x, float[N,1] y) { y = Neg(x) }")
    values = models.columns(ROWS, 1)
    found = predictor(given)(models.batch_of(values, ["x"])).batch
    assert found.column("x").to_numpy().tolist() == values[:, 0].astype(np.float32).tolist()


def test_several_threads_share_a_predictor():
    predict = predictor(models.lightgbm())
    batches = [models.batch_of(models.columns(9000, 4, seed)) for seed in range(6)]
    alone = [predict(batch) for batch in batches]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(predict, batches))
    assert all(a.batch.equals(b.batch) for a, b in zip(alone, together, strict=True))
