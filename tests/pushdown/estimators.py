"""Estimators of scikit-learn, fitted on small tables and converted as their users do it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

OPSETS = {"": 18, "ai.onnx.ml": 3}

PLAIN, POSITIVE, WHOLE, TEXT = "a, b, c", "a, b, c, none negative", "n", "t"
TWO, THREE, CLASSES, BOTH = "two", "three", "classes", "two of two"
NUMBER, AMOUNT, PAIR, NOTHING = "number", "amount", "pair", "nothing"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An estimator to fit, on which rows and for which target."""

    make: Callable[[], Any]
    target: str = NUMBER
    rows: str = PLAIN
    count: int | None = None  #: how many of the rows; None: all
    refused: str = ""  #: the operator that has no SQL form, or why the converter makes no model
    drop: tuple[str, ...] = ()  #: outputs that no column can hold
    tame: bool = False  #: at the edges of float32 ONNX Runtime overflows on its way, and SQL not
    bound: float = 5e-6  #: of a difference, where ONNX Runtime cancels or adds up a lot


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """Features of two decimals, and a class of three."""
    draw = np.random.default_rng(3)
    x = np.round(draw.normal(size=(400, 3)) * [1, 5, 0.3], 2).astype(np.float32)
    score = x[:, 0] + 0.3 * x[:, 1] * (x[:, 2] > 0) + np.sin(3 * x[:, 2])
    return x, np.digitize(score, np.quantile(score, [0.35, 0.7]))


def features(rows: str) -> np.ndarray:
    """The rows that an estimator is fitted on."""
    x, classes = table()
    if rows == POSITIVE:
        return np.asarray(np.abs(x) + np.float32(0.25))
    if rows == WHOLE:
        return np.asarray(classes[:, None] + (x[:, :1] > 0), np.int64)
    if rows == TEXT:
        return np.take(np.array(["Bern", "bern", "Genève", "it's"], object), features(WHOLE))
    return x


def target(name: str) -> np.ndarray | None:
    """What is predicted; None where the rows are all that there is."""
    x, classes = table()
    number = classes + x[:, 0] / 7
    made: dict[str, np.ndarray] = {
        TWO: (classes > 0).astype(int),
        BOTH: np.stack([classes > 0, classes > 1], axis=1).astype(int),
        THREE: np.take(np.array(["low", "mid", "high"]), classes),
        NUMBER: number,
        AMOUNT: np.abs(number) + 0.1,
        PAIR: np.stack([number, 2 * number - 1], axis=1),
        CLASSES: classes,
    }
    return made.get(name)


def converted(recipe: Recipe) -> bytes:
    """The estimator, fitted, as its converter makes it."""
    from skl2onnx import to_onnx
    from skl2onnx.common import data_types, tree_ensemble
    from sklearn.base import is_classifier

    x = features(recipe.rows)[: recipe.count]
    kinds = {WHOLE: ("n", data_types.Int64TensorType), TEXT: ("t", data_types.StringTensorType)}
    name, kind = kinds.get(recipe.rows, ("x", data_types.FloatTensorType))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, y = recipe.make(), target(recipe.target)
        model.fit(x[:, 0]) if y is None else model.fit(x, y[: recipe.count])
        maps = is_classifier(model) and hasattr(model, "predict_proba")
        options = {"zipmap": False} if maps else None
        with patch.object(tree_ensemble, "add_node", _whole(tree_ensemble.add_node)):
            proto = to_onnx(
                model, initial_types=[(name, kind([None, x.shape[1]]))], options=options,
                target_opset=OPSETS,
            )  # fmt: skip
    made: bytes = proto.SerializeToString()
    return made


def _whole(add: Callable[..., None]) -> Callable[..., None]:
    """The converter's own function, with a number for the flag that onnx takes no boolean for."""

    def added(*given: Any, nodes_missing_value_tracks_true: bool = False, **named: Any) -> None:
        add(*given, nodes_missing_value_tracks_true=int(nodes_missing_value_tracks_true), **named)

    return added
