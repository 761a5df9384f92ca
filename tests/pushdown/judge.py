"""Rows in a table, a model compiled for its database, and what ONNX Runtime itself says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa

import sqlscore
from sqlscore import graph as graphs
from sqlscore.model.compiling import compile
from tests.contract import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlscore.signature import Signature
    from tests.fixtures.databases import Database

PROBABILITY = 1e-6  #: the bound of a probability's difference
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
    rows: int

    def assert_equal(self, bound: float = 0.0) -> None:
        """Labels and NULLs are equal; numbers within the bound, or bit for bit."""
        assert self.found.keys() == self.expected.keys()
        for name, values in self.expected.items():
            wrong = [
                (row, a, b)
                for row, (a, b) in enumerate(zip(self.found[name], values, strict=True))
                if not _same(a, b, bound)
            ]
            assert not wrong, f"{name}: {len(wrong)} of {len(values)}: {wrong[:5]}"


def _same(found: Any, expected: Any, bound: float) -> bool:
    if expected is None or found is None or isinstance(expected, str):
        return bool(found is expected or found == expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            _same(a, b, bound) for a, b in zip(found, expected, strict=True)
        )
    a, b = np.float32(found), np.float32(expected)
    if np.isnan(b) or np.isinf(b) or isinstance(expected, int):
        return bool(a == b or (np.isnan(a) and np.isnan(b)))
    return bool(abs(float(a) - float(b)) <= bound)


def ask(
    database: Database,
    model: bytes,
    x: np.ndarray | Mapping[str, Sequence[Any]],
    *,
    nulls: Sequence[tuple[int, int]] = (),
    table: str = "rows_to_score",
    **options: Any,
) -> Answers:
    """Score the rows in the database, and by ONNX Runtime; `nulls` are places (row, feature)."""
    loaded = sqlscore.load(model, **options)
    features = [feature.name for feature in loaded.signature.features]
    given = (
        dict(zip(features, np.asarray(x, np.float64).T.tolist(), strict=True))
        if isinstance(x, np.ndarray)
        else {name: list(values) for name, values in x.items()}
    )
    if not database.product.infinity:
        kept = [i for i, row in enumerate(zip(*given.values(), strict=True)) if not _infinite(row)]
        given = {name: [values[i] for i in kept] for name, values in given.items()}
        nulls = [(kept.index(row), feature) for row, feature in nulls if row in kept]
    for row, feature in nulls:
        given[features[feature]][row] = None
    if not database.product.nan:
        given = {n: [None if v != v else v for v in values] for n, values in given.items()}
    _store(database, table, loaded.signature, given)
    dialect = database.engine.dialect.name
    query = compile(loaded, dialect=dialect, table=table, key="id")
    with database.engine.connect() as connection:
        if dialect == "postgresql":
            connection.exec_driver_sql("SET jit = off")
        driver = connection.connection.cursor()
        driver.execute(query)
        rows = sorted(driver.fetchall())
    names = [prediction.name for prediction in loaded.signature.predictions]
    columns = list(zip(*rows, strict=True))[1:]
    found = {name: [_value(v) for v in column] for name, column in zip(names, columns, strict=True)}
    expected = _expected(database, loaded, given)
    return Answers(found=found, expected=expected, rows=len(rows))


def _value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _infinite(row: Sequence[Any]) -> bool:
    return any(isinstance(v, float) and np.isinf(v) for v in row)


def _store(
    database: Database, table: str, signature: Signature, given: Mapping[str, list[Any]]
) -> None:
    types: dict[str, pa.DataType | str] = {"id": pa.int64()}
    for feature in signature.features:
        number = pa.types.is_floating(feature.type)
        types[feature.name] = pa.float64() if number else feature.type
    rows = len(next(iter(given.values())))
    columns = {"id": pa.array(range(rows), pa.int64())}
    columns |= {name: pa.array(values, types[name]) for name, values in given.items()}
    tables.write(database, tables.create(database, table, types), columns)


def _expected(
    database: Database, model: sqlscore.Model, given: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """ONNX Runtime's own answer to float32 features, and NULL where design says so."""
    signature = model.signature
    rows = len(next(iter(given.values())))
    lost = np.zeros(rows, bool)
    feeds: dict[str, list[np.ndarray]] = {}
    kinds = {one.name: one for one in signature.inputs}
    for feature in signature.features:
        values = given[feature.name]
        absent = np.array([v is None for v in values])
        if not feature.missing:
            lost |= absent
        dtype = feature.type.to_pandas_dtype()
        fill: Any = "" if dtype is np.str_ or pa.types.is_string(feature.type) else np.nan
        if not pa.types.is_floating(feature.type) and fill != "":
            fill = 0
        filled = [fill if a else v for a, v in zip(absent, values, strict=True)]
        with np.errstate(all="ignore"):
            column = np.array(filled, object if fill == "" else dtype)
        feeds.setdefault(feature.input, []).append(column)
    tensors = {
        name: columns[0] if len(kinds[name].shape) == 1 else np.stack(columns, axis=1)
        for name, columns in feeds.items()
    }
    outputs = run(graphs.rewrite(model.graph), tensors)
    found: dict[str, list[Any]] = {}
    for one in signature.predictions:
        array = outputs[one.output].reshape(rows, -1)
        picked = array if pa.types.is_list(one.type) else array[:, one.position or 0]
        values = [None if gone else v for gone, v in zip(lost, picked.tolist(), strict=True)]
        found[one.name] = [_storable(v, database) for v in values]
    return found


def _storable(value: Any, database: Database) -> Any:
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
