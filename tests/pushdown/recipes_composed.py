"""Scikit-learn's estimators that are made of others."""

from __future__ import annotations

from functools import partial

from skl2onnx import sklapi
from sklearn import (
    calibration,
    compose,
    decomposition,
    ensemble,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    pipeline,
    preprocessing,
)

from tests.pushdown.estimators import (
    BOTH,
    CLASSES,
    PAIR,
    THREE,
    TWO,
    Recipe,
)
from tests.pushdown.recipes import LINEAR, LOGISTIC, NUMBER_TREE, SCALED, TREE, then

_STACKED = [("a", LOGISTIC()), ("b", TREE())]
_STACKED_NUMBERS = [("a", LINEAR()), ("b", NUMBER_TREE())]
RECIPES = {
    "CalibratedClassifierCV": Recipe(
        make=partial(calibration.CalibratedClassifierCV, LOGISTIC(), cv=2), target=THREE
    ),
    "CalibratedClassifierCV, two": Recipe(
        make=partial(calibration.CalibratedClassifierCV, LOGISTIC(), cv=2), target=TWO
    ),
    "CalibratedClassifierCV, isotonic": Recipe(
        make=partial(calibration.CalibratedClassifierCV, LOGISTIC(), cv=2, method="isotonic"),
        target=TWO,
    ),
    "CastRegressor": Recipe(make=lambda: sklapi.CastRegressor(LINEAR())),
    "CastTransformer": Recipe(make=then(sklapi.CastTransformer), target=TWO),
    "ColumnTransformer": Recipe(
        make=then(
            lambda: compose.ColumnTransformer(
                [("a", SCALED(), [0]), ("b", preprocessing.MinMaxScaler(), [1])],
                remainder="passthrough",
            )
        ),
        target=TWO,
    ),
    "FeatureUnion": Recipe(
        make=then(lambda: pipeline.make_union(decomposition.PCA(1), SCALED())), target=TWO
    ),
    "GridSearchCV": Recipe(
        make=lambda: model_selection.GridSearchCV(LOGISTIC(), {"C": [0.1, 1.0]}, cv=2), target=TWO
    ),
    "MultiOutputClassifier": Recipe(
        make=lambda: multioutput.MultiOutputClassifier(TREE()), target=BOTH, drop=("probabilities",)
    ),
    "MultiOutputRegressor": Recipe(
        make=lambda: multioutput.MultiOutputRegressor(LINEAR()), target=PAIR
    ),
    "OneVsOneClassifier": Recipe(
        make=lambda: multiclass.OneVsOneClassifier(LOGISTIC()), target=CLASSES, tame=True
    ),
    "OneVsRestClassifier": Recipe(
        make=lambda: multiclass.OneVsRestClassifier(LOGISTIC()), target=THREE
    ),
    "Pipeline": Recipe(make=then(SCALED), target=TWO),
    "StackingClassifier": Recipe(
        make=partial(ensemble.StackingClassifier, _STACKED, cv=2), target=THREE, tame=True
    ),
    "StackingRegressor": Recipe(make=partial(ensemble.StackingRegressor, _STACKED_NUMBERS, cv=2)),
    "TunedThresholdClassifierCV": Recipe(
        make=lambda: model_selection.TunedThresholdClassifierCV(LOGISTIC(), cv=2), target=TWO
    ),
    "VotingClassifier": Recipe(
        make=partial(ensemble.VotingClassifier, _STACKED, voting="soft", flatten_transform=False),
        target=THREE,
        tame=True,
    ),
    "VotingClassifier, hard": Recipe(
        make=partial(
            ensemble.VotingClassifier,
            [*_STACKED, ("c", naive_bayes.GaussianNB())],
            flatten_transform=False,
        ),
        target=THREE,
        tame=True,
    ),
    "VotingRegressor": Recipe(make=partial(ensemble.VotingRegressor, _STACKED_NUMBERS)),
}

#: take no table: dictionaries, documents cut into words, and what only other converters call
NO_TABLES = {"DictVectorizer", "FeatureHasher", "_ConstantPredictor"}
