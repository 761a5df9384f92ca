"""Watermarks: how far behind the largest one a run stays, and which SELECT can be asked twice."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs.job import Job, Mode
from sqlscore.jobs.slices import _behind, check
from sqlscore.products.postgres import POSTGRES
from sqlscore.relations.selects import is_repeatable, is_select, parsed, passed

JOB = Job(models=("m",), source="s", target="t")


@pytest.mark.parametrize(
    ("value", "lag", "behind"),
    [
        (datetime(2026, 1, 1), 90, datetime(2025, 12, 31, 23, 58, 30)),
        (date(2026, 1, 1), 1, date(2025, 12, 31)),
        (date(2026, 1, 10), 86_401, date(2026, 1, 8)),
        ("2026-01-01 00:00:00", 1, "2025-12-31 23:59:59"),
        ("2026-01-01T00:00:00.500000", 1, "2025-12-31T23:59:59.500000"),
        ("2026-01-01", 1, "2025-12-31"),
        (100, 10.0, 90),
        (Decimal("1.5"), 1.0, Decimal("0.5")),
        ("anything", 0, "anything"),
    ],
)
def test_behind_a_watermark(value: Any, lag: float, behind: Any):
    assert _behind(value, lag) == behind


def test_other_text_has_no_lag():
    with pytest.raises(DatabaseError, match="needs a watermark of times or numbers"):
        _behind("v17", 5)


def test_jobs_that_make_no_sense():
    for chosen in ({"lag_seconds": 1.0}, {"incremental": "c", "mode": Mode.UPDATE},
                   {"only_new": True, "mode": Mode.REPLACE}):  # fmt: skip
        with pytest.raises(SqlscoreError):
            check(Job(models=("m",), source="s", target="t", **chosen))
    check(JOB)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT 1", True), ("  (select 1)", True), ("select*from t", True),
        ("WITH a AS (x)", True),
        ("-- note\nSELECT 1", True), ("/* note */ SELECT 1", True), ("FROM t", True),
        ("selected", False), ("select", False), ("from", False), ("my table", False),
        ("values_of_today", False), ("s.select", False),
    ],
)  # fmt: skip
def test_what_is_a_query(text: str, query: bool):
    assert is_select(text) is query


AGAIN = (
    "SELECT a, b + 1 AS c FROM t WHERE a > 3 AND b IS NOT NULL",
    "SELECT * FROM s.t AS x ORDER BY a",
    "SELECT CASE WHEN a THEN 1 ELSE 2 END, COALESCE(b, 0), CAST(c AS float) FROM t",
)
ONCE = (
    "SELECT a FROM t LIMIT 5", "SELECT DISTINCT a FROM t", "SELECT random() AS a FROM t",
    "SELECT a FROM t, u", "SELECT a FROM t JOIN u USING (a)", "SELECT count(*) FROM t",
    "SELECT a FROM t WHERE at < now()", "SELECT a FROM t WHERE at < CURRENT_TIMESTAMP",
    "SELECT a FROM t TABLESAMPLE SYSTEM (10)", "SELECT row_number() OVER () FROM t",
    "SELECT a FROM (SELECT a FROM t LIMIT 5) x", "SELECT a FROM t UNION SELECT a FROM u",
    "SELECT a FROM generate_series(1, 5) AS g(a)", "SELECT mine(a) FROM t",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", "SELECT nextval('s') AS a FROM t",
    "SELECT a FROM t WHERE owner = current_user", "SELECT a FROM t FOR UPDATE",
)  # fmt: skip


@pytest.mark.parametrize("text", AGAIN)
def test_columns_and_filters_can_be_asked_again(text: str):
    tree = parsed(text, POSTGRES)
    assert tree is not None
    assert is_repeatable(tree)


@pytest.mark.parametrize("text", ONCE)
def test_all_else_is_asked_once(text: str):
    tree = parsed(text, POSTGRES)
    assert tree is not None
    assert not is_repeatable(tree)


def test_what_a_select_passes_on():
    tree = parsed("SELECT a, b AS c, b + 1 AS d FROM t", POSTGRES)
    assert tree is not None
    assert passed(tree, ["a", "c", "d"]) == {"a": "a", "c": "b"}
