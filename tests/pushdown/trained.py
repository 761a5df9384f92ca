"""Models as scikit-learn's and XGBoost's users train them, over the columns a, b, c."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

OPSETS = {"": 18, "ai.onnx.ml": 3}


@cache
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Features of two decimals, and a class of three."""
    draw = np.random.default_rng(3)
    x = np.round(draw.normal(size=(400, 3)) * [1, 5, 0.3], 2).astype(np.float32)
    score = x[:, 0] + 0.3 * x[:, 1] * (x[:, 2] > 0) + np.sin(3 * x[:, 2])
    return x, np.digitize(score, np.quantile(score, [0.35, 0.7]))


def _fitted(make: Callable[[], Any], target: Callable[[np.ndarray], np.ndarray]) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common import tree_ensemble

    x, classes = rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make().fit(x, target(classes))
        options = {"zipmap": False} if hasattr(model, "predict_proba") else None
        with patch.object(tree_ensemble, "add_node", _whole(tree_ensemble.add_node)):
            proto = to_onnx(model, x[:1], options=options, target_opset=OPSETS)
    whole: bytes = proto.SerializeToString()
    return whole


def _whole(add: Callable[..., None]) -> Callable[..., None]:
    """The converter's own function, with a number for the flag that onnx takes no boolean for."""

    def added(*given: Any, nodes_missing_value_tracks_true: bool = False, **named: Any) -> None:
        add(*given, nodes_missing_value_tracks_true=int(nodes_missing_value_tracks_true), **named)

    return added


def two(classes: np.ndarray) -> np.ndarray:
    """Two classes."""
    return (classes > 0).astype(int)


def three(classes: np.ndarray) -> np.ndarray:
    """Three classes, named."""
    return np.take(np.array(["low", "mid", "high"]), classes)


def number(classes: np.ndarray) -> np.ndarray:
    """A number to predict."""
    found: np.ndarray = np.add(classes, rows()[0][:, 0] / 7)
    return found


@cache
def models() -> dict[str, bytes]:
    """Name -> model. Each is trained in milliseconds."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import (
        AdaBoostClassifier,
        BaggingRegressor,
        ExtraTreesRegressor,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
    )
    from sklearn.linear_model import (
        LinearRegression,
        LogisticRegression,
        PoissonRegressor,
        SGDClassifier,
    )
    from sklearn.naive_bayes import BernoulliNB, GaussianNB
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import (
        MinMaxScaler,
        Normalizer,
        PolynomialFeatures,
        StandardScaler,
    )
    from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    trees: dict[str, Any] = {"max_depth": 4, "random_state": 0}
    boosted: dict[str, Any] = {"max_iter": 6, "max_leaf_nodes": 8, "random_state": 0}
    made: dict[str, tuple[Callable[[], Any], Callable[[np.ndarray], np.ndarray]]] = {
        "decision tree": (lambda: DecisionTreeClassifier(**trees), three),
        "random forest of two": (lambda: RandomForestClassifier(4, **trees), two),
        "random forest of three": (lambda: RandomForestClassifier(4, **trees), three),
        "extra trees": (lambda: ExtraTreesRegressor(4, **trees), number),
        "gradient boosting of two": (
            lambda: GradientBoostingClassifier(n_estimators=5, **trees), two,
        ),
        "gradient boosting of three": (
            lambda: GradientBoostingClassifier(n_estimators=3, **trees), three,
        ),
        "histogram boosting": (lambda: HistGradientBoostingClassifier(**boosted), two),
        "histogram boosting of three": (lambda: HistGradientBoostingClassifier(**boosted), three),
        "histogram boosting, regression": (
            lambda: HistGradientBoostingRegressor(**boosted), number,
        ),
        "adaboost": (lambda: AdaBoostClassifier(n_estimators=4, random_state=0), three),
        "bagging": (
            lambda: BaggingRegressor(DecisionTreeRegressor(max_depth=3), 3, random_state=0), number,
        ),
        "scaled tree": (
            lambda: make_pipeline(StandardScaler(), DecisionTreeClassifier(**trees)), three,
        ),
        "logistic of three": (lambda: LogisticRegression(), three),
        "linear": (lambda: make_pipeline(MinMaxScaler(clip=True), LinearRegression()), number),
        "polynomial": (
            lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression()),
            three,
        ),
        "poisson": (lambda: PoissonRegressor(), lambda classes: np.abs(number(classes))),
        "linear, normalised": (lambda: make_pipeline(Normalizer(), LinearRegression()), number),
        "principal components": (lambda: make_pipeline(PCA(2), LogisticRegression()), two),
        "stochastic gradient": (lambda: SGDClassifier(random_state=0), three),
        "support vectors, linear": (lambda: LinearSVC(random_state=0), two),
        "support vectors": (lambda: SVC(C=10), two),
        "support vectors, polynomial": (
            lambda: make_pipeline(StandardScaler(), SVC(kernel="poly", C=10)), two,
        ),
        "support vectors, regression": (lambda: SVR(C=10, epsilon=0.5), number),
        "support vectors, one class": (lambda: OneClassSVM(nu=0.05), number),
        "network": (lambda: MLPClassifier((6,), max_iter=20, random_state=0), three),
        "network of two": (
            lambda: MLPClassifier((5, 4), activation="tanh", max_iter=20, random_state=0), two,
        ),
        "network, regression": (
            lambda: MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0), number,
        ),
        "naive bayes": (lambda: GaussianNB(), three),
        "naive bayes of bits": (lambda: BernoulliNB(), two),
        "k-means": (lambda: KMeans(3, n_init=1, random_state=0), number),
    }  # fmt: skip
    found = {name: _fitted(make, target) for name, (make, target) in made.items()}
    return {**found, "xgboost of two decimals": _xgboost()}


def _xgboost() -> bytes:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, classes = rows()
    fitted = xgboost.XGBClassifier(n_estimators=12, max_depth=4, tree_method="hist", n_jobs=1)
    fitted.fit(x, two(classes))
    proto = convert_xgboost(fitted, initial_types=[("x", FloatTensorType([None, 3]))])
    whole: bytes = proto.SerializeToString()
    return whole
