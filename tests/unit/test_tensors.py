"""Arrow to tensors and back: every element type, every rounding, every refusal."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from sqlscore.errors import ModelError, SignatureError
from sqlscore.graph import read, signature_of
from sqlscore.predictor.tensors import to_columns, to_tensors
from sqlscore.types import ARROW_TYPES, NUMPY_TYPES, array_of, numbers, strings
from tests.fixtures import models


def signature(element: str, shape: str = "N,1"):
    return signature_of(
        read(
            models.written(
                f"g ({element}[{shape}] x) => ({element}[{shape}] y) {{ y = Identity(x) }}"
            )
        )
    )


def tensor(column: pa.Array, element: str, shape: str = "N,1") -> np.ndarray:
    found = signature(element, shape)
    batch = pa.RecordBatch.from_arrays([column], names=["x"])
    return to_tensors(batch, found)["x"]


NUMBERS = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "bfloat16": np.float32,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
}


@pytest.mark.parametrize("element", NUMBERS)
@pytest.mark.parametrize(
    "type_",
    [
        *(t for name, t in ARROW_TYPES.items() if name not in {"bool", "string"}),
        pa.decimal128(12, 2),
        pa.decimal256(50, 3),
        pa.dictionary(pa.int8(), pa.int64()),
    ],
    ids=str,
)
def test_every_number_feeds_every_numeric_feature(element, type_):
    column = pa.array([0, 1, 2, 100], pa.int8())
    column = column.dictionary_encode() if pa.types.is_dictionary(type_) else column.cast(type_)
    found = tensor(column, element)
    assert found.dtype == NUMBERS[element]
    assert found.shape == (4, 1)
    assert found.ravel().tolist() == [0, 1, 2, 100]


def test_shapes_follow_the_input():
    column = pa.array([1.0, 2.0])
    assert tensor(column, "float", "N").shape == (2,)
    assert tensor(column, "float", "N,1").shape == (2, 1)
    block = signature("float", "N,3")
    batch = models.batch_of(np.arange(6, dtype=np.float64).reshape(2, 3))
    found = to_tensors(batch, block)["x"]
    np.testing.assert_array_equal(found, np.arange(6, dtype=np.float32).reshape(2, 3))
    assert found.flags.c_contiguous


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 20, 33])
@pytest.mark.parametrize("rows", [0, 1, 3, 5000])
def test_blocks_of_every_width(width, rows):
    values = models.columns(rows, width) if rows else np.empty((0, width))
    names = [f"f{j}" for j in range(width)] if width > 1 else ["x"]
    found = to_tensors(models.batch_of(values, names), signature("float", f"N,{width}"))["x"]
    np.testing.assert_array_equal(found.view(np.int32), values.astype(np.float32).view(np.int32))


def test_numbers_go_through_double_to_float32():
    tie = 1 + 2**-24  # half-way between two floats: to the even one
    above = 2**53 + 2**29 + 1  # a double drops the 1, and what is left is a tie for a float
    assert tensor(pa.array([tie, -tie]), "float").ravel().tolist() == [1.0, -1.0]
    assert tensor(pa.array([above]), "float").item() == np.float32(np.float64(above))
    assert tensor(pa.array([2**64 - 1], pa.uint64()), "float").item() == 2.0**64
    assert math.copysign(1, tensor(pa.array([-0.0]), "float").item()) == -1
    extremes = tensor(
        pa.array([1e39, -1e39, np.inf, np.nan, 1e-50, 3.4028235677973366e38]), "float"
    )
    np.testing.assert_array_equal(
        extremes.ravel(), np.array([np.inf, -np.inf, np.inf, np.nan, 0, np.inf], np.float32)
    )
    assert tensor(pa.array([65520.0, 65519.9]), "float16").ravel().tolist() == [np.inf, 65504.0]


def test_decimals_are_read_exactly():
    draw = np.random.default_rng(0)
    values = [Decimal(int(n)).scaleb(-2) for n in draw.integers(-(10**10), 10**10, 2000)]
    found = tensor(pa.array(values, pa.decimal128(20, 2)), "double").ravel()
    assert found.tolist() == [float(value) for value in values]


def test_booleans():
    assert tensor(pa.array([True, False]), "float").ravel().tolist() == [1.0, 0.0]
    assert tensor(pa.array([True, False]), "int64").ravel().tolist() == [1, 0]
    assert tensor(pa.array([True, False]), "bool").ravel().tolist() == [True, False]
    assert tensor(pa.array([1, 0], pa.int16()), "bool").dtype == np.bool_
    with pytest.raises(SignatureError, match=r"'x' takes bool, and its column \(int64\)"):
        tensor(pa.array([2]), "bool")


@pytest.mark.parametrize(
    ("column", "element"),
    [
        (pa.array([300]), "int8"),
        (pa.array([-1]), "uint8"),
        (pa.array([2**63], pa.uint64()), "int64"),
        (pa.array([1.5]), "int64"),
        (pa.array([1e30]), "int64"),
        (pa.array([np.inf]), "int32"),
        (pa.array([Decimal("1.50")]), "int64"),
        (pa.array([-1.0]), "uint64"),
        (pa.array([-1]), "bool"),
    ],
    ids=str,
)
def test_an_integer_feature_takes_only_its_own_values(column, element):
    with pytest.raises(SignatureError, match=r"'x' takes .* out of range, or not whole"):
        tensor(column, element)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1", "2"]),
        pa.array(["1"]).dictionary_encode(),
        pa.array([b"1"]),
        pa.array([0], pa.date32()),
        pa.array([0], pa.timestamp("us")),
        pa.array([[1.0]]),
    ],
    ids=lambda c: str(c.type),
)
def test_what_is_no_number_is_named(column):
    with pytest.raises(SignatureError, match=r"the feature 'x' takes a number \(float\), and its"):
        tensor(column, "float")


@pytest.mark.parametrize(
    "type_",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_text_of_every_kind(type_):
    texts = ["Bern", "", "São Paulo", "Bern", "日本", "Bern\n"]
    column = pa.array(texts).cast(type_) if not pa.types.is_dictionary(type_) else None
    column = pa.array(texts).dictionary_encode() if column is None else column
    found = tensor(column, "string")
    assert found.dtype == object
    assert found.ravel().tolist() == texts
    assert all(type(text) is str for text in found.ravel())


def test_a_number_is_no_text():
    with pytest.raises(SignatureError, match="the feature 'x' takes text, and its column is int64"):
        tensor(pa.array([1]), "string")


def test_nulls_must_be_dealt_with_first():
    with pytest.raises(SignatureError, match="the feature 'x' has NULLs"):
        tensor(pa.array([1.0, None]), "float")


def test_slices_of_columns():
    column = pa.array(range(10)).slice(3, 4)
    assert tensor(column, "float").ravel().tolist() == [3, 4, 5, 6]
    assert tensor(pa.array(list("abcdef")).slice(2, 2), "string").ravel().tolist() == ["c", "d"]


GRID = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(GRID.tolist()),
        pa.array(GRID.reshape(2, 6).tolist()),
        pa.array(GRID.reshape(2, 6).tolist(), pa.list_(pa.int16(), 6)),
        pa.array(GRID.reshape(2, 6).tolist(), pa.large_list(pa.float64())),
        pa.FixedShapeTensorArray.from_numpy_ndarray(GRID),
        pa.array(["[[0,1,2],[3,4,5]]", "[6,7,8,9,10,11]"]).take([0, 0]),
        pa.array([row.tobytes() for row in GRID]),
    ],
    ids=lambda c: str(c.type),
)
@pytest.mark.parametrize("shape", ["N,2,3", "N,2,K"])
def test_columns_that_hold_a_tensor_a_row(column, shape):
    found = tensor(column, "float", shape)
    expected = GRID[[0, 0]] if pa.types.is_string(column.type) else GRID
    np.testing.assert_array_equal(found, expected)


def test_a_slice_of_lists():
    column = pa.array(GRID.reshape(4, 3).tolist()).slice(1, 2)
    np.testing.assert_array_equal(tensor(column, "float", "N,1,3").ravel(), GRID.ravel()[3:9])


@pytest.mark.parametrize(
    ("column", "message", "rows"),
    [
        (pa.array([[1.0] * 6, [3.0]]), "takes 2 by 3 values a row, and a row holds 1", (1,)),
        (pa.array([[1.0, 2.0]]), "takes 2 by 3 values a row, and a row holds 2", (0,)),
        (pa.array([[[1.0], [2.0]]]), "takes 2 by 3 values a row, and a row holds 2 by 1", (0,)),
        (pa.array([[[1.0] * 3, [2.0]]]), "a row holds lists of different lengths", (0,)),
        (pa.array([[[[1.0]]]] * 3), "and 3 rows do not: the first holds 1 by 1 by 1", (0, 1, 2)),
        (pa.array([["a"] * 6]), "takes a tensor a row: a list of numbers, a JSON array", ()),
        (pa.array([1.0]), "takes a tensor a row", ()),
        (pa.array(["[1,2,3,4,5,6]", "[1,2"]), "has text that is no JSON array", (1,)),
        (pa.array(['["a"]']), "has text that is no JSON array of numbers", (0,)),
        (pa.array([b"1234"]), "takes 2 by 3 values a row, and a row holds 1", (0,)),
        (pa.array([b"1234", b"123"]), "no whole number of float32 values of 4 bytes", (1,)),
        (pa.array([b"1" * 24, b"1" * 28]), "and a row holds 7", (1,)),
        (pa.array(["1,2,3,4,5,6"]), "has text that is no JSON array", (0,)),
        (pa.array(["[1,2,3,4],[5,6]"]), "has text that is no JSON array", (0,)),
        (pa.array(["7"]), "has text that is no JSON array", (0,)),
    ],
)
def test_tensors_that_do_not_fit(column, message, rows):
    with pytest.raises(SignatureError, match=message) as caught:
        tensor(column, "float", "N,2,3")
    assert caught.value.rows == rows


def test_a_flat_list_does_not_tell_two_free_dimensions():
    with pytest.raises(SignatureError, match=r"sizes at load or add: shapes={'x': \[…\]}"):
        tensor(pa.array([[1.0] * 6]), "float", "N,H,W")
    nested = tensor(pa.array([[[1.0, 2.0, 3.0]] * 2]), "float", "N,H,W")
    assert nested.shape == (1, 2, 3)
    braces = tensor(pa.array(["{{1,2,Infinity},{3,NaN,5}}"]), "float", "N,H,W")
    np.testing.assert_array_equal(braces, np.array([[[1, 2, np.inf], [3, np.nan, 5]]], np.float32))
    assert tensor(pa.array([[[]]], pa.list_(pa.list_(pa.float64()))), "float", "N,H,W").size == 0
    assert tensor(pa.array([[]], pa.list_(pa.list_(pa.int8()))), "float", "N,H,3").shape == (
        1,
        0,
        3,
    )


@pytest.mark.parametrize(
    "values", [[1.5], [256], [-1], [np.nan], [2**40]], ids=lambda values: str(values[0])
)
def test_whole_numbers_in_lists_stay_what_they_are(values):
    with pytest.raises(SignatureError, match=r"'x' (takes uint8|has NULLs)"):
        tensor(pa.array([values]), "uint8", "N,1,K")
    assert tensor(pa.array(["[255.0]"]), "uint8", "N,1,K").tolist() == [[[255]]]


def test_a_null_inside_makes_the_whole_null():
    for column in (
        pa.array([[[1.0, None, 3.0]] * 2]),
        pa.array([[None, [1.0]]]),
        pa.array(["[[1,2,null],[4,5,6]]"]),
        pa.array(["{{1,2,NULL},{4,5,6}}"]),
    ):
        with pytest.raises(SignatureError, match="the feature 'x' has NULLs"):
            tensor(column, "float", "N,2,3")


def outputs(text: str):
    return signature_of(read(models.written(text)))


@pytest.mark.parametrize("element", [e for e in ARROW_TYPES if e != "string"])
def test_every_element_type_comes_back(element):
    found = signature(element, "N,1")
    array = np.array([[0], [1]]).astype(NUMBERS.get(element, np.bool_))
    batch = to_columns({"y": array}, found)
    assert batch.schema == pa.schema([("y", ARROW_TYPES[element])])
    assert batch.column("y").to_pylist() == [0, 1]


def test_text_comes_back():
    found = to_columns({"y": np.array([["Bern"], ["日本"]], object)}, signature("string"))
    assert found.column("y").to_pylist() == ["Bern", "日本"]


def test_nan_stays_nan():
    found = to_columns({"y": np.array([np.nan, np.inf], np.float32)}, signature("float", "N"))
    assert found.column("y").null_count == 0
    assert math.isnan(found.column("y")[0].as_py())


def test_wide_and_deep_outputs_are_lists():
    for shape in ("N,3", "N,K", "N,3,1"):
        batch = to_columns(
            {"y": np.arange(6, dtype=np.float32).reshape(2, 3)}, signature("float", shape)
        )
        assert batch.column("y").type == pa.list_(pa.float32())
        assert batch.column("y").to_pylist() == [[0, 1, 2], [3, 4, 5]]
    assert to_columns({"y": np.empty((0, 3), np.float32)}, signature("float", "N,K")).num_rows == 0


def test_a_sequence_of_maps_becomes_columns():
    found = signature_of(read(models.logistic(labels=("no", "yes"))))
    maps = [{"no": 0.25, "yes": 0.75}, {"no": 1.0, "yes": 0.0}]
    label = np.array(["yes", "no"], object)
    batch = to_columns({"output_label": label, "output_probability": maps}, found)
    assert batch.schema.names == ["output_label", "output_probability_no", "output_probability_yes"]
    assert batch.column("output_probability_yes").to_pylist() == [0.75, 0.0]
    with pytest.raises(ModelError, match="'output_probability' is neither a tensor nor a sequence"):
        to_columns({"output_label": label, "output_probability": [{"ja": 1.0}, {}]}, found)


def test_an_output_of_another_shape_is_an_error():
    with pytest.raises(ModelError, match=r"the output 'y' has the shape \(2, 3\)"):
        to_columns({"y": np.zeros((2, 3), np.float32)}, signature("float", "N,1"))


@pytest.mark.parametrize("type_", NUMPY_TYPES, ids=str)
def test_numbers_cross_to_numpy_and_back(type_):
    column = pa.array([0, 1, None, 1, 0], pa.int8()).cast(type_)
    for part in (column, column[1:], column[:2], column[3:], column[:0]):
        found = array_of(part)
        np.testing.assert_array_equal(found, part.to_numpy(zero_copy_only=False))
        if not part.null_count:
            assert found.dtype == NUMPY_TYPES[type_]
            assert numbers(found, type_).equals(part)


def test_texts_cross_to_arrow():
    for texts in ([], [""], ["a", "", "ß😀"]):
        assert strings(texts).equals(pa.array(texts, pa.string()))
