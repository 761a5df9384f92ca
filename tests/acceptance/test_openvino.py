"""A second provider, for real: OpenVINO on this processor, in an environment of its own.

Its package brings its own module `onnxruntime`, so it has its own environment (`make test` makes
it), and the command runs there.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

import sqlscore
from tests.contract import tables
from tests.fixtures import models

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-openvino" / "bin" / "python"
ROWS = 3000

#: a network that OpenVINO takes: converters add label nodes of unknown rank, which it does not
NET = models.written(
    "g (float[N,4] x) => (float[N,3] p) "
    "<float[4,3] w = {0.3, -0.2, 0.1, 0.5, 0.4, -0.6, -0.1, 0.2, 0.7, 0.25, -0.35, 0.15}> "
    "{ z = MatMul(x, w) t = Tanh(z) e = Exp(t) s = Softmax<axis=1>(e) p = Sqrt(s) }"
)

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-openvino" / "installed").exists(),
    reason="onnxruntime-openvino is not installed in .venv-openvino: run tests/setup_openvino.sh",
)


def sqlscore_there(database: Database, *arguments: str, code: int = 0) -> Any:
    """What the command says in the other environment, as JSON."""
    database.engine.dispose()
    done = subprocess.run(
        [str(PYTHON), "-m", "sqlscore", *arguments, "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SQLSCORE_DB": database.url},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def rows(sqlite: Database) -> np.ndarray:
    """A table ``rows`` of four features."""
    values = models.columns(ROWS, 4)
    types: dict[str, pa.DataType | str] = {"id": pa.int64()}
    target = tables.create(sqlite, "rows", {**types, **dict.fromkeys("abcd", pa.float64())})
    columns = {name: pa.array(values[:, i]) for i, name in enumerate("abcd")}
    tables.write(sqlite, target, {"id": pa.array(range(ROWS)), **columns})
    return values.astype(np.float32)


def test_a_table_is_scored_by_openvino(sqlite: Database, rows: np.ndarray, tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(NET)
    added = sqlscore_there(sqlite, "model", "add", "net", str(path), "--features", "a,b,c,d")
    measured = added["measures"]["openvino"]
    assert measured["refused"] is None
    assert 0 < measured["difference"] < 1e-4
    run = sqlscore_there(
        sqlite, "score", "net", "--source", "rows", "--target", "scored", "--provider", "openvino",
        "--provider-option", "device_type=CPU", "--provider-option", "num_of_threads=1",
    )  # fmt: skip
    assert run["rows"] == ROWS
    assert "net:1 on openvino (openvino asked for): openvino: largest diff" in run["providers"][0]
    session = onnxruntime.InferenceSession(NET, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": rows})
    with sqlscore.connect(sqlite.engine) as db:
        assert list(db.run(run["id"]).providers) == run["providers"]
        assert db.models.measures("net")["openvino"].difference == measured["difference"]
    with sqlite.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT p FROM scored ORDER BY id").scalars().all()
    scores = np.array([json.loads(text) for text in found])
    np.testing.assert_allclose(scores, expected, atol=10 * measured["difference"])
    assert (scores != expected.astype(np.float64)).any(), "that was the CPU provider"


def test_a_model_that_openvino_refuses_is_told(sqlite: Database, rows: np.ndarray, tmp_path: Path):
    path = tmp_path / "trees.onnx"
    path.write_bytes(models.lightgbm())
    added = sqlscore_there(sqlite, "model", "add", "trees", str(path), "--features", "a,b,c,d")
    assert "OpenVINOExecutionProvider" in added["measures"]["openvino"]["refused"]
    score = ("score", "trees", "--source", "rows", "--target", "scored")
    error = sqlscore_there(sqlite, *score, "--provider", "openvino", code=3)["error"]
    assert error["kind"] == "ProviderError"
    assert "model trees:1: " in error["message"]
    run = sqlscore_there(sqlite, *score, "--provider", "auto")
    assert run["rows"] == ROWS
    assert run["providers"] == ["trees:1 on cpu (auto asked for): openvino refuses the model"]


def test_doctor_lists_the_providers(sqlite: Database):
    # 4: this environment has both packages, one behind the other
    checks = sqlscore_there(sqlite, "doctor", code=4)["checks"]
    states = {c["subject"]: c["state"] for c in checks if c["subject"].startswith("provider ")}
    assert states["provider openvino"] == "ok"
    assert states["provider cuda"] == "-"
