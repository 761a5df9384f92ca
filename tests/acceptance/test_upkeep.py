"""``sqlscore init`` and ``upgrade`` from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.cli import main
from sqlscore.tables import LAYOUT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.fixtures.databases import Database


def test_init_prints_a_script_and_makes_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.sqlite"
    db = ["--db", f"sqlite:///{file}", "--schema", "ml"]
    assert main(["init", "--print-sql", *db]) == 0
    script = capsys.readouterr().out
    assert not file.exists()
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        for statement in script.strip().removesuffix(";").split(";\n"):
            connection.exec_driver_sql(statement)
    assert "ml_runs" in sa.inspect(engine).get_table_names()
    assert main(["init", "--json", *db]) == 0
    assert json.loads(capsys.readouterr().out) == {"statements": [], "run": True}
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE ml_watermarks")
        connection.exec_driver_sql("UPDATE ml_layout SET version = 0")
    assert main(["init", *db]) == 0
    assert "Ran 2 statements in sqlite:" in capsys.readouterr().out
    engine.dispose()


def test_upgrade_prints_what_is_missing(
    sqlite: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upgrade", "--db", sqlite.url]) == 4
    assert "no sqlscore tables" in capsys.readouterr().err
    assert main(["init", "--db", sqlite.url]) == 0
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sqlscore_layout SET version = 1")
    capsys.readouterr()
    assert main(["upgrade", "--print-sql", "--db", sqlite.url]) == 0
    assert f"UPDATE sqlscore_layout SET version={LAYOUT}" in capsys.readouterr().out
    assert main(["upgrade", "--db", sqlite.url]) == 0
    assert main(["upgrade", "--db", sqlite.url]) == 0
    assert "Nothing to do" in capsys.readouterr().err


def test_roles_are_for_grants(sqlite: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--role", "job=etl", "--db", sqlite.url]) == 2
    assert "add --grants" in capsys.readouterr().err
    assert main(["init", "--grants", "--print-sql", "--db", sqlite.url]) == 4
    assert "SQLite has no roles" in capsys.readouterr().err
