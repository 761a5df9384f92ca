"""Batches of a device, on the CPU under the name of one: its allocator fails in the same words."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sqlscore
from sqlscore.errors import ProviderError
from sqlscore.predictor.device import Room
from sqlscore.session import PROVIDERS, DeviceFull
from tests.fixtures import models
from tests.fixtures.providers import DEVICE

ROWS = 5000

#: 100,000 bytes a row, of which a device's tensors show 16
_WIDE = models.written(
    "g (float[N,4] x) => (float[N,1] y) { z = Exp(x) n = Constant<value = int64[2] {4, 25000}>() "
    "w = ConstantOfShape(n) m = MatMul(z, w) y = ReduceMax<axes = [1]>(m) }"
)


def test_rows_follow_from_their_width_and_the_limit():
    assert Room(None).rows(16) == 65_536
    assert Room(None).rows(2**20) == 256
    assert Room(2**30).rows(2**20) == 64
    assert Room(2**20).rows(2**30) == 1


def test_a_device_that_was_full_gets_half_from_then_on():
    room = Room(None)
    assert room.was_full(1000) == 500
    assert room.rows(16) == 500
    assert room.was_full(4000) == 500  # another thread's, that had begun before
    assert room.was_full(1) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory hold on Linux")
def test_a_full_device_gets_fewer_rows_until_they_fit():
    """In a process of its own, whose memory is limited."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "from tests.unit.test_device import limited; limited()"],
        capture_output=True, text=True, check=False, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def limited() -> None:
    """Predict with 125 MB where 500 MB are wanted at once."""
    PROVIDERS["device"] = DEVICE
    model = sqlscore.load(_WIDE)
    rows = pd.DataFrame(models.columns(ROWS, 4), columns=list("abcd"))
    expected = model.predict(rows)["y"]
    predictor = model.predictor("device")
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 125 * 2**20,) * 2)
    np.testing.assert_array_equal(model.predict(rows, provider="device")["y"], expected)
    assert predictor._slices._room is not None
    assert 16 <= predictor._slices._room.rows(16) < ROWS // 2


def test_a_row_that_has_no_room_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PROVIDERS, "device", DEVICE)
    predictor = sqlscore.load(models.mlp()).predictor("device")
    with pytest.raises(ProviderError, match="A single row needs more than there is"):
        predictor._slices._fewer(1, DeviceFull("the device's memory is full"))
