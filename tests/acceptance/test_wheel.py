"""The wheel carries the scripts that run inside databases."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from sqlscore.products.scripts import script

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_every_script(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for path in (ROOT / "sql").glob("*/*.sql"):
            inside = archive.read(f"sqlscore/_sql/{path.parent.name}/{path.name}").decode()
            assert inside == script(path.parent.name, path.stem)
