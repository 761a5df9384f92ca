"""The public names are what `sqlscore` says they are, and cost nothing before they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sqlscore
from sqlscore import errors

HEAVY = (
    "adbc_driver_manager",
    "connectorx",
    "duckdb",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "rich",
    "sqlalchemy",
    "sqlglot",
    "typer",
)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_names_are_sorted_and_once():
    assert list(sqlscore.__all__) == sorted(set(sqlscore.__all__))


def test_every_name_has_a_home_and_every_home_a_name():
    assert sorted(sqlscore._HOMES) == list(sqlscore.__all__)
    assert list(sqlscore._HOMES) == sorted(sqlscore._HOMES)


@pytest.mark.parametrize("name", sqlscore.__all__)
def test_every_name_is_there_and_lives_where_it_is_said_to(name: str):
    found = getattr(sqlscore, name)
    assert found.__name__ == name
    assert found.__module__ == sqlscore._HOMES[name]
    assert found.__doc__
    assert name in dir(sqlscore)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(str(sqlscore.__file__)).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module
        for node in ast.walk(guarded)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes.pop("Any", None)
    assert homes == sqlscore._HOMES


def test_all_errors_are_public():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    found = {kind.__name__ for kind in kinds if issubclass(kind, errors.SqlscoreError)}
    assert found == {n for n, home in sqlscore._HOMES.items() if home == "sqlscore.errors"}


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sqlscore' has no attribute 'Modell'"):
        _ = sqlscore.Modell


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())[
        "project"
    ]
    assert sqlscore.__version__ == project["version"]


def test_importing_it_imports_nothing_heavy():
    code = f"import sys, sqlscore; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert python(code) == "[]"


def test_an_error_can_be_named_without_anything_heavy():
    code = (
        "import sys, sqlscore; sqlscore.ModelError; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert python(code) == "[]"


def test_loading_a_model_needs_neither_frames_nor_databases():
    code = (
        "import sys, sqlscore; sqlscore.load; "
        "print([m for m in ('pandas', 'polars', 'duckdb', 'psycopg') if m in sys.modules])"
    )
    assert python(code) == "[]"
