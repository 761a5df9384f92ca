"""The recipes in `examples/` for schedulers: what they run does run, and what they say parses."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sqlscore
from sqlscore.cli import main
from tests.fixtures.scoring import FEATURES, WEIGHED, Shop
from tests.fixtures.tds import grammar

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

EXAMPLES = Path(__file__).parents[1] / "examples"
CRONTAB = (EXAMPLES / "crontab").read_text()
SERVICE = EXAMPLES / "systemd" / "sqlscore-nightly.service"
#: minutes, hours, days of the month, months, days of the week: the values that a field may have
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the job file, where the job's database and the program are at hand."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, age REAL, spend REAL, day TEXT)"
        )
        rows = "VALUES (1, 20, 3, date('now', '-1 day')), (2, 30, 5, '2026-11-22')"
        connection.execute(f"INSERT INTO customers {rows}")
    connection.close()
    with sqlscore.connect(url) as database:
        database.models.add("churn", WEIGHED, features=FEATURES, alias="production")
    shutil.copy(EXAMPLES / "sqlscore.toml", tmp_path)
    for name, does in (("sqlscore", f'exec "{sys.executable}" -m sqlscore'), ("dbt", "echo")):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\n{does} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    monkeypatch.setenv("SHOP_DB", url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(command: str) -> str:
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_field(text: str, least: int, most: int) -> bool:
    """Whether cron takes it: numbers, ranges and steps, separated by commas."""
    parts = [re.fullmatch(r"(\*|\d+(?:-\d+)?)(?:/\d+)?", part) for part in text.split(",")]
    numbers = [int(n) for part in parts if part for n in re.findall(r"\d+", part[1])]
    return all(parts) and all(least <= number <= most for number in numbers)


def test_the_job_file_is_right(shop: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["job", "check"]) == 0
    assert "2 jobs, nothing wrong" in capsys.readouterr().out


def test_each_line_of_the_crontab_runs(shop: Path):
    lines = [line for line in CRONTAB.splitlines() if line[:1].isdigit()]
    assert len(lines) == 2
    for line in lines:
        *fields, command = line.split(None, 5)
        assert all(is_field(text, *of) for text, of in zip(fields, FIELDS, strict=True))
        assert not re.search(r"(?<!\\)%", command)  # cron ends the command at one
        here = command.replace("\\%", "%").replace("/opt/sqlscore/bin/", "")
        here = here.replace("/etc/sqlscore", str(shop)).replace("/var/log/sqlscore", str(shop))
        shell(here)
    logged = (shop / "jobs.log").read_text().splitlines()
    assert ['"rows": 2' in line for line in logged] == [True, False]
    assert ['"rows": 1' in line for line in logged] == [False, True]


def test_the_units_of_systemd(shop: Path):
    service, timer = configparser.ConfigParser(), configparser.ConfigParser()
    for parsed in (service, timer):
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
    service.read(SERVICE)
    timer.read(SERVICE.with_suffix(".timer"))
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:15:00"
    command = service["Service"]["ExecStart"].removeprefix("/opt/sqlscore/bin/")
    assert main(shlex.split(command)[1:]) == 0


def test_systemd_takes_the_units(shop: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for path in sorted(SERVICE.parent.iterdir()):
        text = path.read_text().replace("/opt/sqlscore/bin", str(shop))
        (shop / path.name).write_text(text)
    units = [str(shop / path.name) for path in sorted(SERVICE.parent.iterdir())]
    said = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    mine = [line for line in said.stderr.splitlines() if "sqlscore" in line]
    assert not mine


def test_the_containers_command_runs(shop: Path):
    compose = (EXAMPLES / "container" / "compose.yml").read_text()
    docker = (EXAMPLES / "container" / "Dockerfile").read_text()
    (command,) = re.findall(r"^ +command: (\[.*\])$", compose, re.MULTILINE)
    assert main(ast.literal_eval(command)) == 0
    (default,) = re.findall(r"^CMD (\[.*\])$", docker, re.MULTILINE)
    assert main(ast.literal_eval(default)) == 0


def test_the_dag_compiles_and_its_command_runs(shop: Path):
    path = EXAMPLES / "airflow" / "nightly.py"
    tree = ast.parse(path.read_text())
    compile(tree, str(path), "exec")
    (command,) = (
        ast.literal_eval(word.value)
        for word in ast.walk(tree)
        if isinstance(word, ast.keyword) and word.arg == "bash_command"
    )
    assert '"rows": 1' in shell(command.replace("{{ ds }}", "2026-11-22"))


def test_the_script_around_dbt_runs(shop: Path):
    said = shell(f"sh {EXAMPLES}/dbt/build.sh")
    assert said.splitlines()[0] == "build --select +customers"
    assert "job=nightly" in said
    assert said.splitlines()[-1] == "build --select source:scores+"
    declared = (EXAMPLES / "dbt" / "scores.yml").read_text()
    for column in ("scored_at", "model_version"):
        assert column in declared
        with sqlite3.connect(shop / "shop.db") as connection:
            connection.execute(f"SELECT {column} FROM churn_scores").fetchall()
        connection.close()


def test_what_pg_cron_runs(postgres: Database):
    shop = Shop.on(postgres, rows=50)
    compiled = sqlscore.compile(
        sqlscore.load(WEIGHED, features=FEATURES), dialect="postgres", table="customers", key="id"
    )
    text = re.sub(r"^--.*\n", "", (EXAMPLES / "pg_cron.sql").read_text(), flags=re.MULTILINE)
    create = text.partition(";")[0]
    jobs = re.findall(r"cron\.schedule\('[^']+', '([^']+)', \$\$(.*?)\$\$\)", text, re.DOTALL)
    assert len(jobs) == 2
    for times, _ in jobs:
        assert all(is_field(part, *of) for part, of in zip(times.split(), FIELDS, strict=True))
    shop.run(f"CREATE VIEW churn_now AS {compiled}", create, *(sql for _, sql in jobs))
    shop.run("DELETE FROM customers WHERE id < 30", *(sql for _, sql in jobs))
    assert set(shop.found("churn_scores")) == set(range(30, 150, 3))


def test_the_agents_job_is_transact_sql(shop: Path):
    pytest.importorskip("duckdb")
    text = (EXAMPLES / "sql_agent.sql").read_text()
    grammar.parsed(text)
    (command,) = re.findall(r"^(sqlscore job run .*)$", text, re.MULTILINE)
    assert main(shlex.split(command)[1:]) == 0
