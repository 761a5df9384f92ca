"""Train the demo's model from the demo's data: ``python -m sqlscore.demo.train [FOLDER]``.

The rows whose id is a multiple of 4 are held out: the model never sees them, and the demo's
accuracy is counted on them. Needs scikit-learn and skl2onnx (``pip install 'sqlscore[demo]'``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pyarrow as pa
import pyarrow.compute as pc

from sqlscore.demo.penguins import LABEL, MODEL, NUMBERS, TEXTS, held_out, rows

if TYPE_CHECKING:
    from collections.abc import Iterable


def trained() -> onnx.ModelProto:
    """A pipeline of imputer, scaler, one-hot encoder and logistic regression, as ONNX."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    seen = rows().filter(pc.invert(held_out(rows()["id"])))
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", categories=_categories(seen, TEXTS))
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=1000))
    pipeline.fit(seen.select([*NUMBERS, *TEXTS]).to_pandas(), seen[LABEL].to_pylist())
    floats = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    strings = [(name, StringTensorType([None, 1])) for name in TEXTS]
    model: onnx.ModelProto = to_onnx(
        pipeline,
        initial_types=[*floats, *strings],
        final_types=[("guess", None), ("probability", None)],
        options={"zipmap": False},
        target_opset=17,
    )
    model.doc_string = "Palmer penguins: species from island, measures and sex"
    return model


def _categories(seen: pa.Table, names: Iterable[str]) -> list[list[str]]:
    """The values of each text column, NULL left out: a row without one has no category."""
    return [sorted(pc.unique(pc.drop_null(seen[name])).to_pylist()) for name in names]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(MODEL).parent
    onnx.save(trained(), folder / Path(MODEL).name)
