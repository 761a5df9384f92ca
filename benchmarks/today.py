"""What people write today: pandas reads in pieces, the model predicts, `to_sql` writes.

Its fastest form: a server-side cursor where there is one, only the columns that are needed, the
class scores as a tensor, one transaction, and the defaults of `to_sql`.
"""

from __future__ import annotations

import pickle
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pandas as pd
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.models import Model

    #: a piece of the rows to the prediction columns, in the order of the target's
    Predict = Callable[[pd.DataFrame], list[np.ndarray]]

_PIECE = 50_000


def predictor(model: Model, *, own: bool) -> Predict:
    """The loaded model: ONNX Runtime, or with `own` the framework that trained it."""
    return (_framework if own else _runtime)(model)


def average(url: str, model: Model, rows: int) -> float:
    """The mean of the last score over the first rows, computed here."""
    engine = _engine(url)
    predict, total, done = _runtime(model), 0.0, 0
    with engine.connect() as connection:
        reading = connection.execution_options(stream_results=True)
        for piece in pd.read_sql(sa.text(_query(model, rows)), reading, chunksize=_PIECE):
            total += float(predict(piece)[-1].sum(dtype=np.float64))
            done += len(piece)
    engine.dispose()
    return total / done


def _engine(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:").replace(
        "mysql:", "mysql+pymysql:"))  # fmt: skip


def run(
    url: str, model: Model, target: str, names: Sequence[str], rows: int, predict: Predict
) -> int:
    """Score the first rows into a table that is there; how many.

    `names` are the target's columns, the key first.
    """
    engine = _engine(url)
    done = 0
    with ExitStack() as stack:
        writing = stack.enter_context(engine.connect())
        # SQLite lets no other connection commit while one reads
        reading = writing if engine.dialect.name == "sqlite" else engine.connect()
        stack.callback(reading.close)
        reading = reading.execution_options(stream_results=True)
        for piece in pd.read_sql(sa.text(_query(model, rows)), reading, chunksize=_PIECE):
            columns = [piece[model.key].to_numpy(), *predict(piece)]
            scored = pd.DataFrame(dict(zip(names, columns, strict=True)))
            scored.to_sql(target, writing, if_exists="append", index=False)
            done += len(scored)
        writing.commit()
    engine.dispose()
    return done


def _query(model: Model, rows: int) -> str:
    if model.source.lstrip().upper().startswith("SELECT"):
        return f"{model.source} LIMIT {rows}"
    columns = ", ".join((model.key, *model.features))
    return f"SELECT {columns} FROM {model.source} LIMIT {rows}"


def _runtime(model: Model) -> Predict:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # no word about the shape that LightGBM's label declares
    session = onnxruntime.InferenceSession(model.plain, options, providers=["CPUExecutionProvider"])

    def predict(piece: pd.DataFrame) -> list[np.ndarray]:
        piece = _without_nulls(model, piece)
        if model.text:
            feeds = {
                name: piece[[name]].to_numpy(object if name in model.text else np.float32)
                for name in model.features
            }
        else:
            block = piece[list(model.features)].to_numpy(np.float32)
            feeds = {session.get_inputs()[0].name: block}
        return _columns(session.run(None, feeds))

    return predict


def _framework(model: Model) -> Predict:
    fitted: Any = pickle.loads(Path(model.pickled).read_bytes())

    def predict(piece: pd.DataFrame) -> list[np.ndarray]:
        piece = _without_nulls(model, piece)[list(model.features)]
        features = piece if model.text else piece.to_numpy(np.float32)
        if not hasattr(fitted, "predict_proba"):
            return [fitted.predict(features)]
        scores = fitted.predict_proba(features)
        return _columns([fitted.classes_[scores.argmax(axis=1)], scores])

    return predict


def _without_nulls(model: Model, piece: pd.DataFrame) -> pd.DataFrame:
    return piece.fillna({name: value.removeprefix("=") for name, value in model.nulls.items()})


def _columns(outputs: list[np.ndarray]) -> list[np.ndarray]:
    matrices = [array.reshape(len(array), -1) for array in outputs]
    return [matrix[:, i] for matrix in matrices for i in range(matrix.shape[1])]
