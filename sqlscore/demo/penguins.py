"""Real rows and a real model to show sqlscore on: 344 penguins, and which species each is.

Palmer penguins by Allison Horst, Alison Hill and Kristen Gorman, released under CC0 1.0; the
measurements come from Gorman KB, Williams TD, Fraser WR (2014), PLoS ONE 9(3): e90081. The `id`
is the row's place in their file. The model beside it was trained by `train.py`.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

FOLDER = Path(__file__).parent
DATA = FOLDER / "penguins.csv"
MODEL = FOLDER / "penguins.onnx"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
LABEL = "species"
EVERY = 4  #: every fourth row is held out of training

_TYPES = {
    "id": pa.int64(),
    "island": pa.string(),
    **dict.fromkeys(NUMBERS, pa.float64()),
    "sex": pa.string(),
    "year": pa.int64(),
    LABEL: pa.string(),
}


def rows() -> pa.Table:
    """All 344 rows; 2 lack every measure and 11 the sex, as NULL."""
    options = pacsv.ConvertOptions(column_types=_TYPES, strings_can_be_null=True)
    return pacsv.read_csv(DATA, convert_options=options)


def held_out(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each row was kept from the model when it was trained."""
    whole = pc.multiply(pc.divide(ids, EVERY), EVERY)
    return pc.equal(whole, ids)
