"""Constants of the cost model where a database was not measured, in seconds.

Measured on two cores of an AMD EPYC, the server on the same machine, in processor time: of several
processes that work beside each other, the one that took the most. `doctor --calibrate` measures
others.
"""

from __future__ import annotations

NS = 1e-9

#: of any database
USUAL: dict[str, float] = {
    "start": 0.02,
    "scan_row": 60 * NS, "scan_value": 25 * NS,
    "read_row": 400 * NS, "read_value": 60 * NS, "read_text": 50 * NS,
    "fetch_row": 900 * NS, "fetch_value": 150 * NS,
    "stage_row": 400 * NS, "stage_value": 30 * NS, "stage_start": 0.02,
    "fill_row": 1200 * NS, "fill_value": 60 * NS,
    "write_row": 1500 * NS, "write_value": 200 * NS,
    "put_row": 1200 * NS, "put_value": 200 * NS,
    "sql_visit": 35 * NS, "sql_weight": 20 * NS, "sql_term": 20 * NS, "sql_lookup": 15 * NS,
    "sql_call": 70 * NS,
    "plan_start": 0.05, "plan_leaf": 10_000 * NS, "compile_leaf": 90_000 * NS,
    "parallel": 1.0,
    "ort_row": 10 * NS, "ort_value": 2.5 * NS, "ort_text": 80 * NS, "ort_output": 15 * NS,
    "ort_visit": 7 * NS, "ort_term": 0.1 * NS, "ort_lookup": 1 * NS, "ort_call": 0.5 * NS,
}  # fmt: skip

#: dialect -> what is known better
DEFAULTS: dict[str, dict[str, float]] = {
    "postgres": {
        "start": 0.02, "scan_row": 100 * NS, "scan_value": 6 * NS, "read_row": 330 * NS,
        "read_value": 43 * NS, "read_text": 20 * NS, "fetch_row": 750 * NS,
        "fetch_value": 110 * NS, "stage_row": 340 * NS, "stage_value": 36 * NS,
        "fill_row": 1800 * NS, "fill_value": 25 * NS, "write_row": 900 * NS,
        "write_value": 65 * NS, "put_row": 170 * NS, "put_value": 50 * NS,
        "sql_visit": 18 * NS, "sql_weight": 17 * NS, "sql_term": 13 * NS, "sql_lookup": 5 * NS,
        "sql_call": 65 * NS, "plan_start": 0.01, "plan_leaf": 3_000 * NS, "parallel": 1.7,
    },
    "mysql": {
        "start": 0.02, "scan_row": 115 * NS, "scan_value": 20 * NS, "read_row": 100 * NS,
        "read_value": 45 * NS, "read_text": 100 * NS, "fetch_row": 3900 * NS,
        "fetch_value": 970 * NS, "stage_row": 1700 * NS, "stage_value": 36 * NS,
        "fill_row": 1300 * NS, "fill_value": 80 * NS, "write_row": 1200 * NS,
        "write_value": 760 * NS, "put_row": 1600 * NS, "put_value": 540 * NS,
        "sql_visit": 31 * NS, "sql_weight": 22 * NS, "sql_term": 23 * NS, "sql_lookup": 36 * NS,
        "sql_call": 100 * NS, "plan_start": 0.01, "plan_leaf": 1_200 * NS,
    },
    "sqlite": {
        "start": 0.003, "scan_row": 125 * NS, "scan_value": 19 * NS, "read_row": 150 * NS,
        "read_value": 80 * NS, "read_text": 100 * NS, "fetch_row": 2900 * NS,
        "fetch_value": 170 * NS, "stage_row": 200 * NS, "stage_value": 35 * NS,
        "fill_row": 320 * NS, "fill_value": 35 * NS, "write_row": 170 * NS,
        "write_value": 250 * NS, "put_row": 150 * NS, "put_value": 200 * NS,
        "sql_visit": 24 * NS, "sql_weight": 40 * NS, "sql_term": 26 * NS, "sql_lookup": 12 * NS,
        "sql_call": 55 * NS, "plan_start": 0.01, "plan_leaf": 20_000 * NS,
    },
    "duckdb": {
        "start": 0.004, "scan_row": 4 * NS, "scan_value": 3 * NS, "read_row": 10 * NS,
        "read_value": 8 * NS, "read_text": 15 * NS, "fetch_row": 7 * NS, "fetch_value": 7 * NS,
        "stage_row": 14 * NS, "stage_value": 9 * NS, "fill_row": 240 * NS, "fill_value": 38 * NS,
        "write_row": 250 * NS, "write_value": 40 * NS, "put_row": 25 * NS, "put_value": 8 * NS,
        "sql_visit": 6 * NS, "sql_weight": 0.5 * NS, "sql_term": 4 * NS, "sql_lookup": 1.2 * NS,
        "sql_call": 12 * NS, "plan_start": 0.02, "plan_leaf": 120_000 * NS, "parallel": 1.9,
    },
}  # fmt: skip
