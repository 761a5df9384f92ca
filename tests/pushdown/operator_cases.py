"""One or more small graphs for each operator, as ONNX text, over shared columns.

``a``, ``b``, ``c`` are hard floats and ``x`` is the block of them; ``n`` is a whole number, ``t`` a
text. A graph that begins with an output's type has ``x`` as its input.
"""

from __future__ import annotations

from tests.pushdown.cases import WHOLE, Case

CASES: dict[tuple[str, str], tuple[Case, ...]] = {
    ("", "Abs"): (Case("float[N,3] y { y = Abs(x) }"),),
    ("", "Add"): (
        Case("float[N,3] y <float[3] k = {0.5, -1.0, 2.0}> { y = Add(x, k) }"),
        Case("float[N,3] y { z = Neg(x) s = Sigmoid(z) y = Add(s, x) }"),
        Case("""int64[N,3] y <float k = {0.1}, int64 m = {-2}, int64 o = {1}>
            { b = Less(x, k) i = Cast <to = 7> (b) u = Mul(i, m) y = Add(u, o) }"""),
    ),
    ("", "And"): (
        Case("""bool[N,3] y <float k = {0.1}, float[3] h = {0.5, 1.5, -1.0}>
            { u = Less(x, k) v = Greater(x, h) w = Not(v) y = And(u, w) }"""),
    ),
    ("", "ArgMax"): (Case("int64[N,1] y { y = ArgMax <axis = 1> (x) }", tame=True),),
    ("", "ArgMin"): (Case("int64[N] y { y = ArgMin <axis = 1, keepdims = 0> (x) }", tame=True),),
    ("", "BatchNormalization"): (
        Case("""float[N,3] y <float[3] s = {0.5, -1.0, 2.0}, float[3] b = {0.0, 0.25, -3.0},
            float[3] m = {1.0, 0.0, -0.5}, float[3] v = {1.0, 0.25, 4.0}>
            { y = BatchNormalization (x, s, b, m, v) }"""),
    ),
    ("", "Cast"): (
        Case("float[N,3] y { d = Cast <to = 11> (x) y = Cast <to = 1> (d) }"),
        Case("float[N,3] y <float k = {0.5}> { b = Greater(x, k) y = Cast <to = 1> (b) }"),
        Case("float[N,1] y { y = Cast <to = 1> (n) }", WHOLE),
        Case("float[N,3] y { b = Cast <to = 9> (x) y = Cast <to = 1> (b) }"),
        # a guard against a sum of zero, as AdaBoost has it
        Case(
            """bool[N,3] y <int32 k = {0}, float h = {2.0}>
            { s = Sigmoid(x) e = Exp(s) t = Add(e, e) z = Cast <to = 6> (t) y = Equal(z, k) }""",
            tame=True,
        ),
    ),
    ("", "Celu"): (Case("float[N,3] y { y = Celu <alpha = 0.75> (x) }"),),
    ("", "Clip"): (
        Case("float[N,3] y <float l = {-1.0}, float h = {1.25}> { y = Clip(x, l, h) }"),
        Case("float[N,3] y <float l = {-1.0}> { y = Clip(x, l) }"),
    ),
    ("", "Concat"): (Case("float[N,6] y { z = Neg(x) y = Concat <axis = 1> (x, z) }"),),
    ("", "ConstantOfShape"): (
        Case("""float[N,4] y <int64[1] k = {1}, int64[1] a = {0}, int64[1] b = {1}>
            { s = Shape(x) r = Slice(s, a, b) t = Concat <axis = 0> (r, k)
              o = ConstantOfShape <value = float[1] {1.5}> (t) z = Concat <axis = 1> (o, x)
              y = Relu(z) }"""),
    ),
    ("", "Div"): (
        Case("float[N,3] y <float[3] k = {0.5, -3.0, 7.0}> { y = Div(x, k) }"),
        Case("float[N,3] y <float k = {2.0}> { z = Abs(x) y = Div(k, z) }", tame=True),
        Case("float[N,3] y { y = Div(x, x) }"),
    ),
    ("", "Elu"): (Case("float[N,3] y { y = Elu <alpha = 0.75> (x) }"),),
    ("", "Equal"): (
        Case("bool[N,3] y <float k = {0.5}> { y = Equal(x, k) }"),
        Case("bool[N,1] y <int64 k = {2}> { y = Equal(n, k) }", WHOLE),
    ),
    ("", "Erf"): (Case("float[N,3] y { y = Erf(x) }"),),
    ("", "Exp"): (Case("float[N,3] y { y = Exp(x) }"),),
    ("", "Expand"): (
        Case("""float[N,3] y <int64[1] a = {1}, float[1,1] k = {0.25}>
            { s = Shape(x) u = ReduceSum(x, a) z = Expand(u, s) o = Expand(k, s)
              y = Add(z, o) }"""),
    ),
    ("", "Flatten"): (
        Case("float[N,3] y { y = Flatten(x) }"),
        Case("""float[N,3] y
            { f = Flatten <axis = 0> (x) g = Relu(f) s = Shape(x) y = Reshape(g, s) }"""),
    ),
    ("", "Gather"): (
        Case("float[N,2] y <int64[2] i = {2, 0}> { y = Gather <axis = 1> (x, i) }"),
        Case(
            "int64[N,1] y <int64[3] k = {7, 8, 9}> { m = ArgMax <axis = 1> (x) y = Gather(k, m) }",
            tame=True,
        ),
        Case(
            """float[N,1] y <float[3] k = {0.25, 1.75, -2.5}>
            { m = ArgMax <axis = 1> (x) y = Gather(k, m) }""",
            tame=True,
        ),
        # a binary search, as quantiles have it
        Case("""float[N,3] y <float k = {0.1}, float[4] q = {-0.5, 0.0, 0.10000001, 0.75},
            int64 i = {0}, int64 j = {2}, int64 o = {1}>
            { u = GreaterOrEqual(x, k) m = Where(u, j, i) n = Add(m, o) t = Gather(q, n)
              v = GreaterOrEqual(x, t) w = Where(v, n, m) y = Gather(q, w) }"""),
    ),
    ("", "Gelu"): (
        Case("float[N,3] y { y = Gelu(x) }", opset=20),
        Case('float[N,3] y { y = Gelu <approximate = "tanh"> (x) }', tame=True, opset=20),
    ),
    ("", "Gemm"): (
        Case(
            """float[N,2] y
            <float[3,2] w = {0.5, -0.25, 1.0, 3.0, 0.125, -2.0}, float[2] b = {0.25, -1.0}>
            { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) }""",
            tame=True,
        ),
        Case("""float[N,2] y <float[2,3] w = {0.5, -0.25, 1.0, -0.5, 0.25, -1.0}>
            { y = Gemm <transB = 1> (x, w) }"""),
    ),
    ("", "Greater"): (
        Case("bool[N,3] y <float[3] k = {0.5, 0.0, -0.1}> { y = Greater(x, k) }"),
        Case("bool[N,3] y <float k = {0.1}> { z = Neg(x) y = Greater(z, k) }"),
    ),
    ("", "GreaterOrEqual"): (Case("bool[N,3] y <float k = {0.1}> { y = GreaterOrEqual(x, k) }"),),
    ("", "HardSigmoid"): (Case("float[N,3] y { y = HardSigmoid <alpha = 0.3> (x) }"),),
    ("", "HardSwish"): (Case("float[N,3] y { y = HardSwish(x) }"),),
    ("", "Identity"): (Case("float[N,3] y { y = Identity(x) }"),),
    ("", "IsNaN"): (Case("bool[N,3] y { y = IsNaN(x) }"),),
    ("", "LayerNormalization"): (
        Case(
            """float[N,3] y <float[3] s = {0.5, -1.0, 2.0}, float[3] b = {0.0, 0.25, -3.0}>
            { y = LayerNormalization (x, s, b) }""",
            tame=True,
        ),
    ),
    ("", "LeakyRelu"): (Case("float[N,3] y { y = LeakyRelu <alpha = 0.25> (x) }"),),
    ("", "Less"): (
        Case("""bool[N,3] y <float k = {0.1}, float f = {0.3}, float m = {1.7}>
            { s = Sub(x, f) z = Mul(s, m) y = Less(z, k) }"""),
        # by a value that is computed, which decides as a label does
        Case("bool[N,3] y <float k = {0.6}> { s = Sigmoid(x) y = Less(s, k) }"),
        Case("bool[N,3] y { z = Sub(x, x) y = Less(x, z) }"),
    ),
    ("", "LessOrEqual"): (Case("bool[N,3] y <float k = {0.1}> { y = LessOrEqual(k, x) }"),),
    ("", "Log"): (Case("float[N,3] y { y = Log(x) }"),),
    ("", "LogSoftmax"): (Case("float[N,3] y { y = LogSoftmax <axis = 1> (x) }", tame=True),),
    ("", "LpNormalization"): (
        Case("float[N,3] y { y = LpNormalization <axis = 1, p = 1> (x) }", tame=True),
        Case("float[N,3] y { y = LpNormalization <axis = 1, p = 2> (x) }", tame=True),
    ),
    ("", "MatMul"): (
        Case("float[N] y <float[3] w = {0.5, -0.25, 1.0}> { y = MatMul(x, w) }"),
        Case("float[N,1] y <float[3,1] w = {0.5, -0.25, 1.0}> { y = MatMul(x, w) }"),
        Case("""float[N,4] y
            <float[3,4] w = {0.5, -0.2, 1.0, 3.0, 0.1, -2.0, 0.0, 1.0, 1.0, 1.0, 2.0, 0.5},
             float[4] b = {0.5, 0.0, -0.5, 1.0}> { m = MatMul(x, w) a = Add(m, b) y = Relu(a) }"""),
    ),
    ("", "Max"): (Case("float[N,3] y <float k = {0.5}> { y = Max(x, k) }", tame=True),),
    ("", "Mean"): (Case("float[N,3] y { e = Sigmoid(x) z = Tanh(x) y = Mean(e, z) }"),),
    ("", "Min"): (Case("float[N,3] y { z = Neg(x) y = Min(x, z) }", tame=True),),
    ("", "Mish"): (Case("float[N,3] y { y = Mish(x) }", opset=18),),
    ("", "Mul"): (
        Case("float[N,3] y <float[3] k = {0.5, -3.0, 7.0}> { y = Mul(x, k) }"),
        Case("float[N,3] y { z = Sigmoid(x) y = Mul(x, z) }", tame=True),
    ),
    ("", "Neg"): (Case("float[N,3] y { y = Neg(x) }"),),
    ("", "Not"): (Case("bool[N,3] y <float k = {0.1}> { z = Less(x, k) y = Not(z) }"),),
    ("", "Or"): (
        Case("""bool[N,3] y <float k = {0.1}, float[3] h = {0.5, 1.5, -1.0}>
            { u = Less(x, k) v = Greater(x, h) y = Or(u, v) }"""),
    ),
    ("", "PRelu"): (Case("float[N,3] y <float[3] s = {0.5, -1.0, 0.0}> { y = PRelu(x, s) }"),),
    ("", "Pow"): (
        Case("float[N,3] y <float k = {2.0}> { y = Pow(x, k) }"),
        Case("float[N,3] y <float k = {1.5}> { z = Abs(x) y = Pow(z, k) }", tame=True),
        Case("float[N,3] y <float[3] k = {-1.5, -2.0, 3.7}> { y = Pow(x, k) }"),
        Case("float[N,3] y <float[3] k = {0.0, 5.0, 4.0}> { y = Pow(x, k) }"),
        Case("float[N,3] y <float k = {2.0}> { y = Pow(k, x) }"),
    ),
    ("", "RMSNormalization"): (
        Case(
            "float[N,3] y <float[3] s = {0.5, -1.0, 2.0}> { y = RMSNormalization (x, s) }",
            tame=True,
            opset=23,
        ),
    ),
    ("", "Reciprocal"): (Case("float[N,3] y { z = Abs(x) y = Reciprocal(z) }", tame=True),),
    ("", "ReduceL1"): (Case("float[N,1] y { y = ReduceL1 <axes = [1]> (x) }"),),
    ("", "ReduceL2"): (Case("float[N,1] y { y = ReduceL2 <axes = [1]> (x) }", tame=True),),
    ("", "ReduceLogSum"): (
        Case("float[N,1] y { z = Exp(x) y = ReduceLogSum <axes = [1]> (z) }", tame=True),
    ),
    ("", "ReduceLogSumExp"): (
        Case("float[N,1] y { y = ReduceLogSumExp <axes = [1]> (x) }", tame=True),
    ),
    ("", "ReduceMax"): (Case("float[N,1] y { y = ReduceMax <axes = [1]> (x) }", tame=True),),
    ("", "ReduceMean"): (
        # of several models, as bagging has it
        Case(
            """float[N,3] y <int64[3] s = {1, -1, 3}>
            { z = Sigmoid(x) u = Reshape(x, s) v = Reshape(z, s) w = Concat <axis = 0> (u, v)
              y = ReduceMean <axes = [0], keepdims = 0> (w) }""",
            tame=True,
        ),
        Case("float[N,1] y { y = ReduceMean <axes = [1]> (x) }", tame=True),
    ),
    ("", "ReduceMin"): (Case("float[N,1] y { y = ReduceMin <axes = [1]> (x) }", tame=True),),
    ("", "ReduceProd"): (Case("float[N,1] y { y = ReduceProd <axes = [1]> (x) }", tame=True),),
    ("", "ReduceSum"): (Case("float[N,1] y <int64[1] a = {1}> { y = ReduceSum(x, a) }"),),
    ("", "ReduceSumSquare"): (
        Case("float[N,1] y { y = ReduceSumSquare <axes = [1]> (x) }", tame=True),
    ),
    ("", "Relu"): (Case("float[N,3] y { y = Relu(x) }"),),
    ("", "Reshape"): (
        Case("""float[N,3] y <int64[3] s = {-1, 1, 3}, int64[2] t = {0, 3}>
            { z = Reshape(x, s) y = Reshape(z, t) }"""),
    ),
    ("", "Selu"): (Case("float[N,3] y { y = Selu(x) }"),),
    ("", "Shape"): (
        Case("""float[N,3] y <int64[1] k = {-1}, int64[1] a = {0}>
            { s = Shape(x) r = Gather(s, a) t = Concat <axis = 0> (r, k) y = Reshape(x, t) }"""),
    ),
    ("", "Sigmoid"): (Case("float[N,3] y { y = Sigmoid(x) }"),),
    ("", "Sign"): (Case("float[N,3] y { y = Sign(x) }"),),
    ("", "Slice"): (
        Case("""float[N,2] y <int64[1] a = {1}, int64[1] b = {3}, int64[1] c = {1}>
            { y = Slice(x, a, b, c) }"""),
    ),
    ("", "Softmax"): (Case("float[N,3] y { y = Softmax <axis = 1> (x) }", tame=True),),
    ("", "Softplus"): (Case("float[N,3] y { y = Softplus(x) }"),),
    ("", "Softsign"): (Case("float[N,3] y { y = Softsign(x) }", tame=True),),
    ("", "Split"): (Case("float[N,2] y <int64[2] s = {1, 2}> { u, y = Split <axis = 1> (x, s) }"),),
    ("", "Sqrt"): (Case("float[N,3] y { y = Sqrt(x) }"),),
    ("", "Squeeze"): (
        Case("""float[N,3] y <int64[3] s = {-1, 3, 1}, int64[1] a = {2}>
            { z = Reshape(x, s) y = Squeeze(z, a) }"""),
    ),
    ("", "StringNormalizer"): (Case("string[N] y { y = StringNormalizer(t) }", "string[N] t"),),
    ("", "Sub"): (
        Case("float[N,3] y <float[3] k = {0.5, -1.0, 2.0}> { y = Sub(x, k) }"),
        Case("float[N,3] y <float k = {1.0}> { y = Sub(k, x) }"),
        Case("float[N,3] y { y = Sub(x, x) }"),
        Case("float[N,3] y { z = Tanh(x) y = Sub(x, z) }"),
    ),
    ("", "Sum"): (Case("float[N,3] y { z = Sigmoid(x) u = Tanh(x) y = Sum(x, z, u) }"),),
    ("", "Swish"): (Case("float[N,3] y { y = Swish <alpha = 1.5> (x) }", opset=24),),
    ("", "Tanh"): (Case("float[N,3] y { y = Tanh(x) }"),),
    ("", "ThresholdedRelu"): (Case("float[N,3] y { y = ThresholdedRelu <alpha = 0.1> (x) }"),),
    ("", "Transpose"): (
        Case("""float[N,3] y <int64[3] s = {-1, 1, 3}, int64[2] t = {0, 3}>
            { z = Reshape(x, s) u = Transpose <perm = [0, 2, 1]> (z) y = Reshape(u, t) }"""),
        # rows one after the other, as discriminant analysis has them
        Case("""float[N,2] y <int64[1] a = {1}, int64[2] t = {2, -1}>
            { z = Sigmoid(x) u = ReduceSum(x, a) v = ReduceSum(z, a) w = Concat <axis = 0> (u, v)
              r = Reshape(w, t) y = Transpose(r) }"""),
    ),
    ("", "Unsqueeze"): (
        Case("""float[N,3] y <int64[1] a = {1}, int64[2] t = {0, 3}>
            { z = Unsqueeze(x, a) y = Reshape(z, t) }"""),
    ),
    ("", "Where"): (
        Case(
            "float[N,3] y <float k = {0.1}, float h = {7.0}> { z = Less(x, k) y = Where(z, x, h) }"
        ),
    ),
    ("", "Xor"): (
        Case("""bool[N,3] y <float k = {0.1}, float[3] h = {0.5, 1.5, -1.0}>
            { u = Less(x, k) v = Greater(x, h) y = Xor(u, v) }"""),
    ),
}
