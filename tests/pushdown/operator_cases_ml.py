"""Small graphs for each operator of machine learning, in the form of `operator_cases`."""

from __future__ import annotations

from sqlscore.pushdown.operators.table import ML
from tests.pushdown.cases import TEXT, WHOLE, Case

CASES: dict[tuple[str, str], tuple[Case, ...]] = {
    (ML, "ArrayFeatureExtractor"): (
        Case("float[N,2] y <int64[2] i = {1, 0}> { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }"),
        Case(
            """int64[N] y <int64[3] k = {7, 8, 9}, int64[1] s = {-1}>
            { m = ArgMax <axis = 1> (x) z = ai.onnx.ml.ArrayFeatureExtractor(k, m)
              y = Reshape(z, s) }""",
            tame=True,
        ),
    ),
    (ML, "Binarizer"): (
        Case("""float[N,3] y
            { m = ai.onnx.ml.Imputer <imputed_value_floats = [1.0], replaced_value_float = NaN> (x)
              y = ai.onnx.ml.Binarizer <threshold = 0.1> (m) }"""),
    ),
    (ML, "FeatureVectorizer"): (
        Case("""float[N,6] y { z = Neg(x)
            y = ai.onnx.ml.FeatureVectorizer <inputdimensions = [3, 3]> (x, z) }"""),
    ),
    (ML, "Imputer"): (
        Case("""float[N,3] y { y = ai.onnx.ml.Imputer
            <imputed_value_floats = [1.5, 0.1, -2.0], replaced_value_float = NaN> (x) }"""),
        Case("""float[N,3] y { y = ai.onnx.ml.Imputer
            <imputed_value_floats = [1.5, 0.1, -2.0], replaced_value_float = 0.1> (x) }"""),
        Case("""float[N,1] y <float[3,1] w = {0.5, -0.25, 1.0}>
            { z = ai.onnx.ml.Imputer
                <imputed_value_floats = [1.5, 0.1, -2.0], replaced_value_float = NaN> (x)
              u = ai.onnx.ml.Scaler <offset = [0.5], scale = [2.0]> (z) y = MatMul(u, w) }"""),
    ),
    (ML, "LabelEncoder"): (
        Case(
            """float[N,1] y { m = ArgMax <axis = 1> (x) y = ai.onnx.ml.LabelEncoder
            <keys_int64s = [0, 2], values_floats = [0.25, 7.5], default_float = -1.0> (m) }""",
            tame=True,
        ),
        Case(
            """float[N,1] y { y = ai.onnx.ml.LabelEncoder <keys_strings = ["Bern", "bern ", "ü"],
            values_floats = [1.0, 2.0, 3.5], default_float = -1.0> (t) }""",
            TEXT,
        ),
        Case(  # so many that they are searched for, where that is faster
            """float[N,1] y { y = ai.onnx.ml.LabelEncoder <keys_strings = ["it's", "bern", "Bern",
            "", "BERN", "bern ", "zz", "A", "bermuda"], values_floats = [1.0, 2.0, 3.5, 4.0, 5.0,
            6.0, 7.0, 8.0, 9.0], default_float = -1.0> (t) }""",
            TEXT,
        ),
        Case(
            """string[N,1] y { y = ai.onnx.ml.LabelEncoder <keys_int64s = [1, 2, -3],
            values_strings = ["one", "two", "it's"], default_string = "?"> (n) }""",
            WHOLE,
        ),
        Case("""int64[N,3] y { y = ai.onnx.ml.LabelEncoder <keys_floats = [0.5, 0.1, -0.1],
            values_int64s = [5, 1, -1], default_int64 = 9> (x) }"""),
    ),
    (ML, "LinearClassifier"): (
        Case(
            """int64[N] label, float[N,2] y { label, y = ai.onnx.ml.LinearClassifier
            <coefficients = [0.5, -1.5, 0.25], intercepts = [0.125], classlabels_ints = [3, 7],
             post_transform = "LOGISTIC"> (x) }"""
        ),
        Case(
            """string[N] label, float[N,3] y { label, y = ai.onnx.ml.LinearClassifier
            <coefficients = [0.5, -1.5, 0.25, 1.0, 0.0, -1.0, -0.75, 0.5, 2.0],
             intercepts = [0.125, 0.0, -0.25], classlabels_strings = ["a", "b", "c"],
             post_transform = "SOFTMAX", multi_class = 1> (x) }""",
            tame=True,
        ),
        Case(
            """int64[N] label, float[N,2] y { label, y = ai.onnx.ml.LinearClassifier
            <coefficients = [0.5, -1.5, 0.25], intercepts = [0.125], classlabels_ints = [3, 7]>
            (x) }"""
        ),
    ),
    (ML, "LinearRegressor"): (
        Case("""float[N,1] y { y = ai.onnx.ml.LinearRegressor
            <coefficients = [0.5, -1.5, 0.25], intercepts = [0.125]> (x) }"""),
        Case(
            """float[N,2] y { y = ai.onnx.ml.LinearRegressor <coefficients =
            [0.5, -1.5, 0.25, 1.0, 0.0, -1.0], intercepts = [0.125, 1.0], targets = 2,
            post_transform = "SOFTMAX_ZERO"> (x) }""",
            tame=True,
        ),
    ),
    (ML, "Normalizer"): (
        Case("""float[N,3] y { y = ai.onnx.ml.Normalizer <norm = "L1"> (x) }""", tame=True),
        Case("""float[N,3] y { y = ai.onnx.ml.Normalizer <norm = "L2"> (x) }""", tame=True),
    ),
    (ML, "OneHotEncoder"): (
        Case(
            """float[N,3] y <int64[2] s = {-1, 3}> { m = ArgMax <axis = 1> (x)
            z = ai.onnx.ml.OneHotEncoder <cats_int64s = [0, 1, 2], zeros = 1> (m)
            y = Reshape(z, s) }""",
            tame=True,
        ),
        Case(
            """float[N,4] y <int64[2] s = {-1, 4}> { z = ai.onnx.ml.OneHotEncoder
            <cats_strings = ["Bern", "bern", "Genève", ""], zeros = 1> (t) y = Reshape(z, s) }""",
            TEXT,
        ),
        Case("""float[N,9] y <int64[2] s = {-1, 9}> { z = ai.onnx.ml.OneHotEncoder
            <cats_int64s = [0, 1, -1], zeros = 1> (x) y = Reshape(z, s) }"""),
        Case(
            """float[N,1] y <int64[2] s = {-1, 3}, float[3,1] w = {0.5, -0.25, 1.0}>
            { z = ai.onnx.ml.OneHotEncoder <cats_int64s = [1, 2, 3], zeros = 1> (n)
              u = Reshape(z, s) y = MatMul(u, w) }""",
            WHOLE,
        ),
    ),
    (ML, "SVMClassifier"): (
        *(
            Case(
                f"""string[N] label, float[N,3] y {{ label, y = ai.onnx.ml.SVMClassifier
                <classlabels_strings = ["a", "b", "c"], vectors_per_class = [2, 1, 1],
                 support_vectors = [0.5, -1.0, 0.25, 1.0, 0.75, -0.5, -0.25, 0.5, 1.5,
                                    2.0, -1.5, 0.0],
                 coefficients = [0.5, 1.25, -1.0, 0.75, -0.5, 1.5, 0.25, -1.25],
                 rho = [0.1, -0.2, 0.3], kernel_type = "{kernel}",
                 kernel_params = [0.25, 0.5, 3.0]> (x) }}""",
                tame=True,
            )
            for kernel in ("LINEAR", "RBF", "POLY", "SIGMOID")
        ),
        Case(
            """int64[N] label, float[N,2] y { label, y = ai.onnx.ml.SVMClassifier
            <classlabels_ints = [3, 7], vectors_per_class = [1, 1],
             support_vectors = [0.5, -1.0, 0.25, 1.0, 0.75, -0.5], coefficients = [0.5, -1.25],
             rho = [0.1], kernel_type = "RBF", kernel_params = [0.25, 0.0, 3.0]> (x) }"""
        ),
        Case(
            """int64[N] label, float[N,3] y { label, y = ai.onnx.ml.SVMClassifier
            <classlabels_ints = [3, 7, 9], rho = [0.1], kernel_params = [0.0, 0.0, 0.0],
             coefficients = [0.5, -1.0, 0.25, 1.0, 0.75, -0.5, 0.125, 2.0, -0.25],
             post_transform = "SOFTMAX"> (x) }""",
            tame=True,
        ),
    ),
    (ML, "SVMRegressor"): (
        *(
            Case(
                f"""float[N,1] y {{ y = ai.onnx.ml.SVMRegressor
                <n_supports = 2, support_vectors = [0.5, -1.0, 0.25, 1.0, 0.75, -0.5],
                 coefficients = [0.5, -1.25], rho = [0.1], kernel_type = "{kernel}",
                 kernel_params = [0.25, 0.5, {degree}]> (x) }}""",
                tame=kernel != "RBF",
            )
            for kernel, degree in (
                ("LINEAR", 3.0),
                ("RBF", 3.0),
                ("POLY", 2.0),
                ("POLY", 4.0),
                ("SIGMOID", 3.0),
            )
        ),
        Case("""float[N,1] y { y = ai.onnx.ml.SVMRegressor
            <coefficients = [0.5, -1.25, 2.0], rho = [0.1], kernel_params = [0.0, 0.0, 0.0]>
            (x) }"""),
        Case("""float[N,1] y { y = ai.onnx.ml.SVMRegressor
            <n_supports = 1, support_vectors = [0.5, -1.0, 0.25], coefficients = [0.5],
             rho = [-0.25], kernel_type = "RBF", kernel_params = [0.25, 0.0, 3.0], one_class = 1>
            (x) }"""),
    ),
    (ML, "Scaler"): (
        Case("""float[N,3] y { y = ai.onnx.ml.Scaler
            <offset = [0.5, 0.0, -1.0], scale = [2.0, 0.1, -4.0]> (x) }"""),
    ),
}
