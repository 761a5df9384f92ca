"""Train the models of the stories in this folder and put them into a database.

    python examples/sql/prepare.py sqlite:///stories.db
    sqlscore sql -f examples/sql/iris.sql --db sqlite:///stories.db

Some stories name a model of the registry, others take its bytes from the table ``kept_models``, as
scripts made for Azure SQL Edge do. Needs the extra `demo` (scikit-learn, skl2onnx).
"""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import sqlalchemy as sa
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sqlscore

FLOWERS = ("petal_length", "petal_width")
HOMES = ("rooms", "age_of_house", "distance_to_work")
LOANS = ("amount", "income", "months_late")
TRIPS = ("passengers", "distance_km", "minutes")
CARDS = ("amount", "hour_of_day", "km_from_home")
RENTALS = ("weekday", "month_of_year", "temperature")


def iris() -> bytes:
    """Three varieties, told apart by their petals; the graph names its features itself."""
    draw = np.random.default_rng(1)
    middles = {"bristle": (1.5, 0.3), "harlequin": (4.3, 1.3), "virginia": (5.6, 2.0)}
    x = np.concatenate([draw.normal(middle, 0.3, (40, 2)) for middle in middles.values()])
    model = LogisticRegression(max_iter=500).fit(x, np.repeat(list(middles), 40))
    found = to_onnx(model, x.astype(np.float32), options={"zipmap": False})
    onnx.helper.set_model_props(found, {"feature_names": json.dumps(FLOWERS)})
    return found.SerializeToString()


def housing() -> bytes:
    """A price from three columns, each an input of its own, as Azure SQL Edge wanted them."""
    x, y = _drawn(3, lambda x: 40 + 30 * x[:, 0] - 5 * x[:, 1] - 10 * x[:, 2])
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)
    inputs = [(name, FloatTensorType([None, 1])) for name in HOMES]
    return to_onnx(model, initial_types=inputs).SerializeToString()


def loans() -> bytes:
    """Whether a loan will be charged off."""
    x, y = _drawn(3, lambda x: (x[:, 0] - x[:, 1] + 2 * x[:, 2] > 0.8).astype(int))
    return _classifier(LogisticRegression().fit(x, y))


def tips() -> bytes:
    """Whether the driver gets a tip."""
    x, y = _drawn(3, lambda x: (x[:, 1] + x[:, 2] > 1).astype(int))
    return _classifier(GradientBoostingClassifier(n_estimators=10, random_state=0).fit(x, y))


def cards() -> bytes:
    """Whether a payment is a fraud."""
    x, y = _drawn(3, lambda x: (x[:, 0] * x[:, 2] > 0.5).astype(int))
    return _classifier(GradientBoostingClassifier(n_estimators=10, random_state=0).fit(x, y))


def rentals() -> bytes:
    """How many pairs of skis are rented."""
    x, y = _drawn(3, lambda x: 100 + 80 * np.cos(6 * x[:, 1]) + 20 * x[:, 0] - 30 * x[:, 2])
    model = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(x, y)
    return to_onnx(model, x[:1].astype(np.float32)).SerializeToString()


def prepare(database: sqlscore.Database) -> None:
    """Add the models to the registry, and two of them to a table of their bytes."""
    risk = {"risk": "probabilities[1]"}
    database.models.add("charge_off", loans(), features=LOANS, outputs=risk)
    database.models.add("tipped", tips(), features=TRIPS, outputs=risk | {"tipped": "label"})
    database.models.add("fraud", cards(), features=CARDS, outputs=risk)
    database.models.add("rentals", rentals(), features=RENTALS, outputs={"pairs": "variable"})
    kept = sa.Table(
        "kept_models", sa.MetaData(), sa.Column("id", sa.Integer),
        sa.Column("title", sa.String(40)), sa.Column("content", sa.LargeBinary(2**24)),
    )  # fmt: skip
    rows = [
        {"id": 1, "title": "iris", "content": iris()},
        {"id": 2, "title": "housing", "content": housing()},
    ]
    with database.engine.begin() as connection:
        kept.drop(connection, checkfirst=True)
        kept.create(connection)
        connection.execute(sa.insert(kept), rows)


def _drawn(width: int, target) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).random((300, width))
    return x, target(x)


def _classifier(model) -> bytes:
    return to_onnx(
        model, np.zeros((1, model.n_features_in_), np.float32), options={"zipmap": False}
    ).SerializeToString()


if __name__ == "__main__":
    with sqlscore.connect(sys.argv[1]) as database:
        prepare(database)
        print("models:", ", ".join(database.models))
