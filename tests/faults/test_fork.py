"""A process that forks after it has scored, as gunicorn and Celery do: parent and child go on."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import sqlscore
from tests.fixtures.scoring import FEATURES, WEIGHED, Shop, asked, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

SCRIPT = Path(__file__).with_name("forked.py")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_parent_and_child_both_score(database: Database):
    shop = Shop.on(database, rows=200)
    database.engine.dispose()
    shared = database.product.shared
    done = subprocess.run(
        [sys.executable, str(SCRIPT), database.url, "shared" if shared else "alone"],
        capture_output=True, text=True, timeout=60, check=False,
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for target in ("before", "parent", "parent_too", "after", *(["child"] if shared else [])):
        assert shop.found(target) == expected(range(0, 600, 3))


def test_a_model_goes_to_a_process_that_starts_anew():
    model = sqlscore.load(WEIGHED, features=FEATURES)
    rows = pa.table({"age": [1.0, 2.0], "spend": [0.5, 0.25]})
    here = model.predict(rows)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(model.predict, (rows,)) == here
    want = asked(WEIGHED, np.array([[1.0, 0.5], [2.0, 0.25]]))
    assert here["score"].to_pylist() == want[:, 0].tolist()
