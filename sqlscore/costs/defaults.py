"""Constants of the cost model where a database was not measured, in seconds."""

from __future__ import annotations

NS = 1e-9

#: of any database
USUAL: dict[str, float] = {
    "start": 0.02,
    "scan_row": 60 * NS, "scan_value": 25 * NS,
    "read_row": 600 * NS, "read_value": 60 * NS,
    "fetch_row": 900 * NS, "fetch_value": 100 * NS,
    "stage_row": 400 * NS, "stage_value": 20 * NS,
    "write_row": 1200 * NS, "write_value": 100 * NS,
    "sql_visit": 40 * NS, "sql_term": 25 * NS, "sql_lookup": 25 * NS, "sql_call": 60 * NS,
    "plan_leaf": 120_000 * NS, "jit_leaf": 0.0, "parallel": 1.0,
    "ort_row": 60 * NS, "ort_visit": 6 * NS, "ort_term": 1 * NS, "ort_lookup": 5 * NS,
    "ort_call": 5 * NS,
}  # fmt: skip

#: dialect -> what is known better
DEFAULTS: dict[str, dict[str, float]] = {}
