"""Every example runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__, "../../examples").resolve().glob("*.py"))

SAYS = {"dataframe.py": "dee", "table.py": "done: 569 rows"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path):
    ran = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert SAYS[path.name] in ran.stdout
