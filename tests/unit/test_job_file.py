"""A job file: its words are the command's; what is wrong is found at once, each with its line."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from sqlscore.cli import job_file, job_lines, job_options, scoring
from sqlscore.cli.job_databases import NamedDatabase
from sqlscore.errors import SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = """\
[databases.prod]
url = "sqlite:///scores.db"

[jobs.nightly]
models = ["churn@production", "upsell"]
source = '''
SELECT id, age, "a=b" FROM customers'''
target = "scores"
key = "id"
columns = ["city", "with, comma"]
map = { "a=b" = "column", age = "years" }
null = { age = 0, spend = "nan", member = true }
lag = "5m"
incremental = "updated_at"
only_new = false
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], job_file.JobFile]:
    """Reads a text as a job file."""

    def reading(text: str) -> job_file.JobFile:
        (tmp_path / "sqlscore.toml").write_text(text)
        return job_file.read(tmp_path / "sqlscore.toml")

    return reading


def test_a_job_is_what_the_command_would_have_been_given(read):
    found = read(GOOD)
    assert found.problems == []
    job = found.job("nightly")
    arguments = scoring.arguments({**job, "restart": False, "abandon": False})
    assert arguments["models"] == ["churn@production", "upsell"]
    assert arguments["columns"] == ("city", "with, comma")
    assert arguments["map"] == {"a=b": "column", "age": "years"}
    assert arguments["nulls"] == {"age": "0", "spend": "nan", "member": "true"}
    assert arguments["lag"].total_seconds() == 300
    assert arguments["key"] == ("id",)
    assert (arguments["name"], arguments["mode"]) == ("nightly", "upsert")
    assert (job["database"], found.url("prod").database) == ("prod", "scores.db")


def test_every_option_of_score_is_a_word_or_belongs_to_a_call():
    parameters = set(inspect.signature(scoring.score).parameters)
    words = set(job_options.table())
    assert words == parameters - set(job_options.OF_A_CALL)
    assert set(job_options.OF_A_CALL) <= parameters
    kinds = {name: option.kind for name, option in job_options.table().items()}
    assert kinds["models"] is kinds["key"] is job_options.Kind.NAMES
    assert kinds["map"] is kinds["null"] is job_options.Kind.PAIRS
    assert kinds["only_new"] is job_options.Kind.FLAG
    assert kinds["source"] is kinds["lag"] is kinds["mode"] is job_options.Kind.TEXT
    assert {name for name, option in job_options.table().items() if option.needed} == {
        "models", "source", "target",
    }  # fmt: skip


WRONG = """\
[databases.prod]
url = "sqlite:///scores.db"
passwordfile = "x"
[databases.other]
[jobs.nightly]
models = "churn"
souce = "customers"
target = [
  "scores",
]
mode = "upsrt"   # this
lag = "5x"
key = 3
source_db = "prd"
map = { age = ["a"] }
restart = true
[jobz]
"""
SAYS = {
    3: "there is no word 'passwordfile'. Did you mean 'password_file'?",
    4: "database 'other' has no url",
    7: "there is no word 'souce'. Did you mean 'source' or 'source_db'",
    8: "target takes a text",
    11: "'upsrt' is no mode. Did you mean 'upsert'?",
    12: "takes a time such as 30s",
    13: "key takes a name or a list of names, not 3",
    14: "there is no database 'prd'. Did you mean 'prod'?",
    15: "map takes a table such as",
    16: "restart belongs to a command",
    17: "there is no word 'jobz'. Did you mean 'jobs'?",
}


def test_all_that_is_wrong_is_said_at_once_with_its_line(read):
    found = read(WRONG)
    said = {problem.line: problem.message for problem in found.problems if problem.line != 5}
    assert said.keys() == SAYS.keys()
    for line, words in SAYS.items():
        assert words in said[line]
    assert [p.message for p in found.problems if p.line == 5] == ["job 'nightly' has no source"]
    lines = found.said(found.problems)
    assert lines == sorted(lines, key=lambda line: int(line.split(":")[1]))
    assert all(line.startswith(str(found.path)) for line in lines)


