"""The demo from outside: what it shows is true, and what it says to type works."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.cli import main
from sqlscore.demo import Step, penguins, told, train

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import Database


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    """The demo's steps, its files in `tmp_path`."""
    return list(told(tmp_path))


def _guesses(database: sa.Engine) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        found = connection.execute(sa.text("SELECT id, guess FROM guesses ORDER BY id"))
        return [tuple(row) for row in found]


def test_the_demo_tells_its_story_without_a_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sqlscore", "demo"],
        cwd=tmp_path,
        env={**os.environ, "SQLSCORE_DB": "sqlite:///not-for-the-demo.db", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    for told_of in (
        "$ sqlscore model add penguins penguins.onnx --alias production",
        '>>> db.score("penguins@production", source="penguins", target="guesses")',
        "Scored 344 rows into guesses",
        "82 of 82 right: 100.0%",
    ):
        assert told_of in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_accuracy_is_counted_on_rows_that_training_left_out(steps: list[Step]) -> None:
    (accuracy,) = [step.result for step in steps if type(step.result).__name__ == "Accuracy"]
    rows = penguins.rows().filter(penguins.held_out(penguins.rows()["id"]))
    assert (accuracy.held_out, accuracy.guessed) == (86, 82)
    assert rows.num_rows == 86
    known = rows.filter(rows["sex"].is_valid())
    session = onnxruntime.InferenceSession(penguins.MODEL)
    feeds = {
        **{n: known[n].to_numpy().astype(np.float32)[:, None] for n in penguins.NUMBERS},
        **{n: np.array(known[n].to_pylist(), object)[:, None] for n in penguins.TEXTS},
    }
    guesses = session.run(["guess"], feeds)[0]
    assert accuracy.right == (guesses == np.array(known[penguins.LABEL].to_pylist())).sum()


def test_the_model_is_what_training_gives(steps: list[Step]) -> None:
    rows = penguins.rows()
    shipped, again = sqlscore.load(penguins.MODEL), sqlscore.load(train.trained())
    assert again.signature == shipped.signature
    before, after = shipped.predict(rows), again.predict(rows)
    assert after["guess"].equals(before["guess"])
    for name in before.column_names[1:]:
        np.testing.assert_allclose(after[name].to_numpy(), before[name].to_numpy(), atol=1e-3)


def test_training_never_sees_the_held_out_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = penguins.rows()
    nonsense = pa.array(["Dodo"] * rows.num_rows)
    held = penguins.held_out(rows["id"])
    spoiled = rows.set_column(
        rows.column_names.index(penguins.LABEL),
        penguins.LABEL,
        pa.compute.if_else(held, nonsense, rows[penguins.LABEL]),
    )
    monkeypatch.setattr(train, "rows", lambda: spoiled)
    assert b"Dodo" not in train.trained().SerializeToString()


def test_what_the_demo_says_to_type_works(
    steps: list[Step], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SQLSCORE_DB", "sqlite:///penguins.db")
    with sqlscore.connect("sqlite:///penguins.db") as db:
        expected = _guesses(db.engine)
        for step in steps:
            if step.shell is not None:
                program, *arguments = shlex.split(
                    step.shell.replace("\\\n", "")
                )  # as the shell goes on
                assert program == "sqlscore"
                capsys.readouterr()
                assert main([*arguments, "--json"]) == 0, step.shell
                assert json.loads(capsys.readouterr().out)
            if step.python is not None:
                result = eval(step.python, {"db": db})
                assert type(result) is type(step.result), step.python
        assert _guesses(db.engine) == expected
        assert len(expected) == 344
        assert None not in dict(expected).values()


def test_the_demo_goes_into_any_database_twice(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        capsys.readouterr()
        assert main(["demo", "--db", database.url, "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert [step["title"] for step in shown["steps"]]
        (accuracy,) = [s["result"] for s in shown["steps"] if "right" in (s["result"] or {})]
        assert accuracy == {"held_out": 86, "guessed": 82, "right": 82}
        assert len(_guesses(database.engine)) == 344
        database.engine.dispose()


def test_the_demo_leaves_other_penguins_alone(
    sqlite: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE penguins (id INTEGER PRIMARY KEY, mine TEXT)")
        connection.exec_driver_sql("INSERT INTO penguins VALUES (1, 'Pingu')")
    assert main(["demo", "--db", sqlite.url]) == 4
    assert "has a table 'penguins' that is not the demo's" in capsys.readouterr().err
    with sqlite.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM penguins").fetchall() == [(1, "Pingu")]
        assert not sa.inspect(connection).has_table("guesses")


def test_keeping_the_demo_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept here"
    assert main(["demo", "--keep", str(folder)]) == 0
    said = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} >= {
        "penguins.csv",
        "penguins.db",
        "penguins.onnx",
    }
    commands = [line[2:] for line in said.split("Now you")[1].splitlines() if line[:2] == "$ "]
    typed = f'sqlscore() {{ "{sys.executable}" -m sqlscore "$@"; }}\n' + "\n".join(commands)
    done = subprocess.run(
        ["sh", "-e", "-c", typed], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "penguins:1" in done.stdout
