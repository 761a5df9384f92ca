"""``doctor --calibrate``: measure what things cost on a database, and keep it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.costs.bench import ROWS
from sqlscore.costs.kept import store
from sqlscore.costs.measuring import measured
from sqlscore.database import connect
from sqlscore.doctor import Check, State
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: what is told, and the constants of it
_TOLD: dict[str, dict[str, str]] = {
    "a scan": {"a row": "scan_row", "a value": "scan_value"},
    "reading": {
        "a row": "read_row", "a value": "read_value", "a text more": "read_text",
        "begins in": "start",
    },
    "reading in a statement": {"a row": "fetch_row", "a value": "fetch_value"},
    "writing": {"a row": "write_row", "a value": "write_value"},
    "temporary tables": {"a row": "stage_row", "a value": "stage_value"},
    "predictions into them": {"a row": "put_row", "a value": "put_value"},
    "INSERT … SELECT": {"a row": "fill_row", "a value": "fill_value"},
    "models as SQL": {
        "a node of a tree": "sql_visit", "a weight": "sql_weight",
        "a multiply-add of a layer": "sql_term", "a category": "sql_lookup", "exp": "sql_call",
        "planning": "plan_start", "a leaf of it": "plan_leaf",
        "a leaf compiled": "compile_leaf",
    },
    "ONNX Runtime": {
        "a row": "ort_row", "a value": "ort_value", "a text more": "ort_text",
        "a prediction": "ort_output", "a node of a tree": "ort_visit",
        "a multiply-add": "ort_term", "a category": "ort_lookup", "exp": "ort_call",
    },
}  # fmt: skip


def calibrated(url: str, rows: int = ROWS) -> Iterator[Check]:
    """Measure a database, keep the planner's constants in it, and tell them.

    A table of so many rows is made for it, and dropped again. It takes seconds.
    """
    try:
        with connect(url) as database:
            found = measured(database.engine, database.product, rows)
            store(database.engine, database.product, found)
    except SqlscoreError as error:
        yield Check(subject="calibration", state=State.BAD, found=str(error))
        return
    for subject, constants in _TOLD.items():
        told = {words: found[name] for words, name in constants.items() if name in found}
        if told:
            yield Check(subject=f"cost: {subject}", state=State.GOOD, found=_told(told))
    times = found.get("parallel", 1.0)
    wider = f"; an average runs {times:.1f} times as fast as on one core" if times > 1.1 else ""
    yield Check(subject="calibration", state=State.GOOD, found=f"kept for route='auto'{wider}")


def _told(constants: Mapping[str, float]) -> str:
    return ", ".join(f"{words} {_time(seconds)}" for words, seconds in constants.items())


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
