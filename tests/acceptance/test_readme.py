"""What the README says to type works, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return str(found)


def _run(program: list[str], folder: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "SQLSCORE_DB"}
    done = subprocess.run(
        program, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_story_in_shell_and_python(tmp_path: Path) -> None:
    command = f'sqlscore() {{ "{sys.executable}" -m sqlscore "$@"; }}\nset -e\n'
    said = _run(["sh", "-c", command + _block("sh")], tmp_path)
    assert "Scored 344 rows into guesses" in said
    folder = tmp_path / "penguins"
    assert "guess" in pq.read_schema(folder / "scored.parquet").names
    pytest.importorskip("pandas")
    program = _block("python") + "assert len(guesses) == 344 and 'guess' in guesses\n"
    said = _run([sys.executable, "-W", "error", "-c", program], folder)
    assert said.startswith('done 344 {"rows": 344, ')


def test_the_two_commands_exist() -> None:
    said = re.findall(r"^    make (\w+) ", README, re.MULTILINE)
    assert said == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    for target in said:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / link).exists(), link


def test_it_fits_a_screen() -> None:
    lines = README.splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 100
