"""``sqlscore job`` from outside: what it runs, what it logs, how it ends."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sqlscore.cli import main
from sqlscore.demo import penguins
from tests.fixtures.servers import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.databases import Database

    Ended = tuple[int, str, str]

FILE = """\
[databases.prod]
url = "{url}"

[jobs.nightly]
models = "penguins@production"
source = "penguins"
target = "guesses"
null = {{ sex = "unknown" }}

[jobs.few]
models = "penguins"
source = "penguins"
target = "few"
where = "id <= :last AND species = :species"
param = {{ last = 3, species = "Adelie" }}

[jobs.broken]
models = "penguins"
source = "pengins"
target = "t"
on_failure = {hook}
"""
#: writes what the environment tells it into a file
HOOK = (
    "import os; told = [os.environ['SQLSCORE_' + name] for name in ('RUN', 'JOB', 'ERROR')]; "
    "open('told', 'w').write('|'.join(told))"
)


@pytest.fixture
def job(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:  # fmt: skip
    """Runs ``sqlscore job …`` in a folder with a job file, on a database with the penguins."""
    monkeypatch.delenv("SQLSCORE_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    penguins.fill(database.engine)
    database.engine.dispose()

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(["job", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    url = sa.make_url(database.url)
    if url.password:
        monkeypatch.setenv("DB_PASSWORD", str(url.password))
        url = url.set(password="XX")
    written = url.render_as_string(hide_password=False).replace(":XX@", ":${DB_PASSWORD}@")
    hook = json.dumps(f'{sys.executable} -c "{HOOK}"')
    (tmp_path / "sqlscore.toml").write_text(FILE.format(url=written, hook=hook))
    assert main(["model", "add", "penguins", str(penguins.MODEL), "--alias", "production",
                 "--db", database.url]) == 0  # fmt: skip
    return run


def test_jobs_of_a_file_are_run_and_logged(
    job: Callable[..., Ended], database: Database, tmp_path: Path
):
    assert job("check")[:2] == (0, "sqlscore.toml: 3 jobs, nothing wrong.\n")
    code, out, err = job("run", "nightly")
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    words = dict(pair.split("=", 1) for pair in line.split(" "))
    assert (words["job"], words["status"], words["rows"], words["code"]) == (
        "nightly", "done", "344", "0",
    )  # fmt: skip
    with database.engine.connect() as connection:
        counted = connection.exec_driver_sql("SELECT count(*) FROM guesses WHERE guess IS NULL")
        assert counted.scalar() == 0
    database.engine.dispose()

    code, out, err = job("run", "--all", "--log", "json", "--param", "last=9")
    assert code == 4
    first, few, second = (json.loads(line) for line in out.splitlines())
    assert (first["job"], first["rows"], first["code"]) == ("nightly", 344, 0)
    assert (few["job"], few["rows"], few["code"]) == ("few", 9, 0)
    assert first["run"] != words["run"]
    assert (second["job"], second["status"], second["code"]) == ("broken", "failed", 4)
    assert "Did you mean 'penguins'" in second["error"]
    run, name, error = (tmp_path / "told").read_text().split("|")
    assert (run, name, error) == (second["run"], "broken", second["error"])

    documents: list[Any] = json.loads(job("run", "few", "broken", "--json")[1])
    assert (documents[0]["job"], documents[0]["rows"]) == ("few", 3)
    assert documents[1]["error"]["exit_code"] == 4


def test_a_hook_that_fails_is_told(job: Callable[..., Ended], tmp_path: Path):
    text = (tmp_path / "sqlscore.toml").read_text()
    place = text.index("on_failure")
    for hook, words in (("/no/such/thing", "could not be run"), ("false", "ended with 1: false")):
        (tmp_path / "sqlscore.toml").write_text(f'{text[:place]}on_failure = "{hook}"\n')
        code, out, err = job("run", "broken")
        assert code == 4
        assert "status=failed" in out
        assert words in err
        assert "error:" not in err


def test_a_typed_password_is_warned_of_once(job: Callable[..., Ended], database: Database):
    if database.server is None:
        pytest.skip("there is no password")
    code, _, err = job("run", "nightly", "--db", database.url)
    assert code == 0
    assert err.count("~/.pgpass") == 1
    assert "p@ss" not in err


def test_what_is_asked_for_wrongly(job: Callable[..., Ended]):
    assert job("run")[0] == 2
    assert job("run", "nightly", "--all")[0] == 2
    assert job("run", "nightly", "--param", "last=9")[0] == 2
    code, _, err = job("run", "nightli")
    assert code == 2
    assert "Did you mean 'nightly'?" in err
    assert job("list")[1].splitlines()[1].split() == [
        "nightly", "penguins@production", "penguins", "guesses", "upsert", "prod",
    ]  # fmt: skip


def test_a_job_that_cannot_be_read_fails_alone_and_is_told(
    job: Callable[..., Ended], tmp_path: Path
):
    with (tmp_path / "sqlscore.toml").open("a") as file:
        file.write('lag = "5x"\n')
    code, out, _ = job("run", "broken", "few", "--log", "json")
    assert code == 2
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["job"], first["status"], first["code"]) == ("broken", "failed", 2)
    assert first["error"].startswith("sqlscore.toml:22: lag takes a time")
    assert (second["job"], second["rows"], second["code"]) == ("few", 3, 0)
    assert (tmp_path / "told").read_text() == f"|broken|{first['error']}"


def test_the_servers_own_password_file_counts(
    job: Callable[..., Ended], database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if database.server is None:
        pytest.skip("there is no password")
    monkeypatch.setenv("HOME", str(tmp_path))
    escaped = PASSWORD.replace(":", "\\:")
    (tmp_path / ".pgpass").write_text(f"127.0.0.1:*:*:*:{escaped}\n")
    (tmp_path / ".my.cnf").write_text(f'[client]\nhost = elsewhere\npassword = "{PASSWORD}"\n')
    (tmp_path / ".pgpass").chmod(0o600)
    text = (tmp_path / "sqlscore.toml").read_text()
    (tmp_path / "sqlscore.toml").write_text(text.replace(":${DB_PASSWORD}@", "@"))
    code, out, _ = job("run", "nightly")
    assert code == 0, out
    (tmp_path / ".my.cnf").unlink()
    (tmp_path / ".pgpass").unlink()
    assert job("run", "nightly")[0] == 4
