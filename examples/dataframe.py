"""No database at all: predictions for a DataFrame, with its index kept.

Needs the extra `demo` (scikit-learn, skl2onnx) and pandas. Run: python examples/dataframe.py
"""

from __future__ import annotations

import pandas as pd
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

import sqlscore


def main() -> None:
    """Predict with a model of two features, one of them NULL in one row."""
    people = pd.DataFrame(
        {"age": [23.0, 41.0, 67.0, None], "income": [21e3, 48e3, 39e3, 30e3]},
        index=["ann", "bob", "cy", "dee"],
    )
    trained = people.dropna()
    model = sqlscore.load(
        to_onnx(
            LogisticRegression().fit(trained.to_numpy(), [0, 1, 1]),
            trained[:1].to_numpy("float32"),
        ).SerializeToString(),
        features=["age", "income"],
    )
    print(model.signature)
    print(people.sqlscore.predict(model))


if __name__ == "__main__":
    main()
