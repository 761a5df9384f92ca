"""What columns of pandas, polars and Arrow become on their way to a feature, NULL included."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import sqlscore
from sqlscore.errors import SignatureError
from sqlscore.model.frames import rows_of
from tests.fixtures import models


def same(element: str) -> sqlscore.Model:
    """A model with one column of an element type, `x`, that comes out as `y`."""
    return sqlscore.load(
        models.written(f"g ({element}[N,1] x) => ({element}[N,1] y) {{ y = Identity(x) }}")
    )


def column(rows: Any) -> pa.Array:
    return rows_of(rows).column(0)


NUMBERS = [
    pd.Series([1.5, -2.0, None]),
    pd.Series([1.5, -2.0, np.nan], dtype="float32"),
    pd.Series([1.5, -2.0, pd.NA], dtype="Float64"),
    pd.Series([1.5, -2.0, None], dtype=object),
    pd.Series([1.5, -2.0, np.nan], dtype=object),
    pd.Series([Decimal("1.5"), Decimal(-2), None], dtype=object),
    pd.Series([1.5, -2.0, None], dtype="float64[pyarrow]"),
    pd.Series([1.5, -2.0, None]).astype("category"),
    pd.arrays.SparseArray([1.5, -2.0, np.nan]),
]


@pytest.mark.parametrize("given", NUMBERS, ids=lambda given: str(given.dtype))
def test_numbers_of_pandas(given: Any):
    found = same("float").predict(pd.DataFrame({"x": given}))["y"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1.5, -2.0, np.nan])


@pytest.mark.parametrize("given", NUMBERS[:2], ids=lambda given: str(given.dtype))
def test_nan_of_pandas_is_null(given: pd.Series[float]):
    # pandas itself cannot tell the two apart in such a column
    assert column(pd.DataFrame({"x": given})).null_count == 1
    with pytest.raises(SignatureError, match="'x' has 1 NULL"):
        same("float").predict(pd.DataFrame({"x": given}), nulls={"x": "error"})


WHOLE = [
    pd.Series([1, 2, 300]),
    pd.Series([1, 2, 300], dtype="int16"),
    pd.Series([1, 2, 300], dtype="Int64"),
    pd.Series([1, 2, 300], dtype="int64[pyarrow]"),
    pd.Series([1.0, 2.0, 300.0]),
    pd.Series([1, 2, 300], dtype=object),
]


@pytest.mark.parametrize("given", WHOLE, ids=lambda given: str(given.dtype))
@pytest.mark.parametrize("element", ["int64", "int32", "uint16", "float", "double"])
def test_whole_numbers_of_pandas(given: Any, element: str):
    found = same(element).predict(pd.DataFrame({"x": given}))["y"]
    assert found.tolist() == [1, 2, 300]
    assert found.dtype == np.dtype({"float": "float32", "double": "float64"}.get(element, element))


def test_na_in_a_whole_number_makes_the_prediction_null():
    given = pd.DataFrame({"x": pd.Series([2**60 + 1, pd.NA], dtype="Int64")})
    found = same("int64").predict(pa.Table.from_pandas(given))
    assert found.column("y").to_pylist() == [2**60 + 1, None]
    assert same("int64").predict(given, nulls={"x": 5})["y"].tolist() == [2**60 + 1, 5]


@pytest.mark.parametrize("dtype", [bool, "boolean", "bool[pyarrow]", object])
@pytest.mark.parametrize("element", ["bool", "int64", "float"])
def test_booleans_of_pandas(dtype: Any, element: str):
    given = pd.DataFrame({"x": pd.Series([True, False, True], dtype=dtype)})
    assert same(element).predict(given)["y"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", [object, "str", "string", "category", "string[pyarrow]"])
def test_text_of_pandas(dtype: Any):
    given = pd.DataFrame({"x": pd.Series(["ä", "", "ä", None], dtype=dtype)})
    found = same("string").predict(given)["y"]
    assert found.tolist()[:3] == ["ä", "", "ä"]
    assert found.isna().tolist() == [False, False, False, True]
    default = same("string").predict(given, nulls={"x": "=none"})["y"]
    assert default.tolist() == ["ä", "", "ä", "none"]


def test_text_with_nan_in_an_object_column():
    given = pd.DataFrame({"x": pd.Series(["a", np.nan], dtype=object)})
    assert same("string").predict(given)["y"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("given", "element", "message"),
    [
        (pd.Series(["1", "2"]), "float", "'x' takes a number .*string"),
        (pd.Series(["1", "2"], dtype="category"), "int64", "'x' takes a number .*string"),
        (pd.Series([1.0, 2.0]), "string", "'x' takes text.*double"),
        (pd.Series([dt.datetime(2026, 1, 1)]), "float", "'x' takes a number .*timestamp"),
        (pd.Series([dt.datetime(2026, 1, 1)]), "int64", "'x' takes a number .*timestamp"),
        (pd.Series([pd.Timedelta(1, "s")]), "double", "'x' takes a number .*duration"),
        (pd.Series([1.5, 2.0]), "int64", "'x' takes int64.*not whole"),
        (pd.Series([1, 300]), "int8", "'x' takes int8.*out of range"),
        (pd.Series([1, "a"], dtype=object), "float", r"'x' holds values .*\(int, str\)"),
        (pd.Series([object()], dtype=object), "float", r"'x' holds values .*\(object\)"),
    ],
)
def test_what_is_of_another_kind_names_the_column(given: Any, element: str, message: str):
    with pytest.raises(SignatureError, match=message):
        same(element).predict(pd.DataFrame({"x": given}))


def test_an_error_of_types_shows_no_contents():
    given = pd.DataFrame({"x": pd.Series([1, "secret"], dtype=object)})
    with pytest.raises(SignatureError) as error:
        same("float").predict(given)
    assert "secret" not in str(error.value)


def test_columns_that_no_feature_takes_are_not_even_looked_at():
    given = pd.DataFrame({"x": [1.0], "odd": [object()], "when": [dt.datetime(2026, 1, 1)]})
    assert same("float").predict(given)["y"].tolist() == [1.0]


def test_names_of_pandas_columns_are_text():
    multi = pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert rows_of(multi).names == ("a.x", "a.y")
    assert rows_of(pd.DataFrame([[1.0, 2.0]])).names == ("0", "1")


@pytest.mark.parametrize(
    ("series", "element", "expected"),
    [
        (pl.Series([1.5, float("nan"), None]), "float", [1.5, float("nan"), None]),
        (pl.Series([1, 2, None], dtype=pl.UInt8), "float", [1.0, 2.0, None]),
        (pl.Series([1, 2, None], dtype=pl.Int64), "int32", [1, 2, None]),
        (pl.Series([True, None]), "bool", [True, None]),
        (pl.Series(["ä", None]), "string", ["ä", None]),
        (pl.Series(["ä", "b", None], dtype=pl.Categorical), "string", ["ä", "b", None]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])), "string", ["b", "a"]),
        (pl.Series([Decimal("1.25")], dtype=pl.Decimal(10, 2)), "double", [1.25]),
        (pl.Series([None, None]), "float", [None, None]),
        (pl.Series([None, None]), "string", [None, None]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_columns_of_polars(series: pl.Series, element: str, expected: list[Any]):
    found = same(element).predict(pl.DataFrame({"x": series}))
    assert isinstance(found, pl.DataFrame)
    assert [str(v) for v in found["y"].to_list()] == [str(v) for v in expected]


@pytest.mark.parametrize(
    ("array", "element", "expected"),
    [
        (pa.array([1, 2, None], pa.decimal128(10, 2)), "double", [1.0, 2.0, None]),
        (pa.array(["a", None], pa.large_string()), "string", ["a", None]),
        (pa.array(["a", None], pa.string_view()), "string", ["a", None]),
        (pa.array(["a", "a", None]).dictionary_encode(), "string", ["a", "a", None]),
        (pa.array([1.0, 2.0]).dictionary_encode(), "float", [1.0, 2.0]),
        (pa.nulls(2), "float", [None, None]),
        (pc.run_end_encode(pa.array([1.0, 1.0, None])), "float", [1.0, 1.0, None]),
        (pa.array([2**63 + 1], pa.uint64()), "uint64", [2**63 + 1]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_columns_of_arrow(array: pa.Array, element: str, expected: list[Any]):
    for rows in (pa.table({"x": array}), pa.record_batch({"x": array})):
        found = same(element).predict(rows)
        assert type(found) is type(rows)
        assert found.column("y").to_pylist() == expected


def test_what_gives_itself_as_an_arrow_stream_comes_back_as_a_table():
    import duckdb

    with duckdb.connect() as connection:
        relation = connection.sql("SELECT 1.5::DOUBLE AS x UNION ALL SELECT NULL ORDER BY x")
        found = same("float").predict(relation)
    assert isinstance(found, pa.Table)
    assert found.column("y").to_pylist() == [1.5, None]


def test_dictionaries_that_differ_between_pieces_of_a_column():
    pieces = pa.chunked_array([pa.array(t).dictionary_encode() for t in (["a"], ["b", "a"])])
    found = same("string").predict(pa.table({"x": pieces}))
    assert found.column("y").to_pylist() == ["a", "b", "a"]


def test_a_slice_of_a_batch_gives_its_own_rows():
    batch = pa.record_batch({"x": pa.array([1.0, 2.0, None, 4.0])})
    assert same("float").predict(batch.slice(1, 2)).column("y").to_pylist() == [2.0, None]


TENSOR = "g (float[N,2,2] x) => (float[N,2,2] y) { y = Neg(x) }"


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"x": list(np.ones((3, 2, 2)))}),
        pd.DataFrame({"x": list(np.ones((3, 4)))}),
        pd.DataFrame({"x": [[[1, 1], [1, 1]]] * 3}),
        pd.DataFrame({"x": ["[1, 1, 1, 1]"] * 3}),
        pl.DataFrame({"x": np.ones((3, 2, 2))}),
        pl.DataFrame({"x": [[1.0] * 4] * 3}),
        pa.table({"x": [[1.0] * 4] * 3}),
    ],
    ids=["arrays", "flat arrays", "lists", "JSON", "polars array", "polars list", "arrow"],
)
def test_a_tensor_in_one_column(given: Any):
    found = sqlscore.load(models.written(TENSOR)).predict(given)["y"]
    rows = found.to_pylist() if isinstance(found, pa.ChunkedArray) else found
    np.testing.assert_array_equal(np.array([list(row) for row in rows]), -np.ones((3, 4)))


def test_neither_pandas_nor_polars_needs_to_be_installed(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(models.logistic())
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('pandas', 'polars'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import pyarrow as pa, sqlscore\n"
        f"model = sqlscore.load({str(path)!r}, features=['a', 'b', 'c', 'd'])\n"
        "print(model.predict(pa.table({n: [1.0] for n in 'abcd'})).num_rows)\n"
        "print(model.predict(pa.record_batch({n: [1.0] for n in 'abcd'})).num_rows)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "1"], done.stderr
