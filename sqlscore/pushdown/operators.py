"""The operators that have a SQL form: domain and name -> the function that gives it.

An operator is a function of its node, the dialect's facts and its input tensors; it gives one
tensor, or one an output, or raises `Refused` with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.pushdown import ensembles, features, linear, shapes

if TYPE_CHECKING:
    from collections.abc import Callable

ML = "ai.onnx.ml"

OPERATORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("", "Cast"): features.cast,
    ("", "Concat"): shapes.concat,
    ("", "Gemm"): linear.gemm,
    ("", "Identity"): shapes.identity,
    ("", "MatMul"): linear.matmul,
    ("", "Reshape"): shapes.reshape,
    (ML, "Imputer"): features.imputer,
    (ML, "LinearClassifier"): linear.classifier,
    (ML, "LinearRegressor"): linear.regressor,
    (ML, "Scaler"): features.scaler,
    (ML, "TreeEnsembleClassifier"): ensembles.classifier,
    (ML, "TreeEnsembleRegressor"): ensembles.regressor,
}
