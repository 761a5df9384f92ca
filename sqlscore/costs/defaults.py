"""Constants of the cost model where a database was not measured, in seconds.

Measured on two cores of an AMD EPYC, the server on the same machine: `doctor --calibrate` measures
others.
"""

from __future__ import annotations

NS = 1e-9

#: of any database
USUAL: dict[str, float] = {
    "start": 0.02,
    "scan_row": 60 * NS, "scan_value": 25 * NS,
    "read_row": 400 * NS, "read_value": 60 * NS,
    "fetch_row": 900 * NS, "fetch_value": 150 * NS,
    "stage_row": 400 * NS, "stage_value": 30 * NS,
    "fill_row": 1200 * NS, "fill_value": 60 * NS,
    "write_row": 1500 * NS, "write_value": 200 * NS,
    "sql_visit": 35 * NS, "sql_weight": 20 * NS, "sql_term": 20 * NS, "sql_lookup": 15 * NS,
    "sql_call": 70 * NS,
    "plan_start": 0.05, "plan_leaf": 100_000 * NS, "jit_leaf": 0.0, "parallel": 1.0,
    "ort_row": 50 * NS, "ort_value": 5 * NS, "ort_visit": 7 * NS, "ort_term": 0.2 * NS,
    "ort_lookup": 5 * NS,
    "ort_call": 2 * NS,
}  # fmt: skip

#: dialect -> what is known better
DEFAULTS: dict[str, dict[str, float]] = {
    "postgres": {
        "start": 0.03, "scan_row": 60 * NS, "scan_value": 10 * NS, "read_row": 400 * NS,
        "read_value": 45 * NS, "fill_row": 1400 * NS, "fill_value": 80 * NS, "parallel": 1.7,
        "jit_leaf": 2_000_000 * NS,
    },
    "mysql": {
        "scan_row": 200 * NS, "scan_value": 30 * NS, "fetch_row": 6000 * NS,
        "fetch_value": 700 * NS, "stage_row": 2000 * NS, "fill_row": 3000 * NS,
        "write_row": 3500 * NS,
        "write_value": 500 * NS, "sql_term": 25 * NS, "sql_call": 150 * NS,
    },
    "sqlite": {
        "start": 0.003, "scan_value": 40 * NS, "read_row": 120 * NS, "read_value": 85 * NS,
        "fetch_row": 1800 * NS, "fetch_value": 300 * NS, "stage_row": 160 * NS,
        "fill_row": 200 * NS,
        "write_row": 400 * NS, "sql_term": 30 * NS,
    },
    "duckdb": {
        "start": 0.004, "scan_row": 15 * NS, "scan_value": 5 * NS, "read_row": 10 * NS,
        "read_value": 10 * NS, "fetch_row": 30 * NS, "fetch_value": 9 * NS, "stage_row": 35 * NS,
        "fill_row": 400 * NS, "write_row": 500 * NS, "write_value": 70 * NS,
        "sql_visit": 20 * NS, "sql_weight": 2 * NS, "sql_term": 8 * NS,
        "sql_lookup": 6 * NS, "sql_call": 15 * NS, "plan_leaf": 250_000 * NS,
    },
}  # fmt: skip
