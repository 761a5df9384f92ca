"""The operators that have a SQL form: domain and name -> the function that gives it.

An operator is a function of its node, the dialect's facts and its input tensors; it gives one
tensor, or one an output, or raises `Refused` with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.pushdown import (
    activations,
    comparisons,
    elementwise,
    ensembles,
    features,
    linear,
    lookups,
    reductions,
    shapes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ML = "ai.onnx.ml"

OPERATORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("", "Abs"): activations.absolute,
    ("", "Add"): elementwise.add,
    ("", "ArgMax"): reductions.arg_max,
    ("", "ArgMin"): reductions.arg_min,
    ("", "Cast"): features.cast,
    ("", "Clip"): activations.clip,
    ("", "Concat"): shapes.concat,
    ("", "Div"): elementwise.divide,
    ("", "Equal"): comparisons.compared,
    ("", "Erf"): activations.erf,
    ("", "Exp"): activations.exponential,
    ("", "Flatten"): shapes.flatten,
    ("", "Gather"): shapes.gather,
    ("", "Gemm"): linear.gemm,
    ("", "Greater"): comparisons.compared,
    ("", "GreaterOrEqual"): comparisons.compared,
    ("", "Identity"): shapes.identity,
    ("", "LeakyRelu"): activations.leaky_relu,
    ("", "Less"): comparisons.compared,
    ("", "LessOrEqual"): comparisons.compared,
    ("", "Log"): activations.logarithm,
    ("", "MatMul"): linear.matmul,
    ("", "Mean"): elementwise.mean,
    ("", "Mul"): elementwise.multiply,
    ("", "Neg"): activations.minus,
    ("", "Not"): comparisons.negated,
    ("", "Pow"): elementwise.power,
    ("", "Reciprocal"): activations.reciprocal,
    ("", "ReduceL1"): reductions.size_sum,
    ("", "ReduceL2"): reductions.norm,
    ("", "ReduceLogSumExp"): reductions.log_sum_exp,
    ("", "ReduceMax"): reductions.largest,
    ("", "ReduceMean"): reductions.mean,
    ("", "ReduceMin"): reductions.smallest,
    ("", "ReduceProd"): reductions.product,
    ("", "ReduceSum"): reductions.total,
    ("", "ReduceSumSquare"): reductions.square_sum,
    ("", "Relu"): activations.relu,
    ("", "Reshape"): shapes.reshape,
    ("", "Sigmoid"): activations.sigmoid,
    ("", "Slice"): shapes.slice_,
    ("", "Softmax"): reductions.soft_max,
    ("", "Split"): shapes.split,
    ("", "Sqrt"): activations.root,
    ("", "Squeeze"): shapes.squeeze,
    ("", "Sub"): elementwise.subtract,
    ("", "Sum"): elementwise.add,
    ("", "Tanh"): activations.tanh,
    ("", "Transpose"): shapes.transpose,
    ("", "Unsqueeze"): shapes.unsqueeze,
    ("", "Where"): comparisons.where,
    (ML, "ArrayFeatureExtractor"): shapes.array_feature_extractor,
    (ML, "Binarizer"): comparisons.binarizer,
    (ML, "FeatureVectorizer"): shapes.feature_vectorizer,
    (ML, "Imputer"): features.imputer,
    (ML, "LabelEncoder"): lookups.label_encoder,
    (ML, "LinearClassifier"): linear.classifier,
    (ML, "LinearRegressor"): linear.regressor,
    (ML, "Normalizer"): reductions.normalizer,
    (ML, "OneHotEncoder"): lookups.one_hot,
    (ML, "Scaler"): features.scaler,
    (ML, "TreeEnsemble"): ensembles.ensemble,
    (ML, "TreeEnsembleClassifier"): ensembles.classifier,
    (ML, "TreeEnsembleRegressor"): ensembles.regressor,
}
