"""Jobs: their identity, and what a resumed one may not change."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from sqlscore.errors import JobConflict
from sqlscore.jobs.job import Job, Mode

JOB = Job(
    models=("churn", "spend@production"), source="customers", target="predictions", key=("id",),
    mode=Mode.REPLACE, columns=("city",), map={"age": "years"}, nulls={"age": "=0.5"},
    incremental="changed", lag_seconds=2.5, only_new=True, source_db="sqlite:///a", provider="cuda",
)  # fmt: skip


def test_a_job_comes_back_from_json():
    assert Job.from_json(json.loads(json.dumps(JOB.to_json()))) == JOB


OTHER: dict[str, Any] = {
    "source": "others", "target": "elsewhere", "key": ("a", "b"), "models": ("churn",),
    "mode": Mode.APPEND, "columns": (), "map": {}, "nulls": {}, "incremental": None,
    "where": "a > :low", "params": {"low": 2}, "lineage": ("run",),
    "only_new": False, "source_db": None, "registry_db": "sqlite:///b",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_what_is_written_makes_the_identity(name: str):
    other = dataclasses.replace(JOB, **{name: OTHER[name]})
    assert other.identity != JOB.identity
    named = dataclasses.replace(other, name="nightly")
    assert named.identity == "nightly"
    with pytest.raises(JobConflict, match=f"'nightly' began otherwise: {name}: "):
        named.refuse_other(dataclasses.replace(JOB, name="nightly"))


@pytest.mark.parametrize("free", [{"provider": "cpu"}, {"lag_seconds": 9.0}])
def test_how_fast_it_runs_is_free(free: dict[str, Any]):
    other = dataclasses.replace(JOB, **free)
    assert other.identity == JOB.identity
    other.refuse_other(JOB)


def test_the_identity_does_not_depend_on_the_order_of_mappings():
    one = dataclasses.replace(JOB, map={"a": "x", "b": "y"})
    two = dataclasses.replace(JOB, map={"b": "y", "a": "x"})
    assert one.identity == two.identity
    assert len(one.identity) == 16


def test_what_came_later_leaves_the_jobs_of_before_as_they_were():
    assert Job(models=("m",), source="s", target="t").identity == "0cc426698e8db1b0"
    there = Job(models=("m",), source="s", target="t", where="a = :a", params={"a": 1})
    assert there.identity != dataclasses.replace(there, params={"a": 2}).identity
