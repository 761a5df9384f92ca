"""Rows in a table, a model compiled for its database, and what ONNX Runtime itself says of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import onnx
import onnxruntime
import psycopg
import pyarrow as pa
import pymysql
import pyodbc

import sqlscore
from sqlscore import graph as graphs
from sqlscore.model.compiling import compile
from tests.contract import tables
from tests.pushdown.libraries import Library, WentWrongError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.fixtures.databases import Database

PROBABILITY = 1e-6  #: the bound of a probability's difference
DATABASE_ERRORS = (
    duckdb.Error, psycopg.Error, pymysql.Error, sqlite3.Error, pyodbc.Error, WentWrongError,
)  # fmt: skip
ULP = 2.0**-24  #: the last bit of a probability

#: values at the edges of float32 and of double
EDGES = (
    0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.0**-150, 2.0**-149, -(2.0**-149), 1.1754942e-38,
    float(np.finfo(np.float32).max), -float(np.finfo(np.float32).max), 3.4028235677973366e38,
    1e39, -1e39, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan, 16777217.0,
)  # fmt: skip


def around(thresholds: Iterable[float]) -> np.ndarray:
    """Doubles at, just under and just over each threshold, and where rounding goes to it."""
    found: list[float] = []
    for t in np.unique(np.asarray(list(thresholds), np.float32)):
        with np.errstate(over="ignore"):
            up, down = (np.float64(np.nextafter(t, np.float32(s))) for s in (np.inf, -np.inf))
        at = np.float64(t)
        for middle in (at, (at + up) / 2, (at + down) / 2):
            found += [middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)]
    return np.array(found)


def hard_rows(x: np.ndarray, values: Sequence[np.ndarray], most: int = 4000) -> np.ndarray:
    """The rows, and rows with one feature at a hard value of its own; NULL is None in them."""
    draw = np.random.default_rng(0)
    rows = [x]
    for feature, hard in enumerate(values):
        hard = np.concatenate([hard[: most // len(values)], EDGES])
        more = x[draw.integers(0, len(x), len(hard))].copy()
        more[:, feature] = hard
        rows.append(more)
    return np.concatenate(rows)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Predictions by name, from the database and from ONNX Runtime; None is NULL."""

    found: dict[str, list[Any]]
    expected: dict[str, list[Any]]

    def assert_equal(self, bound: float = 0.0) -> None:
        """Labels and NULLs are equal; numbers within the bound, or bit for bit."""
        self.assert_close(0.0, bound)

    def assert_close(self, relative: float, absolute: float) -> None:
        """The same, with a bound that grows with the value too."""
        assert self.found.keys() == self.expected.keys()
        for name, values in self.expected.items():
            wrong = [
                (row, a, b)
                for row, (a, b) in enumerate(zip(self.found[name], values, strict=True))
                if not _same(a, b, relative, absolute)
            ]
            assert not wrong, f"{name}: {len(wrong)} of {len(values)}: {wrong[:5]}"


