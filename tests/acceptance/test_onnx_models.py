"""onnx's own backend tests by `sqlscore.load` and `predict`: right, or refused by an error of ours.

2,033 models of every operator, from the installed onnx itself. They run in a process of their own,
since a runtime that aborts would take the test run with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]

#: by onnx's version, what must at least come out as its authors expect
MATCHED = {"1.23": 1785}

#: where onnxruntime itself gives another answer than onnx expects, and ours is equal to its own
OTHERWISE = {
    "rounding of a Fourier transform": (
        "dft", "dft_axis", "dft_inverse", "dft_irfft", "dft_rfft", "dft_opset19",
        "dft_axis_opset19", "dft_inverse_opset19", "dft_irfft_opset19", "dft_rfft_opset19",
        "stft", "stft_with_window",
    ),
    "rounding to half precision": ("attention_4d_causal_fp16",),
    "masked scores as -inf": (
        "attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal",
        "attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal",
    ),
    "another random generator": (
        "training_dropout", "training_dropout_default", "training_dropout_mask",
        "training_dropout_default_mask",
    ),
    "another meaning of the operator": (
        "maxunpool_export_with_output_shape", "resize_downsample_scales_linear_align_corners",
        "resize_downsample_scales_cubic_align_corners",
    ),
}  # fmt: skip


def test_every_model_of_onnx_is_right_or_refused(capsys: pytest.CaptureFixture[str]):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("onnx_models.py"))],
        capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        timeout=300,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended by {lines[-1]}: {done.stderr[-2000:]}"
    found = {line["name"]: line for line in lines if "name" in line}
    outcomes = Counter(line["outcome"] for line in found.values())
    with capsys.disabled():
        sys.stdout.write(f"\nonnx {onnx.__version__}, {len(found)} models: {dict(outcomes)}\n")
    bad = [line for line in found.values() if line["outcome"] in ("wrong", "raised")]
    assert not bad
    refused = [line for line in found.values() if line["outcome"].endswith("Error")]
    assert all(line["why"] for line in refused)
    version = ".".join(onnx.__version__.split(".")[:2])
    assert outcomes["matched"] >= MATCHED.get(version, 0)
    if version in MATCHED:
        otherwise = {f"node/test_{name}" for names in OTHERWISE.values() for name in names}
        itself = {name for name, line in found.items() if line["outcome"] == "as onnxruntime"}
        assert itself <= otherwise
