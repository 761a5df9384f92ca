"""The author's own rows: read, scored and compared with the predictions that they bring along."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sqlscore.binding import match_features
from sqlscore.errors import ModelError, SignatureError, SqlscoreError, nearest
from sqlscore.model.frames import rows_of
from sqlscore.prove.examples import Examples, compared, expectations, sample
from sqlscore.session import runtime_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.model.frames import Rows
    from sqlscore.model.model import Model

TOLERANCE = 1e-5


def examined(
    model: Model,
    rows: Any,
    expect: str | Sequence[str] | Mapping[str, str],
    tolerance: float = TOLERANCE,
) -> Examples:
    """Score the author's rows and compare; what is kept of them.

    rows: a frame or an Arrow table, or the path of a Parquet or CSV file; it is read whole.
    expect: the columns that hold predictions; column -> prediction, where the names differ.

    Raises ModelError with the largest difference and its row, where that is past the tolerance;
    SignatureError for names that do not fit.
    """
    given = rows_of(_read(model, rows) if isinstance(rows, str | os.PathLike) else rows)
    columns = expectations(expect)
    _check_names(model, given, columns)
    names = [name for name in given.names if name not in columns]
    features = given.chosen(
        match_features(model.signature, names, positional=True),
        [feature.name for feature in model.signature.features],
    )
    expected = given.chosen(tuple(columns), list(columns.values()))
    largest = compared(expected, model.predict(features))
    if not largest.size <= tolerance:
        raise ModelError(
            f"the model does not give what its examples expect: of {given.count:,} rows the "
            f"largest difference is {largest}, and the tolerance is {tolerance:g}. Are the columns "
            "in the model's units and order, and is it the same output? A tolerance for what "
            "rounding explains: --tolerance"
        )
    return Examples(
        rows=given.count,
        tolerance=tolerance,
        expect=columns,
        largest=largest,
        onnxruntime=runtime_version(),
        provider="cpu",
        kept=sample(features, expected, largest.row - 1),
    )


def _check_names(model: Model, given: Rows, columns: Mapping[str, str]) -> None:
    """Every column is there, and every prediction."""
    predictions = [prediction.name for prediction in model.signature.predictions]
    if not given.count or not columns:
        raise SignatureError("there are no examples to compare: no row, or no expected column")
    for column, prediction in columns.items():
        if prediction not in predictions:
            raise SignatureError(
                f"{prediction!r} is no prediction of the model.{nearest(prediction, predictions)} "
                f"It gives: {', '.join(map(repr, predictions))}. A column of another name is "
                "expected as COLUMN=PREDICTION"
            )
        if column not in given.names:
            raise SignatureError(
                f"the examples have no column {column!r}.{nearest(column, given.names)} "
                f"They have: {', '.join(map(repr, given.names))}"
            )


def _read(model: Model, path: str | os.PathLike[str]) -> pa.Table:
    """A file of rows; CSV's columns that feed a feature are read in the type that it takes."""
    file = Path(path)
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return pq.read_table(file)
        types = {feature.name: feature.type for feature in model.signature.features}
        return pacsv.read_csv(
            file,
            convert_options=pacsv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise SqlscoreError(f"there is no file {str(file)!r}") from error
    except (OSError, pa.ArrowException) as error:
        first = str(error).partition("\n")[0]
        raise SqlscoreError(f"{str(file)!r} is no Parquet or CSV file of rows: {first}") from error
