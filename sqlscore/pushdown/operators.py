"""The operators that have a SQL form: domain and name -> the function that gives it.

An operator is a function of its node, the dialect's facts and its input tensors; it gives one
tensor, or one an output, or raises `Refused` with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.pushdown import (
    activations,
    comparisons,
    dimensions,
    elementwise,
    ensembles,
    features,
    kernels,
    largest,
    linear,
    logic,
    lookups,
    networks,
    places,
    reductions,
    shapes,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ML = "ai.onnx.ml"

OPERATORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("", "Abs"): activations.absolute,
    ("", "Add"): elementwise.add,
    ("", "And"): logic.conjunction,
    ("", "ArgMax"): largest.arg_max,
    ("", "ArgMin"): largest.arg_min,
    ("", "Cast"): features.cast,
    ("", "Clip"): activations.clip,
    ("", "Concat"): shapes.concat,
    ("", "ConstantOfShape"): dimensions.constant_of_shape,
    ("", "Div"): elementwise.divide,
    ("", "Elu"): networks.elu,
    ("", "Equal"): comparisons.compared,
    ("", "Erf"): activations.erf,
    ("", "Exp"): activations.exponential,
    ("", "Expand"): dimensions.expand,
    ("", "Flatten"): shapes.flatten,
    ("", "Gather"): places.gather,
    ("", "Gemm"): linear.gemm,
    ("", "Greater"): comparisons.compared,
    ("", "GreaterOrEqual"): comparisons.compared,
    ("", "HardSigmoid"): networks.hard_sigmoid,
    ("", "Identity"): shapes.identity,
    ("", "IsNaN"): logic.is_nan,
    ("", "LeakyRelu"): activations.leaky_relu,
    ("", "Less"): comparisons.compared,
    ("", "LessOrEqual"): comparisons.compared,
    ("", "Log"): activations.logarithm,
    ("", "LogSoftmax"): networks.log_soft_max,
    ("", "LpNormalization"): reductions.lp_normalization,
    ("", "MatMul"): linear.matmul,
    ("", "Max"): reductions.maximum,
    ("", "Mean"): elementwise.mean,
    ("", "Min"): reductions.minimum,
    ("", "Mul"): elementwise.multiply,
    ("", "Neg"): activations.minus,
    ("", "Not"): logic.negated,
    ("", "Or"): logic.disjunction,
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
    ("", "Scan"): kernels.scan,
    ("", "Selu"): networks.selu,
    ("", "Shape"): dimensions.shape,
    ("", "Sigmoid"): activations.sigmoid,
    ("", "Sign"): logic.sign,
    ("", "Slice"): shapes.slice_,
    ("", "Softmax"): reductions.soft_max,
    ("", "Softplus"): networks.softplus,
    ("", "Softsign"): networks.softsign,
    ("", "Split"): shapes.split,
    ("", "Sqrt"): activations.root,
    ("", "Squeeze"): shapes.squeeze,
    ("", "StringNormalizer"): lookups.string_normalizer,
    ("", "Sub"): elementwise.subtract,
    ("", "Sum"): elementwise.add,
    ("", "Tanh"): activations.tanh,
    ("", "Transpose"): shapes.transpose,
    ("", "Unsqueeze"): shapes.unsqueeze,
    ("", "Where"): comparisons.where,
    ("", "Xor"): logic.exclusive,
    (ML, "ArrayFeatureExtractor"): places.array_feature_extractor,
    (ML, "Binarizer"): comparisons.binarizer,
    (ML, "FeatureVectorizer"): shapes.feature_vectorizer,
    (ML, "Imputer"): features.imputer,
    (ML, "LabelEncoder"): lookups.label_encoder,
    (ML, "LinearClassifier"): linear.classifier,
    (ML, "LinearRegressor"): linear.regressor,
    (ML, "Normalizer"): reductions.normalizer,
    (ML, "OneHotEncoder"): lookups.one_hot,
    (ML, "SVMClassifier"): vectors.classifier,
    (ML, "SVMRegressor"): vectors.regressor,
    (ML, "Scaler"): features.scaler,
    (ML, "TreeEnsemble"): ensembles.ensemble,
    (ML, "TreeEnsembleClassifier"): ensembles.classifier,
    (ML, "TreeEnsembleRegressor"): ensembles.regressor,
}

#: those that give a value for each value, wherever the rows are
VALUE_BY_VALUE = frozenset({
    "Abs", "Add", "And", "Cast", "Clip", "Div", "Elu", "Equal", "Erf", "Exp", "Greater",
    "GreaterOrEqual", "HardSigmoid", "Identity", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "Max", "Mean", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid",
    "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "Where", "Xor",
})  # fmt: skip
#: those that know where the rows are, and may move them
SHAPING = frozenset({
    "ArrayFeatureExtractor", "Concat", "Flatten", "Gather", "Reshape", "Shape", "Slice", "Split",
    "Squeeze", "Transpose", "Unsqueeze",
    *(operator for domain, operator in OPERATORS if operator.startswith("Reduce")),
})  # fmt: skip
