"""LightGBM's and XGBoost's objectives and boosters, as onnxmltools converts them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.pushdown.estimators import AMOUNT, CLASSES, NUMBER, PLAIN, TWO, features, target

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL: dict[str, Any] = {"n_estimators": 4, "random_state": 0, "n_jobs": 1}

#: objective -> what it predicts, for both libraries, and options beside it
LIGHTGBM: dict[str, tuple[str, dict[str, Any]]] = {
    "binary": (TWO, {}),
    "multiclass": (CLASSES, {}),
    "multiclassova": (CLASSES, {}),
    "regression": (NUMBER, {}),
    "regression_l1": (NUMBER, {}),
    "huber": (NUMBER, {}),
    "quantile": (NUMBER, {}),
    "poisson": (AMOUNT, {}),
    "gamma": (AMOUNT, {}),
    "tweedie": (AMOUNT, {}),
    "lambdarank": (CLASSES, {}),
    "rank_xendcg": (CLASSES, {}),
    "binary, dart": (TWO, {"boosting_type": "dart"}),
    "binary, goss": (TWO, {"data_sample_strategy": "goss"}),
    "binary, rf": (TWO, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}),
    "regression, missing": (NUMBER, {"missing": True}),
    "regression, zero is missing": (NUMBER, {"zero_as_missing": True}),
    "regression, categories": (NUMBER, {"categories": True}),
}
XGBOOST: dict[str, tuple[str, dict[str, Any]]] = {
    "binary:logistic": (TWO, {}),
    "binary:hinge": (TWO, {}),
    "multi:softprob": (CLASSES, {}),
    "multi:softmax": (CLASSES, {}),
    "reg:squarederror": (NUMBER, {}),
    "reg:absoluteerror": (NUMBER, {}),
    "reg:squaredlogerror": (AMOUNT, {}),
    "reg:pseudohubererror": (NUMBER, {}),
    "reg:gamma": (AMOUNT, {}),
    "reg:tweedie": (AMOUNT, {}),
    "count:poisson": (AMOUNT, {}),
    "reg:squarederror, missing": (NUMBER, {"missing": np.nan}),
    "reg:squarederror, categories": (NUMBER, {"categories": True}),
}


def _table(options: Mapping[str, Any]) -> np.ndarray:
    """The rows; whole numbers in the second column, or values missing in the first."""
    x = features(PLAIN).copy()
    if options.get("categories"):
        x[:, 1] = np.abs(np.trunc(x[:, 1]))
    if "missing" in options:
        x[::7, 0] = np.nan
    return x


def lightgbm_of(name: str) -> bytes:
    """A model of LightGBM for an objective."""
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    objective, _, _ = name.partition(",")
    kind, options = LIGHTGBM[name]
    x, y = _table(options), target(kind)
    given = {k: v for k, v in options.items() if k not in {"missing", "categories"}}
    fit: dict[str, Any] = {}
    if options.get("categories"):
        fit = {"categorical_feature": [1]}
        given |= {"max_cat_to_onehot": 1, "min_data_per_group": 1, "cat_smooth": 1}
    make = lightgbm.LGBMRegressor
    if kind in {TWO, CLASSES}:
        make = lightgbm.LGBMClassifier
    if "rank" in objective:
        make, fit = lightgbm.LGBMRanker, {"group": [len(x)]}
    model = make(objective=objective, num_leaves=8, verbose=-1, **SMALL, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y, **fit)
        proto = convert_lightgbm(
            model, initial_types=[("x", FloatTensorType([None, 3]))], zipmap=False
        )
    made: bytes = proto.SerializeToString()
    return made


def xgboost_of(name: str) -> bytes:
    """A model of XGBoost for an objective."""
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    objective, _, _ = name.partition(",")
    kind, options = XGBOOST[name]
    x, y = _table(options), target(kind)
    given = {k: v for k, v in options.items() if k != "categories"}
    fit: dict[str, Any] = {}
    if options.get("categories"):
        given |= {"enable_categorical": True, "feature_types": ["q", "c", "q"]}
    make = xgboost.XGBRegressor if kind in {NUMBER, AMOUNT} else xgboost.XGBClassifier
    model = make(objective=objective, max_depth=3, tree_method="hist", **SMALL, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y, **fit)
        proto = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 3]))])
    made: bytes = proto.SerializeToString()
    return made


MAKE = {"LightGBM": lightgbm_of, "XGBoost": xgboost_of}
NAMES = [f"LightGBM {name}" for name in LIGHTGBM] + [f"XGBoost {name}" for name in XGBOOST]