def test_what_is_wrong_with_one_job_does_not_stop_another(read):
    good = GOOD.replace("target =", 'database = "prod"\ntarget =')
    found = read(good + '[jobs.broken]\nmodels = "churn"\n[databases.gone]\nurl = "${NO_SUCH}"\n')
    assert found.job("nightly")["target"] == "scores"
    assert len(found.problems) == 4
    assert "nightly" not in " ".join(found.said(found.problems))
    assert found.named(["nightly", "broken"]) == ["nightly", "broken"]
    with pytest.raises(SqlscoreError, match="which database"):
        found.job("broken")
    with pytest.raises(SqlscoreError, match=r"no job 'nightli'\. Did you mean 'nightly'"):
        found.named(["nightli"])


TOGETHER = {
    'lag = "5m"': "lag= belongs to incremental=",
    'sync = true\nmode = "append"': "sync= needs mode upsert, not append",
    'quarantine = true\nmax_bad = "1%%"': "takes a number of rows, or a share such as 1%",
    'rescore = "stale"': "the target needs its lineage",
    'where = "id > now()"': "where= uses CURRENT_TIMESTAMP, which is not known",
    'where = "id >"': "where= takes one condition",
    'param = { dya = 3 }\nwhere = "day = :day"': "value for :dya, .* Did you mean 'day'",
    'lineage = "all, foo"': "lineage= has no 'foo'",
    'types = { age = "exactly" }': "no policy of types. Did you mean 'exact'",
    'provider = "cudda"': "unknown provider 'cudda'",
    "connections = 0": "connections takes 1 or more, not 0",
    "connections = 2.5": "connections takes a whole number",
    "retries = -1": "retries takes 0 or more, not -1",
    'deadline = "soon"': "deadline takes a time such as",
}
PLAIN = (
    '[databases.prod]\nurl = "postgresql://host/name"\n[jobs.a]\n'
    'models = "churn"\nsource = "customers"\ntarget = "scores"\n'
)


@pytest.mark.parametrize("words", TOGETHER)
def test_what_is_wrong_without_a_database_is_found_without_one(read, words):
    (problem,) = read(PLAIN + words).problems
    assert re.search(TOGETHER[words], problem.message)
    first = words.splitlines()[0].partition(" ")[0]
    places = {"sync": "sync", "quarantine": "max_bad", "param": "param"}
    assert problem.path[2] == places.get(first, first)
    assert problem.line > 6


def test_limits_and_lineage_may_be_written_as_toml_has_them(read):
    found = read(PLAIN + 'quarantine = true\nmax_bad = 0.01\nlineage = ["all", "run"]\nretries = 0')
    assert found.problems == []
    job = scoring.job(found.job("a"))
    assert (job.max_bad, len(job.lineage)) == ("1%", 5)


@pytest.mark.parametrize(
    ("text", "line"), [("[jobs.a]\nmodels = \n", 2), ("[jobs\n", 1), ("a = '''\nb", 2)]
)
def test_what_is_no_toml_is_said_with_its_line(read, text, line):
    with pytest.raises(SqlscoreError, match=f"sqlscore.toml:{line}: "):
        read(text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SqlscoreError, match=r"nowhere\.toml"):
        job_file.read(tmp_path / "nowhere.toml")


def test_lines_are_those_of_the_statements():
    text = (
        'a = """\n[no.header]\nb = 1\n"""\n# c = 1\n["x.y".z]\nd = [\n 1,\n]\n\n"e f" = {g = 1}\n'
    )
    assert job_lines.lines(text) == {
        ("a",): 1, ("x.y",): 6, ("x.y", "z"): 6, ("x.y", "z", "d"): 7,
        ("x.y", "z", "e f"): 11, ("x.y", "z", "e f", "g"): 11,
    }  # fmt: skip


def test_passwords_may_hold_any_character(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET", "p@ss/w:rd%41")
    monkeypatch.setenv("PLACE", "host:5433/name")
    written = NamedDatabase(url="postgresql://ann:${SECRET}@${PLACE}")
    assert written.resolved().password == "p@ss/w:rd%41"
    assert (written.resolved().host, written.resolved().port) == ("host", 5433)
    monkeypatch.setenv("WHOLE", "mysql://ann:x%40y@host/name")
    assert NamedDatabase(url="${WHOLE}").resolved().password == "x@y"
    file = tmp_path / "password"
    file.write_text("fr@m a file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", tmp_path.name)
    from_file = NamedDatabase(
        url="postgresql://ann@host/name", password_file="${CREDENTIALS_DIRECTORY}/password",
        folder=tmp_path.parent,
    )  # fmt: skip
    assert from_file.resolved().password == "fr@m a file"
    file.write_text("\n")
    with pytest.raises(SqlscoreError, match="no password in its first line"):
        from_file.resolved()
