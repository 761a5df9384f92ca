"""The models that are scored: trained here, kept as ONNX and as what their framework pickles."""

from __future__ import annotations

import pickle
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Convert = Callable[[bool], Any]  #: with ZipMap or without -> onnx.ModelProto
    Trained = tuple[Any, Convert]

_SAMPLE = 20_000  #: rows to train on


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One trained model, in files, and what it scores."""

    name: str
    onnx: str  #: path, as the converter makes it by default: class scores are a list of dicts
    plain: str  #: path, the same with class scores as a tensor, which is faster to use by hand
    pickled: str  #: path
    features: tuple[str, ...]
    text: tuple[str, ...]  #: features that are text; with any, each feature is an input of its own
    source: str  #: a table or a SELECT
    key: str
    nulls: dict[str, str]  #: what stands for NULL in some features


def train(name: str, folder: Path) -> Model:
    """Train the model of that name, and write its files."""
    features, text, make = _RECIPES[name]
    with quietly():
        fitted, convert = make()
        return kept(
            folder, name, fitted, convert, features=features, text=text, source=rows.TABLE,
            key=rows.KEY,
        )  # fmt: skip


def kept(
    folder: Path,
    name: str,
    fitted: Any,
    convert: Convert,
    *,
    features: tuple[str, ...],
    text: tuple[str, ...],
    source: str,
    key: str,
    nulls: dict[str, str] | None = None,
) -> Model:
    """A trained model in files: what its framework pickles, and the same as ONNX."""
    graph, plain, pickled = (folder / f"{name}.{end}" for end in ("onnx", "plain.onnx", "pickle"))
    graph.write_bytes(convert(True).SerializeToString())
    plain.write_bytes(convert(False).SerializeToString())
    pickled.write_bytes(pickle.dumps(fitted))
    return Model(
        name=name, onnx=str(graph), plain=str(plain), pickled=str(pickled),
        features=features, text=text, source=source, key=key, nulls=nulls or {},
    )  # fmt: skip


@contextmanager
def quietly() -> Iterator[None]:
    """Train without words about iterations that were not enough, and about deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _block() -> tuple[np.ndarray, np.ndarray]:
    table = rows.made(_SAMPLE, seed=1)
    values = np.column_stack([table[name].to_numpy() for name in rows.NUMBERS]).astype(np.float32)
    score = values[:, 0] + 0.5 * values[:, 1] * values[:, 2] + np.sin(values[:, 3])
    return values, score


def _logistic() -> Trained:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, score = _block()
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        values, (score > 0).astype(int)
    )
    return fitted, lambda maps: to_onnx(fitted, values[:1], options={"zipmap": maps})


def _tree() -> Trained:
    from skl2onnx import to_onnx
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    values, score = _block()
    fitted = make_pipeline(DecisionTreeClassifier(max_depth=6, random_state=0)).fit(
        values, (score > 0).astype(int)
    )
    return fitted, lambda maps: to_onnx(fitted, values[:1], options={"zipmap": maps})


def _boosting() -> Trained:
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    values, score = _block()
    fitted = make_pipeline(GradientBoostingClassifier(n_estimators=10, random_state=0)).fit(
        values, (score > 0).astype(int)
    )
    return fitted, lambda maps: to_onnx(fitted, values[:1], options={"zipmap": maps})


def _lightgbm(trees: int = 100) -> Trained:
    from lightgbm import LGBMClassifier
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    values, score = _block()
    fitted = LGBMClassifier(n_estimators=trees, num_leaves=31, verbose=-1)
    fitted.fit(values, (score > 0).astype(int))
    types = [("x", FloatTensorType([None, values.shape[1]]))]
    return fitted, lambda maps: convert_lightgbm(fitted, initial_types=types, zipmap=maps)


def _mlp() -> Trained:
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPRegressor

    values, score = _block()
    fitted = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=5, random_state=0).fit(
        values, score
    )
    return fitted, lambda _: to_onnx(fitted, values[:1])


def _one_hot() -> Trained:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = rows.made(_SAMPLE, seed=1).to_pandas()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    parts = ColumnTransformer(
        [
            ("numbers", numbers, list(_NUMBERS)),
            ("text", OneHotEncoder(handle_unknown="ignore"), list(rows.TEXT)),
        ]
    )
    wanted = (frame["f0"] > 0) & (frame["city"] != "city 0")
    fitted = make_pipeline(parts, LogisticRegression()).fit(frame, wanted.astype(int))
    types = [(name, FloatTensorType([None, 1])) for name in _NUMBERS]
    types += [(name, StringTensorType([None, 1])) for name in rows.TEXT]
    return fitted, lambda maps: to_onnx(fitted, initial_types=types, options={"zipmap": maps})


_NUMBERS = (*rows.NUMBERS[:4], rows.NULLABLE)

#: name -> its features, those of them that are text, what trains it
_RECIPES: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[], Trained]]] = {
    "logistic": (rows.NUMBERS, (), _logistic),
    "lightgbm": (rows.NUMBERS, (), _lightgbm),
    "mlp": (rows.NUMBERS, (), _mlp),
    "onehot": ((*_NUMBERS, *rows.TEXT), rows.TEXT, _one_hot),
}
NAMES = tuple(_RECIPES)

#: trees of an ensemble, to find out up to how many it is faster as SQL
TREES = (1, 5, 10, 20, 50)
_RECIPES |= {
    "tree": (rows.NUMBERS, (), _tree),
    "boosting": (rows.NUMBERS, (), _boosting),
}
_RECIPES |= {f"trees_{n}": (rows.NUMBERS, (), partial(_lightgbm, n)) for n in TREES}

ALL = tuple(_RECIPES)

#: what is compared with its form in SQL
COMPILED = ("logistic", "onehot", "tree", "boosting", *(f"trees_{n}" for n in TREES))
