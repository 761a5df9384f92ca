"""The table of scikit-learn's estimators: name -> how one is made, on which rows, for which target.

A name is that of the class, and a variant after a comma.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn import (
    cross_decomposition,
    discriminant_analysis,
    ensemble,
    linear_model,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from tests.pushdown.estimators import (
    AMOUNT,
    PAIR,
    THREE,
    TWO,
    Recipe,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FIXED: dict[str, Any] = {"random_state": 0}
SHALLOW: dict[str, Any] = {"max_depth": 3, **FIXED}
LOGISTIC, LINEAR = linear_model.LogisticRegression, linear_model.LinearRegression
TREE = partial(tree.DecisionTreeClassifier, **SHALLOW)
NUMBER_TREE = partial(tree.DecisionTreeRegressor, **SHALLOW)
SCALED = preprocessing.StandardScaler


def then(transformer: Callable[[], Any], model: Callable[[], Any] = LOGISTIC) -> Callable[[], Any]:
    """A transformer before a model."""
    return lambda: pipeline.make_pipeline(transformer(), model())


def _few(make: Callable[..., Any], **options: Any) -> Callable[[], Any]:
    return partial(make, n_estimators=3, **{**FIXED, **options})


LINEAR_REGRESSORS = (
    {
        name: Recipe(make=getattr(linear_model, name))
        for name in (
            "ARDRegression",
            "BayesianRidge",
            "ElasticNet",
            "HuberRegressor",
            "Lars",
            "Lasso",
            "LassoLars",
            "LassoLarsIC",
            "LinearRegression",
            "OrthogonalMatchingPursuit",
            "QuantileRegressor",
            "Ridge",
            "RidgeCV",
        )
    }
    | {
        name: Recipe(make=partial(getattr(linear_model, name), cv=2))
        for name in (
            "ElasticNetCV",
            "LarsCV",
            "LassoCV",
            "LassoLarsCV",
            "OrthogonalMatchingPursuitCV",
        )
    }
    | {
        "GammaRegressor": Recipe(make=linear_model.GammaRegressor, target=AMOUNT),
        "LinearSVR": Recipe(make=partial(svm.LinearSVR, **FIXED)),
        "MultiTaskElasticNet": Recipe(make=linear_model.MultiTaskElasticNet, target=PAIR),
        "MultiTaskElasticNetCV": Recipe(
            make=partial(linear_model.MultiTaskElasticNetCV, cv=2), target=PAIR
        ),
        "MultiTaskLasso": Recipe(make=linear_model.MultiTaskLasso, target=PAIR),
        "MultiTaskLassoCV": Recipe(make=partial(linear_model.MultiTaskLassoCV, cv=2), target=PAIR),
        "PassiveAggressiveRegressor": Recipe(
            make=partial(linear_model.PassiveAggressiveRegressor, **FIXED)
        ),
        "PLSRegression": Recipe(make=partial(cross_decomposition.PLSRegression, 2)),
        "PoissonRegressor": Recipe(make=linear_model.PoissonRegressor, target=AMOUNT),
        "RANSACRegressor": Recipe(make=partial(linear_model.RANSACRegressor, **FIXED)),
        "SGDRegressor": Recipe(make=then(SCALED, partial(linear_model.SGDRegressor, **FIXED))),
        "TheilSenRegressor": Recipe(make=partial(linear_model.TheilSenRegressor, **FIXED)),
        "TweedieRegressor": Recipe(
            make=partial(linear_model.TweedieRegressor, power=1.5), target=AMOUNT
        ),
    }
)

LINEAR_CLASSIFIERS = {
    "LinearDiscriminantAnalysis": Recipe(
        make=discriminant_analysis.LinearDiscriminantAnalysis, target=THREE, tame=True
    ),
    "LinearSVC": Recipe(make=partial(svm.LinearSVC, **FIXED), target=THREE),
    "LinearSVC, two": Recipe(make=partial(svm.LinearSVC, **FIXED), target=TWO),
    "LogisticRegression": Recipe(make=LOGISTIC, target=THREE, tame=True),
    "LogisticRegression, two": Recipe(make=LOGISTIC, target=TWO),
    "LogisticRegressionCV": Recipe(
        make=partial(linear_model.LogisticRegressionCV, cv=2), target=THREE, tame=True
    ),
    "PassiveAggressiveClassifier": Recipe(
        make=partial(linear_model.PassiveAggressiveClassifier, **FIXED), target=TWO
    ),
    "Perceptron": Recipe(make=partial(linear_model.Perceptron, **FIXED), target=THREE, tame=True),
    "QuadraticDiscriminantAnalysis": Recipe(
        make=discriminant_analysis.QuadraticDiscriminantAnalysis, target=THREE, tame=True
    ),
    "RidgeClassifier": Recipe(make=linear_model.RidgeClassifier, target=THREE),
    "RidgeClassifierCV": Recipe(make=linear_model.RidgeClassifierCV, target=TWO),
    "SGDClassifier": Recipe(make=partial(linear_model.SGDClassifier, **FIXED), target=THREE),
    "SGDClassifier, log_loss": Recipe(
        make=partial(linear_model.SGDClassifier, loss="log_loss", **FIXED), target=TWO
    ),
    "SGDClassifier, modified_huber": Recipe(
        make=then(SCALED, partial(linear_model.SGDClassifier, loss="modified_huber", **FIXED)),
        target=THREE,
    ),
    "SGDOneClassSVM": Recipe(make=partial(linear_model.SGDOneClassSVM, **FIXED), tame=True),
}

TREES = {
    "AdaBoostClassifier": Recipe(make=_few(ensemble.AdaBoostClassifier), target=THREE),
    "AdaBoostClassifier, two": Recipe(make=_few(ensemble.AdaBoostClassifier), target=TWO),
    "AdaBoostRegressor": Recipe(make=_few(ensemble.AdaBoostRegressor), refused="TopK"),
    "BaggingClassifier": Recipe(
        make=_few(ensemble.BaggingClassifier, estimator=TREE()), target=THREE
    ),
    "BaggingRegressor": Recipe(make=_few(ensemble.BaggingRegressor, estimator=NUMBER_TREE())),
    "DecisionTreeClassifier": Recipe(make=TREE, target=THREE),
    "DecisionTreeRegressor": Recipe(make=NUMBER_TREE),
    "DecisionTreeRegressor, two targets": Recipe(make=NUMBER_TREE, target=PAIR),
    "ExtraTreeClassifier": Recipe(make=partial(tree.ExtraTreeClassifier, **SHALLOW), target=THREE),
    "ExtraTreeRegressor": Recipe(make=partial(tree.ExtraTreeRegressor, **SHALLOW)),
    "ExtraTreesClassifier": Recipe(
        make=_few(ensemble.ExtraTreesClassifier, max_depth=3), target=THREE
    ),
    "ExtraTreesRegressor": Recipe(make=_few(ensemble.ExtraTreesRegressor, max_depth=3)),
    "GradientBoostingClassifier": Recipe(
        make=_few(ensemble.GradientBoostingClassifier), target=THREE
    ),
    "GradientBoostingClassifier, two": Recipe(
        make=_few(ensemble.GradientBoostingClassifier), target=TWO
    ),
    "GradientBoostingClassifier, init": Recipe(
        make=_few(ensemble.GradientBoostingClassifier, init="zero"), target=TWO
    ),
    "GradientBoostingRegressor": Recipe(make=_few(ensemble.GradientBoostingRegressor)),
    "HistGradientBoostingClassifier": Recipe(
        make=partial(ensemble.HistGradientBoostingClassifier, max_iter=3, max_leaf_nodes=8),
        target=THREE,
    ),
    "HistGradientBoostingRegressor": Recipe(
        make=partial(ensemble.HistGradientBoostingRegressor, max_iter=3, max_leaf_nodes=8)
    ),
    "HistGradientBoostingRegressor, poisson": Recipe(
        make=partial(ensemble.HistGradientBoostingRegressor, max_iter=3, loss="poisson"),
        target=AMOUNT,
    ),
    "IsolationForest": Recipe(make=_few(ensemble.IsolationForest, max_samples=64)),
    "RandomForestClassifier": Recipe(
        make=_few(ensemble.RandomForestClassifier, max_depth=3), target=THREE
    ),
    "RandomForestClassifier, two": Recipe(
        make=_few(ensemble.RandomForestClassifier, max_depth=3), target=TWO
    ),
    "RandomForestRegressor": Recipe(make=_few(ensemble.RandomForestRegressor, max_depth=3)),
    "RandomTreesEmbedding": Recipe(
        make=then(_few(ensemble.RandomTreesEmbedding, max_depth=2, sparse_output=False)),
        target=TWO,
    ),
}


RECIPES = {**LINEAR_REGRESSORS, **LINEAR_CLASSIFIERS, **TREES}