def _same(found: Any, expected: Any, relative: float, absolute: float) -> bool:
    if expected is None or found is None or isinstance(expected, str):
        return bool(found is expected or found == expected)
    if isinstance(expected, list):
        return (
            found is not None
            and len(found) == len(expected)
            and all(_same(a, b, relative, absolute) for a, b in zip(found, expected, strict=True))
        )
    a, b = np.float32(found), np.float32(expected)
    if np.isnan(b) or np.isinf(b) or isinstance(expected, int):
        return bool(a == b or (np.isnan(a) and np.isnan(b)))
    return bool(abs(float(a) - float(b)) <= absolute + relative * abs(float(b)))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table of rows in a database, and the same rows here."""

    database: Database | Library
    table: str
    given: dict[str, list[Any]]

    @classmethod
    def store(
        cls,
        database: Database | Library,
        columns: Mapping[str, Sequence[Any]],
        *,
        nulls: Sequence[tuple[int, str]] = (),
        table: str = "rows_to_score",
    ) -> Rows:
        """Rows without those that the product cannot hold; `nulls` are places (row, column)."""
        given = {name: list(values) for name, values in columns.items()}
        for row, name in nulls:
            given[name][row] = None
        if not database.product.infinity:
            rows = zip(*given.values(), strict=True)
            kept = [row for row in rows if not any(_infinite(value) for value in row)]
            given = dict(zip(given, map(list, zip(*kept, strict=True)), strict=True))
        if not database.product.nan:
            given = {n: [None if v != v else v for v in values] for n, values in given.items()}
        stored = {name: pa.array(values) for name, values in given.items()}
        stored["id"] = pa.array(range(len(next(iter(given.values())))), pa.int64())
        if isinstance(database, Library):
            database.store(table, stored)
        else:
            types: dict[str, pa.DataType | str] = {n: stored[n].type for n in ("id", *given)}
            tables.write(database, tables.create(database, table, types), stored)
        return cls(database=database, table=table, given=given)

    def ask(self, model: bytes, **options: Any) -> Answers:
        """The model's predictions by SQL, and by ONNX Runtime."""
        loaded = sqlscore.load(model, **options)
        names = [prediction.name for prediction in loaded.signature.predictions]
        return Answers(
            found=dict(zip(names, self.selected(loaded), strict=True)),
            expected=self._expected(loaded),
        )

    def selected(self, model: sqlscore.Model) -> list[list[Any]]:
        """The model's predictions by SQL, a list for each."""
        rows = sorted(self._rows(model), key=lambda row: row[0])
        assert [row[0] for row in rows] == list(range(len(rows)))
        return [[_value(v) for v in column] for column in list(zip(*rows, strict=True))[1:]]

    def _rows(self, model: sqlscore.Model) -> list[tuple[Any, ...]]:
        """The key and the predictions by SQL."""
        query = compile(model, dialect=self.database.name, table=self.table, key="id")
        if isinstance(self.database, Library):
            return self.database.ask(query)
        with self.database.engine.connect() as connection:
            driver = connection.connection.cursor()
            if self.database.name == "postgres":
                driver.execute("SET jit = off")
            driver.execute(query)
            return list(driver.fetchall())

    def _expected(self, model: sqlscore.Model) -> dict[str, list[Any]]:
        """ONNX Runtime's own answer to float32 features, and NULL where design says so."""
        kinds = {one.name: one for one in model.signature.inputs}
        rows = len(next(iter(self.given.values())))
        lost = np.zeros(rows, bool)
        feeds: dict[str, list[np.ndarray]] = {}
        for feature in model.signature.features:
            values = self.given[feature.name]
            absent = [value is None for value in values]
            lost |= np.array(absent) & (not feature.missing)
            fill: Any = np.nan if pa.types.is_floating(feature.type) else 0
            dtype = feature.type.to_pandas_dtype()
            if pa.types.is_string(feature.type):
                fill, dtype = "", object
            filled = [fill if gone else v for gone, v in zip(absent, values, strict=True)]
            with np.errstate(all="ignore"):
                feeds.setdefault(feature.input, []).append(np.array(filled).astype(dtype))
        tensors = {
            name: columns[0] if len(kinds[name].shape) == 1 else np.stack(columns, axis=1)
            for name, columns in feeds.items()
        }
        outputs = run(graphs.rewrite(model.graph), tensors)
        found: dict[str, list[Any]] = {}
        for one in model.signature.predictions:
            array = outputs[one.output].reshape(rows, -1)
            picked = array if pa.types.is_list(one.type) else array[:, one.position or 0]
            values = [None if gone else v for gone, v in zip(lost, picked.tolist(), strict=True)]
            found[one.name] = [_storable(v, self.database) for v in values]
        return found


def ask(
    database: Database | Library,
    model: bytes,
    x: np.ndarray,
    *,
    features: Sequence[str],
    nulls: Sequence[tuple[int, int]] = (),
) -> Answers:
    """A block of doubles, stored and scored; `nulls` are places (row, feature)."""
    columns = dict(zip(features, np.asarray(x, np.float64).T.tolist(), strict=True))
    named = [(row, features[feature]) for row, feature in nulls]
    return Rows.store(database, columns, nulls=named).ask(model, features=features)


def _value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isinf(value))


def counted(found: Sequence[str | None]) -> str:
    """What went wrong, a line each, after its number; empty where nothing did."""
    wrong = [one for one in found if one]
    return "\n".join([f"{len(wrong)} of {len(found)}", *wrong]) if wrong else ""


def _storable(value: Any, database: Database | Library) -> Any:
    """NaN out is NULL where the product has none, and so is ±inf."""
    if isinstance(value, float):
        if np.isnan(value) and not database.product.nan:
            return None
        if np.isinf(value) and not database.product.infinity:
            return None
    return value


def run(model: bytes, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of ONNX Runtime, all rows at once on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    wanted = [one.name for one in session.get_outputs()]
    return dict(zip(wanted, session.run(wanted, dict(tensors)), strict=True))


def thresholds(model: bytes) -> list[np.ndarray]:
    """The thresholds of a model's ensembles, by feature."""
    found: dict[int, set[float]] = {}
    for node in onnx.ModelProto.FromString(model).graph.node:
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if "nodes_featureids" not in given or "nodes_values" not in given:
            continue
        for feature, value, mode in zip(
            given["nodes_featureids"], given["nodes_values"], given["nodes_modes"], strict=True
        ):
            if mode != b"LEAF":
                found.setdefault(feature, set()).add(value)
    return [around(found.get(i, ())) for i in range(max(found, default=-1) + 1)]
