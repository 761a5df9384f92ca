"""Scikit-learn's other estimators: kernels, neighbours, mixtures, and what prepares features."""

from __future__ import annotations

from functools import partial

from skl2onnx import sklapi
from sklearn import (
    cluster,
    decomposition,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    random_projection,
    svm,
)

from tests.pushdown.estimators import (
    NOTHING,
    NUMBER,
    POSITIVE,
    TEXT,
    THREE,
    TWO,
    WHOLE,
    Recipe,
)
from tests.pushdown.recipes import FIXED, LINEAR, LOGISTIC, SCALED, TREE, then

ONE_HOT = partial(preprocessing.OneHotEncoder, sparse_output=False, handle_unknown="ignore")

RECIPES = {
    "BayesianGaussianMixture": Recipe(
        make=partial(mixture.BayesianGaussianMixture, n_components=2, **FIXED), tame=True
    ),
    "BernoulliNB": Recipe(make=naive_bayes.BernoulliNB, target=THREE),
    "CategoricalNB": Recipe(make=naive_bayes.CategoricalNB, target=THREE, rows=WHOLE),
    "ComplementNB": Recipe(make=naive_bayes.ComplementNB, target=THREE, rows=POSITIVE, tame=True),
    "GaussianMixture": Recipe(make=partial(mixture.GaussianMixture, 2, **FIXED), tame=True),
    "GaussianMixture, diag": Recipe(
        make=partial(mixture.GaussianMixture, 2, covariance_type="diag", **FIXED), tame=True
    ),
    "GaussianNB": Recipe(make=naive_bayes.GaussianNB, target=THREE, tame=True),
    "GaussianProcessClassifier": Recipe(
        make=gaussian_process.GaussianProcessClassifier,
        target=TWO,
        count=60,
        refused="com.microsoft.Solve",
    ),
    "GaussianProcessRegressor": Recipe(make=gaussian_process.GaussianProcessRegressor, count=60),
    "KernelPCA": Recipe(
        make=then(partial(decomposition.KernelPCA, 2, kernel="rbf")), target=TWO, count=60
    ),
    "KMeans": Recipe(make=partial(cluster.KMeans, 3, n_init=1, **FIXED), tame=True, bound=1e-4),
    "KNeighborsClassifier": Recipe(
        make=neighbors.KNeighborsClassifier, target=THREE, refused="TopK", count=100
    ),
    "KNeighborsRegressor": Recipe(make=neighbors.KNeighborsRegressor, refused="TopK", count=100),
    "LocalOutlierFactor": Recipe(
        make=partial(neighbors.LocalOutlierFactor, novelty=True), refused="TopK", count=100
    ),
    "MiniBatchKMeans": Recipe(
        make=partial(cluster.MiniBatchKMeans, 3, n_init=1, **FIXED), tame=True, bound=1e-4
    ),
    "MLPClassifier": Recipe(
        make=partial(neural_network.MLPClassifier, (6,), max_iter=20, **FIXED),
        target=THREE,
        tame=True,
    ),
    "MLPClassifier, tanh": Recipe(
        make=partial(neural_network.MLPClassifier, (5, 4), activation="tanh", max_iter=20, **FIXED),
        target=TWO,
    ),
    "MLPRegressor": Recipe(
        make=partial(neural_network.MLPRegressor, hidden_layer_sizes=(6,), max_iter=20, **FIXED)
    ),
    "MultinomialNB": Recipe(make=naive_bayes.MultinomialNB, target=THREE, rows=POSITIVE, tame=True),
    "NearestNeighbors": Recipe(
        make=partial(neighbors.NearestNeighbors, radius=None), refused="TopK", count=100
    ),
    "NuSVC": Recipe(make=partial(svm.NuSVC, nu=0.1), target=TWO, bound=1e-3, count=100),
    "NuSVC, three": Recipe(make=partial(svm.NuSVC, nu=0.1), target=THREE, bound=1e-3, count=100),
    "NuSVR": Recipe(make=svm.NuSVR, bound=2e-4, count=100),
    "OneClassSVM": Recipe(make=partial(svm.OneClassSVM, nu=0.05), tame=True, count=100),
    "RadiusNeighborsClassifier": Recipe(
        make=partial(neighbors.RadiusNeighborsClassifier, 3.0, outlier_label="low"),
        target=THREE,
        refused="CumSum",
        count=100,
    ),
    "RadiusNeighborsRegressor": Recipe(
        make=partial(neighbors.RadiusNeighborsRegressor, 3.0), refused="CumSum", count=100
    ),
    "SVC": Recipe(make=svm.SVC, target=THREE, bound=2e-4, count=100),
    "SVC, two": Recipe(make=svm.SVC, target=TWO, bound=2e-4, count=100),
    "SVC, polynomial": Recipe(
        make=then(SCALED, partial(svm.SVC, kernel="poly")),
        target=TWO,
        tame=True,
        bound=2e-3,
        count=100,
    ),
    "SVC, probabilities": Recipe(
        make=partial(svm.SVC, probability=True, **FIXED),
        target=TWO,
        refused="ai.onnx.ml.SVMClassifier",
    ),
    "SVR": Recipe(make=svm.SVR, bound=2e-4, count=100),
    "Binarizer": Recipe(
        make=then(
            impute.SimpleImputer, then(partial(preprocessing.Binarizer, threshold=0.1), TREE)
        ),
        target=THREE,
    ),
    "CountVectorizer": Recipe(
        make=feature_extraction.text.CountVectorizer,
        target=NOTHING,
        rows=TEXT,
        refused="StringNormalizer",
    ),
    "FunctionTransformer": Recipe(make=then(preprocessing.FunctionTransformer), target=TWO),
    "GaussianRandomProjection": Recipe(
        make=then(partial(random_projection.GaussianRandomProjection, 2, **FIXED)), target=TWO
    ),
    "GenericUnivariateSelect": Recipe(
        make=then(partial(feature_selection.GenericUnivariateSelect, mode="k_best", param=2)),
        target=TWO,
    ),
    "IncrementalPCA": Recipe(make=then(partial(decomposition.IncrementalPCA, 2)), target=TWO),
    "KBinsDiscretizer": Recipe(
        make=then(partial(preprocessing.KBinsDiscretizer, 4, encode="onehot-dense")), target=TWO
    ),
    "KBinsDiscretizer, ordinal": Recipe(
        make=then(partial(preprocessing.KBinsDiscretizer, 4, encode="ordinal"), TREE), target=THREE
    ),
    "KernelCenterer": Recipe(make=then(preprocessing.KernelCenterer, LINEAR), count=3),
    "KNeighborsTransformer": Recipe(
        make=neighbors.KNeighborsTransformer, refused="TopK", count=100
    ),
    "KNNImputer": Recipe(make=then(impute.KNNImputer), target=TWO, refused="Compress"),
    "LabelBinarizer": Recipe(make=preprocessing.LabelBinarizer, target=NOTHING, rows=WHOLE),
    "LabelEncoder": Recipe(make=preprocessing.LabelEncoder, target=NOTHING, rows=TEXT),
    "MaxAbsScaler": Recipe(make=then(preprocessing.MaxAbsScaler, TREE), target=THREE),
    "MinMaxScaler": Recipe(
        make=then(partial(preprocessing.MinMaxScaler, clip=True), TREE), target=THREE
    ),
    "NeighborhoodComponentsAnalysis": Recipe(
        make=then(partial(neighbors.NeighborhoodComponentsAnalysis, 2, max_iter=5, **FIXED)),
        target=TWO,
    ),
    "Normalizer": Recipe(make=then(preprocessing.Normalizer), target=TWO, tame=True),
    "OneHotEncoder": Recipe(
        make=then(ONE_HOT),
        target=TWO,
        rows=TEXT,
    ),
    "OrdinalEncoder": Recipe(
        make=then(preprocessing.OrdinalEncoder, TREE), target=THREE, rows=TEXT
    ),
    "PCA": Recipe(make=then(partial(decomposition.PCA, 2, whiten=True)), target=TWO),
    "PolynomialFeatures": Recipe(
        make=then(partial(preprocessing.PolynomialFeatures, 2), LINEAR), tame=True
    ),
    "PowerTransformer": Recipe(make=then(preprocessing.PowerTransformer), target=TWO),
    "PowerTransformer, box-cox": Recipe(
        make=then(partial(preprocessing.PowerTransformer, method="box-cox")),
        target=TWO,
        rows=POSITIVE,
    ),
    "QuantileTransformer": Recipe(
        make=then(partial(preprocessing.QuantileTransformer, n_quantiles=10)), target=TWO
    ),
    "ReplaceTransformer": Recipe(
        make=then(partial(sklapi.ReplaceTransformer, from_value=0, to_value=1)), target=TWO
    ),
    "RFE": Recipe(
        make=then(lambda: feature_selection.RFE(LOGISTIC(), n_features_to_select=2)), target=TWO
    ),
    "RFECV": Recipe(make=then(lambda: feature_selection.RFECV(LOGISTIC(), cv=2)), target=TWO),
    "RobustScaler": Recipe(make=then(preprocessing.RobustScaler, TREE), target=THREE),
    "SelectFdr": Recipe(make=then(partial(feature_selection.SelectFdr, alpha=0.9)), target=TWO),
    "SelectFpr": Recipe(make=then(partial(feature_selection.SelectFpr, alpha=0.9)), target=TWO),
    "SelectFromModel": Recipe(
        make=then(lambda: feature_selection.SelectFromModel(LOGISTIC())), target=TWO
    ),
    "SelectFwe": Recipe(make=then(partial(feature_selection.SelectFwe, alpha=0.9)), target=TWO),
    "SelectKBest": Recipe(make=then(partial(feature_selection.SelectKBest, k=2)), target=TWO),
    "SelectPercentile": Recipe(
        make=then(partial(feature_selection.SelectPercentile, percentile=70)), target=TWO
    ),
    "SimpleImputer": Recipe(make=then(impute.SimpleImputer, TREE), target=THREE),
    "SimpleImputer, of texts": Recipe(
        make=then(
            partial(impute.SimpleImputer, missing_values="", strategy="most_frequent"),
            then(ONE_HOT),
        ),
        target=THREE,
        rows=TEXT,
    ),
    "StandardScaler": Recipe(make=then(SCALED, TREE), target=THREE),
    "TargetEncoder": Recipe(
        make=then(partial(preprocessing.TargetEncoder, cv=2, **FIXED), LINEAR),
        target=NUMBER,
        rows=TEXT,
    ),
    "TfidfTransformer": Recipe(
        make=then(partial(feature_extraction.text.TfidfTransformer)),
        target=TWO,
        rows=POSITIVE,
        tame=True,
    ),
    "TfidfVectorizer": Recipe(
        make=feature_extraction.text.TfidfVectorizer,
        target=NOTHING,
        rows=TEXT,
        refused="StringNormalizer",
    ),
    "TruncatedSVD": Recipe(make=then(partial(decomposition.TruncatedSVD, 2)), target=TWO),
    "VarianceThreshold": Recipe(make=then(feature_selection.VarianceThreshold), target=TWO),
}
