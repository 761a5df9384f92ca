"""How many rows a graph needs so that a row's bits do not depend on the rows beside it.

Measured on ONNX Runtime's CPU kernels, one thread: rows alone, in batches of 2 to 40,000, at every
offset. Three things make a row's bits depend on its batch:

- a single row takes a matrix-vector kernel in linear models: give every run at least two rows,
  but for models that use only trees and operators that round once or never;
- element-wise kernels compute the last, incomplete vector of a tensor with other code (Log, Sin,
  Softplus and Elu on floats; Exp, Tanh and Softmax too on doubles): give every run a multiple of
  the 16 floats of the widest vector. It costs a small batch time, so models that use only
  operators that were found steady are spared it;
- a LinearClassifier's SOFTMAX of up to four classes takes another path from 16,384 scores on: keep
  runs below 4,096 rows.

`session/company.py` makes runs of such sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import ModelProto, TensorProto

from sqlscore.graph.nodes import all_nodes, all_tensors, attributes
from sqlscore.session.company import VECTOR

if TYPE_CHECKING:
    from onnx import NodeProto

_STEADY_NAMES = """
    Abs Add And ArgMax ArgMin ArrayFeatureExtractor Binarizer Cast Ceil Clip Concat Constant
    DictVectorizer Div Equal Erf Exp Expand FeatureVectorizer Flatten Floor Gather Gemm
    Greater GreaterOrEqual Identity Imputer IsInf IsNaN LabelEncoder LayerNormalization
    LeakyRelu Less LessOrEqual LinearClassifier LinearRegressor LogSoftmax MatMul Max Min Mul
    Neg Normalizer Not OneHot OneHotEncoder Or ReduceMax ReduceMin ReduceSum Relu Reshape
    Scaler Shape Sigmoid Sign Slice Softmax Split Sqrt Squeeze StringNormalizer Sub Sum Tanh
    Tile Transpose TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor Unsqueeze Where
    ZipMap
"""
_STEADY = frozenset(_STEADY_NAMES.split())
_ALONE_NAMES = """
    Abs Add And ArrayFeatureExtractor Cast Ceil Concat Constant Div Equal Expand Flatten Floor
    Gather Greater GreaterOrEqual Identity Imputer IsInf IsNaN LabelEncoder Less LessOrEqual
    Max Min Mul Neg Not OneHotEncoder Or Relu Reshape Scaler Shape Sign Slice Split Squeeze
    Sub Tile Transpose TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor Unsqueeze
    Where ZipMap
"""
_ALONE = frozenset(_ALONE_NAMES.split())


def company_of(model: bytes) -> int:
    """How many rows give each row's bits, wherever it lies among them.

    1 or 2, and any number from there on; or 16, and multiples of it.
    """
    proto = ModelProto.FromString(model)
    values = [*proto.graph.input, *proto.graph.output]
    if any(value.type.tensor_type.elem_type == TensorProto.DOUBLE for value in values):
        return VECTOR
    if any(tensor.data_type == TensorProto.DOUBLE for tensor in all_tensors(proto)):
        return VECTOR
    if not all(map(_is_steady, all_nodes(proto))):
        return VECTOR
    return 1 if all(node.op_type in _ALONE for node in all_nodes(proto)) else 2


def _is_steady(node: NodeProto) -> bool:
    if node.op_type == "Cast" and attributes(node)["to"] == TensorProto.DOUBLE:
        return False
    return node.op_type in _STEADY and node.domain in {"", "ai.onnx", "ai.onnx.ml"}
