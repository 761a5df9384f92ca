"""What a prediction costs by each route: pure, from the model's size and measured constants.

    task x constants -> seconds by the bridge, seconds by push-down

The constants are seconds for one of a thing. `DEFAULTS` has them by dialect, as measured on one
machine with the server beside it; ``sqlscore doctor --calibrate`` measures those of a database.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlscore.costs.defaults import DEFAULTS, USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlscore.graph.size import Size


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Seconds for one of each; `parallel` alone is a ratio."""

    start: float  #: a reader of its own and its first row
    scan_row: float  #: a row that the database looks at, in its memory
    scan_value: float  #: and each value of it
    read_row: float  #: a row on its way here by the fastest reader
    read_value: float
    read_text: float  #: and what a value takes more that is a text
    fetch_row: float  #: a row on its way here over a statement's connection
    fetch_value: float
    stage_row: float  #: a row into a temporary table, inside the database
    stage_value: float
    stage_start: float  #: temporary tables until there is a row in them
    fill_row: float  #: a row of a query into a table with a key, inside the database
    fill_value: float
    write_row: float  #: a row on its way back
    write_value: float
    put_row: float  #: a row on its way back into a temporary table
    put_value: float
    sql_visit: float  #: a node of a tree, as CASE
    sql_weight: float  #: a multiply-add of a sum of columns, with its share of the guard
    sql_term: float  #: one of a layer
    sql_lookup: float  #: a category that is compared
    sql_call: float  #: exp or tanh, and what keeps it from raising
    plan_start: float  #: a small model until it runs: the database's planning
    plan_leaf: float  #: a leaf of a tree, and of other models a weight
    compile_leaf: float  #: the same compiled here, once in a process
    parallel: float  #: how many times as fast an aggregate is as a stream of rows
    ort_row: float  #: a row through tensors and ONNX Runtime, on one thread
    ort_value: float  #: and each of its features
    ort_text: float  #: what one takes more that is a text, to be looked up
    ort_output: float  #: a prediction
    ort_visit: float
    ort_term: float
    ort_lookup: float
    ort_call: float

    @classmethod
    def of(cls, dialect: str, measured: Mapping[str, float] | None = None) -> Costs:
        """The constants of a dialect, those that were measured first."""
        known = {**USUAL, **DEFAULTS.get(dialect, {}), **(measured or {})}
        return cls(**{field.name: known[field.name] for field in dataclasses.fields(cls)})


_SENT = 1.5  #: what a row takes that is sent and taken, in times of taking it


class Into(StrEnum):
    """Where the rows of a PREDICT go."""

    READER = "reader"  #: to the caller
    TARGET = "target"  #: into a table
    BESIDE = "beside"  #: into a temporary table, for a statement that the database runs
    INSIDE = "inside"  #: the same, with predictions beside a copy that never left the database


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is to be done."""

    rows: int
    features: int  #: columns that are read for the model
    texts: int = 0  #: those of them that are texts
    kept: int  #: columns that go with the predictions
    predictions: int
    into: Into
    size: Size
    cores: int  #: that the bridge's threads have
    server: bool  #: the database is a process of its own, which works on while rows are taken here
    compiled: bool = False  #: the model is SQL already
    beside: bool = False  #: several ranges are filled beside each other


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Seconds by each route."""

    bridge: float
    push_down: float

    @property
    def pushes_down(self) -> bool:
        """Whether push-down is the cheaper one."""
        return self.push_down < self.bridge


def estimate(task: Task, costs: Costs) -> Estimate:
    """What a task costs by each route."""
    return Estimate(bridge=_bridge(task, costs), push_down=_push_down(task, costs))


def _push_down(task: Task, costs: Costs) -> float:
    size, out = task.size, task.kept + task.predictions
    row = costs.scan_row + costs.scan_value * (task.features + task.kept)
    row += costs.sql_visit * size.copies + costs.sql_weight * size.weights
    row += costs.sql_term * size.terms
    row += costs.sql_lookup * size.lookups + costs.sql_call * size.calls
    fetch = costs.fetch_row + costs.fetch_value * out
    if task.into is Into.READER and (task.server or costs.parallel > 1):
        # one thread here takes the rows, while what the database makes of them is on all cores
        row = max(fetch, row / costs.parallel, (row + _SENT * fetch) / task.cores)
    elif task.into is Into.READER:
        row += fetch
    elif task.into is Into.TARGET:
        row += costs.fill_row + costs.fill_value * out
        row /= costs.parallel if task.beside else 1.0
    else:
        row /= costs.parallel
    leaf = costs.plan_leaf + (0.0 if task.compiled else costs.compile_leaf)
    planned = costs.plan_start + leaf * (size.leaves + size.weights + size.terms)
    return planned + row * task.rows


def _bridge(task: Task, costs: Costs) -> float:
    size, out = task.size, task.kept + task.predictions
    score = costs.ort_row + costs.ort_value * task.features + costs.ort_output * task.predictions
    score += costs.ort_visit * size.visits + costs.ort_term * (size.weights + size.terms)
    score += costs.ort_lookup * size.lookups + costs.ort_call * size.calls
    # texts are made under Python's lock, so by one thread at a time
    score = score / task.cores + costs.ort_text * task.texts
    read = costs.read_row + costs.read_value * (task.features + task.kept)
    read += costs.read_text * task.texts
    if task.into is Into.READER:
        return costs.start + task.rows * _overlapped([read, score], task.cores)
    if task.into is Into.TARGET:
        write = costs.write_row + costs.write_value * out
        return costs.start + task.rows * _overlapped([read, score, write], task.cores)
    if task.into is Into.BESIDE:
        put = costs.put_row + costs.put_value * out
        row = _overlapped([read, score, put], task.cores)
        row += costs.scan_row + costs.scan_value * out
        return costs.start + costs.stage_start + task.rows * row
    row = costs.stage_row + costs.stage_value * (task.features + task.kept)
    fetch = costs.fetch_row + costs.fetch_value * task.features + costs.read_text * task.texts
    row += _overlapped([fetch, score], task.cores)
    row += costs.put_row + costs.put_value * task.predictions
    row += 2 * costs.scan_row + costs.scan_value * (task.kept + task.predictions)
    return costs.stage_start + task.rows * row


def _overlapped(stages: list[float], cores: int) -> float:
    """Stages beside each other: the longest, and of the others what the cores have no room for."""
    longest = max(stages)
    return longest + (sum(stages) - longest) * min(1.0, 1.5 / cores)
