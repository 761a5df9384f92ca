"""What the doctor sees."""

from __future__ import annotations

from importlib.metadata import distributions
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sqlscore import doctor, tables
from sqlscore.cli import main
from sqlscore.doctor import State, installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import Database


def _install(folder: Path, name: str, version: str) -> None:
    """What pip leaves of a package that brings the module onnxruntime."""
    found = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    found.mkdir()
    (found / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (found / "RECORD").write_text("onnxruntime/__init__.py,,\nonnxruntime/capi/x.so,,\n")


def _by_subject(url: str | None = None) -> dict[str, doctor.Check]:
    return {check.subject: check for check in doctor.examined(url)}


def test_one_runtime_is_well() -> None:
    check = _by_subject()["ONNX Runtime"]
    assert check.state is State.GOOD
    assert "providers: cpu" in check.found


def test_two_runtimes_over_each_other_are_seen_and_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        _install(tmp_path, name, "1.32.0")
    _install(tmp_path, "onnxruntime-extensions", "0.15.0")
    (tmp_path / "onnxruntime_extensions-0.15.0.dist-info" / "RECORD").write_text(
        "onnxruntime_extensions/__init__.py,,\n"
    )
    assert installed.runtime_packages(distributions(path=[str(tmp_path)])) == {
        "onnxruntime": "1.32.0",
        "onnxruntime-gpu": "1.32.0",
    }
    monkeypatch.syspath_prepend(str(tmp_path))
    check = _by_subject()["ONNX Runtime"]
    assert check.state is State.BAD
    assert check.remedy == (
        "keep one of them: pip uninstall -y onnxruntime onnxruntime-gpu "
        "&& pip install onnxruntime-gpu"
    )
    assert main(["doctor"]) == 4
    assert "pip install onnxruntime-gpu" in capsys.readouterr().out


def test_what_is_missing_is_named_with_what_brings_it() -> None:
    needs = installed.Needs(product="Oracle", extra="all", needed=("no_such_driver",), fast=())
    check = installed.checked(needs)
    assert (check.state, check.remedy) == (State.ABSENT, "pip install 'sqlscore[all]'")
    assert check.found == "not installed: no_such_driver"
    slow = installed.Needs(product="SQLite", extra="all", needed=("sqlite3",), fast=("no_such",))
    assert installed.checked(slow).state is State.SLOW


@pytest.mark.parametrize(
    ("drivers", "state", "found"),
    [
        (["PostgreSQL Unicode", "ODBC Driver 18 for SQL Server"], State.GOOD, "ODBC Driver 18"),
        (["FreeTDS"], State.SLOW, "FreeTDS"),
        ([], State.ABSENT, "not installed"),
    ],
)
def test_what_speaks_to_sql_server(
    drivers: list[str], state: State, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyodbc = pytest.importorskip("pyodbc")
    monkeypatch.setattr(pyodbc, "drivers", lambda: drivers)
    check = _by_subject()["SQL Server's ODBC driver"]
    assert (check.state, check.found.startswith(found)) == (state, True)
    assert (check.remedy is None) == (state is State.GOOD)


def test_a_fit_database_is_left_as_it_was(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _names(database)
    assert main(["doctor", "--db", database.url]) == 0
    said = capsys.readouterr().out
    assert "not there yet; they can be made" in said
    assert "new tables can be made" in said
    assert _names(database) == before
    tables.ensure(database.engine, schemas=database.product.schemas)
    database.engine.dispose()
    assert _by_subject(database.url)["sqlscore's tables"].found == f"layout {tables.LAYOUT}"


def _names(database: Database) -> tuple[list[str], list[str]]:
    inspector = sa.inspect(database.engine)
    # on MariaDB schemas are databases, and those of tests beside this one come and go
    mine = database.engine.url.database
    schemas = [n for n in inspector.get_schema_names() if n == mine or not n.startswith("test_")]
    found = schemas, inspector.get_table_names()
    database.engine.dispose()
    return found


def test_a_newer_layout_is_not_usable(sqlite: Database) -> None:
    owned = tables.ensure(sqlite.engine, schemas=sqlite.product.schemas)
    with sqlite.engine.begin() as connection:
        connection.execute(owned.layout.insert().values(version=99, applied_at=tables.now()))
    check = _by_subject(sqlite.url)["sqlscore's tables"]
    assert check.state is State.BAD
    assert check.remedy == "pip install -U sqlscore"


def test_missing_rights_are_said(postgres: Database) -> None:
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE guest_of_doctor LOGIN PASSWORD 'guest'")
    try:
        url = sa.make_url(postgres.url).set(username="guest_of_doctor", password="guest")
        found = _by_subject(url.render_as_string(hide_password=False))
        assert found["database"].state is State.GOOD
        assert found["sqlscore's tables"].state is State.BAD
        assert "permission denied" in found["sqlscore's tables"].found
        assert found["targets"].state is State.BAD
    finally:
        with postgres.engine.begin() as connection:
            connection.exec_driver_sql("DROP ROLE guest_of_doctor")


def test_a_read_only_file_is_said(sqlite: Database) -> None:
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER)")
    url = sqlite.url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    found = _by_subject(url)
    assert found["targets"].state is State.BAD
    assert "readonly" in found["targets"].found


def test_no_database_there_is_one_bad_line() -> None:
    found = _by_subject("sqlite:////no/such/folder/x.db")
    assert found["database"].state is State.BAD
    assert "targets" not in found
