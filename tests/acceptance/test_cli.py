"""The command line from outside: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import typer

import sqlscore
from sqlscore.cli import app, main, progress
from sqlscore.demo import penguins
from sqlscore.jobs import lease
from sqlscore.relations import sink
from sqlscore.tables import ensure
from tests.fixtures import models

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import Database

GUESS = ("guess", "probability_Adelie", "probability_Chinstrap", "probability_Gentoo")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Ended]:
    """Runs a command in this process, in a folder of its own."""
    monkeypatch.delenv("SQLSCORE_DB", raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Ended:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(code=code, out=said.out, err=said.err)

    return command


@pytest.fixture
def scored(database: Database, run: Callable[..., Ended]) -> Callable[..., Ended]:
    """Runs a command on a database with the penguins and their model."""
    penguins.fill(database.engine)
    with_db = _on(database, run)
    assert with_db("model", "add", "penguins", penguins.MODEL, "--alias", "production").code == 0
    return with_db


def _on(database: Database, run: Callable[..., Ended]) -> Callable[..., Ended]:
    database.engine.dispose()  # DuckDB lets one owner have its file
    return lambda *arguments: run(*arguments, "--db", database.url)


@pytest.fixture
def kept(sqlite: Database, run: Callable[..., Ended]) -> Callable[..., Ended]:
    """The same on SQLite alone, for what is the same on every product."""
    penguins.fill(sqlite.engine)
    with_db = _on(sqlite, run)
    assert with_db("model", "add", "penguins", penguins.MODEL, "--alias", "production").code == 0
    return with_db


def reference(rows: pa.Table) -> dict[int, tuple[str, np.ndarray]]:
    """By id what ONNX Runtime itself gives for the rows that have a sex."""
    known = rows.filter(rows["sex"].is_valid())
    feeds = {
        name: known[name].to_numpy().astype(np.float32).reshape(-1, 1) for name in penguins.NUMBERS
    } | {
        name: np.array(known[name].to_pylist(), dtype=object).reshape(-1, 1)
        for name in penguins.TEXTS
    }
    guesses, probabilities = onnxruntime.InferenceSession(penguins.MODEL).run(
        ["guess", "probability"], feeds
    )
    ids = known["id"].to_pylist()
    return {i: (g, p) for i, g, p in zip(ids, guesses, probabilities, strict=True)}


def assert_predicted(records: list[dict[str, Any]]) -> None:
    """Every penguin is there once, with ONNX Runtime's prediction, or NULL where sex is."""
    expected = reference(penguins.rows())
    assert sorted(record["id"] for record in records) == list(range(1, 345))
    for record in records:
        guess, probabilities = expected.get(record["id"], (None, np.full(3, np.nan)))
        assert record["guess"] == guess
        found = [np.nan if record[n] is None else record[n] for n in GUESS[1:]]
        # MariaDB prints a FLOAT with six digits, whatever it holds
        np.testing.assert_allclose(found, probabilities, rtol=1e-5)


# ---- without a database


def test_version_is_the_packages(run: Callable[..., Ended]) -> None:
    assert run("--version").out == f"sqlscore {sqlscore.__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from sqlscore.cli import main; main(['--help']); "
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'pandas', 'pyarrow', 'sqlalchemy', 'sqlglot'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"sqlscore demo" in done.stdout


def _commands() -> dict[str, Any]:
    """Every command by its path, as click sees it."""
    found: dict[str, Any] = {}

    def walk(path: str, command: Any) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(f"{path} {name}", inner)
        else:
            found[path] = command

    walk("sqlscore", typer.main.get_command(app))
    return found


@pytest.mark.parametrize("path", _commands())
def test_every_command_explains_itself(path: str) -> None:
    command = _commands()[path]
    assert f"Example: {path}" in command.help
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, f"{path}: {parameter.name}"
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--verbose"} <= options


@pytest.mark.parametrize("path", _commands())
def test_the_docs_know_every_command_and_option(path: str) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"`{path}" in docs
    for parameter in _commands()[path].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert any(option in docs for option in parameter.opts), parameter.opts


@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_predict_writes_what_onnxruntime_gives(
    run: Callable[..., Ended], tmp_path: Path, source: str, target: str
) -> None:
    rows, output = tmp_path / f"rows.{source}", tmp_path / f"scored.{target}"
    write = {"csv": pacsv.write_csv, "parquet": pq.write_table}[source]
    write(penguins.rows(), rows)
    ended = run("predict", penguins.MODEL, rows, "-o", output)
    assert ended.code == 0, ended.err
    assert "Wrote 344 rows" in ended.out
    scored = pq.read_table(output) if target == "parquet" else pacsv.read_csv(output)
    assert scored.column_names == [*penguins.rows().column_names, *GUESS]
    assert_predicted(
        [{n: v if v != "" else None for n, v in record.items()} for record in scored.to_pylist()]
    )
    assert sorted(tmp_path.iterdir()) == sorted([rows, output])


def test_predict_keeps_the_order_and_the_bits_of_many_batches(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    values = models.columns(70_000, 4)
    table = pa.Table.from_batches([models.batch_of(values, ["a", "b", "c", "d"])])
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "model.onnx").write_bytes(models.logistic(4, zipmap=False))
    command = ("predict", "model.onnx", "rows.parquet", "-o", "scored.parquet")
    assert run(*command, "--features", "a,b,c,d").code == 0
    session = onnxruntime.InferenceSession(models.logistic(4, zipmap=False))
    expected = session.run(["probabilities"], {"X": values.astype(np.float32)})[0][:, 1]
    found = pq.read_table(tmp_path / "scored.parquet")
    assert found["a"].equals(table["a"])
    np.testing.assert_array_equal(found["probabilities_1"].to_numpy(), expected)


def test_predict_passes_csv_text_through_as_it_is(run: Callable[..., Ended]) -> None:
    Path("rows.csv").write_text(
        'code,a,b,c,d,note\n007,1,2,3,4,\n1e5,,2,3,4,""\n08,1,2,3,nil,"a,""b"""\n'
    )
    Path("model.onnx").write_bytes(models.logistic(4))
    command = ("predict", "model.onnx", "rows.csv", "--features", "a,b,c,d", "--na", "nil")
    assert run(*command, "-o", "out.csv", "--columns", "code,note").code == 0
    lines = Path("out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ['"code"', '"007"', '"1e5"', '"08"']
    assert lines[1].startswith('"007",,')  # the note was NULL
    assert lines[2] == '"1e5","",,,'  # it was empty text; the feature was NULL, so no prediction
    assert lines[3] == '"08","a,""b""",,,'


def test_predict_without_output_shows_the_first_rows(run: Callable[..., Ended]) -> None:
    command = ("predict", penguins.MODEL, penguins.DATA, "--columns", "id")
    shown = run(*command, "--json").document
    assert [record["id"] for record in shown] == list(range(1, 21))
    assert shown[0]["guess"] == "Adelie"
    assert shown[3] == {"id": 4, **dict.fromkeys(GUESS)}
    table = run(*command).out
    assert table.splitlines()[0].split() == ["id", *GUESS]
    assert table.splitlines()[4].split() == ["4", "NULL", "NULL", "NULL", "NULL"]


def test_predict_gives_null_the_meaning_that_was_asked_for(run: Callable[..., Ended]) -> None:
    command = ("predict", penguins.MODEL, penguins.DATA)
    filled = run(*command, "--null", "sex=unknown", "--json").document
    assert filled[3]["guess"] == "Adelie"
    refused = run(*command, "--null", "sex=error")
    assert refused.code == 3
    assert "'sex' has" in refused.err
    assert "NULL policy is 'error'" in refused.err


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_predict_takes_policies_of_types(run: Callable[..., Ended], name: str) -> None:
    Path("mixed.onnx").write_bytes(models.MIXED)
    rows = pa.table({"id": [1, 2, 3], "age": [1.0, -2.75, 300.0], "spend": [0.5, 0.25, 2**24 + 1]})
    many = pa.concat_tables([pa.table({"id": [0], "age": [0.0], "spend": [0.0]})] * 20_000 + [rows])
    (pacsv.write_csv if name.endswith("csv") else pq.write_table)(rows, name)
    command = ("predict", "mixed.onnx", name)
    assert run(*command).code == 3
    lossy = run(*command, "--types", "age=lossy", "--json").document
    large = np.float32(127) + np.float32(2**24 + 1)
    assert [record["score"] for record in lossy] == [1.5, -1.75, large]
    refused = run(*command, "--types", "lossy", "--types", "spend=exact")
    assert refused.code == 3
    assert "'spend' has 1 values that float" in refused.err
    (pacsv.write_csv if name.endswith("csv") else pq.write_table)(many, name)
    refused = run(*command, "--types", "lossy", "--types", "spend=exact", "-o", "scored.parquet")
    assert "row 20,003 of the file" in refused.err
    mistyped = run(*command, "--types", "lossi")
    assert mistyped.code == 3
    assert "Did you mean 'lossy'?" in mistyped.err


def test_predict_sees_whole_numbers_of_csv_as_they_are(run: Callable[..., Ended]) -> None:
    Path("mixed.onnx").write_bytes(models.MIXED)
    Path("rows.csv").write_text(f"age,spend\n1,{2**53 + 1}\n")  # a double does not hold it
    command = ("predict", "mixed.onnx", "rows.csv", "--types", "exact")
    assert "'spend' has 1 values that float" in run(*command).err


def test_predict_leaves_no_half_file(run: Callable[..., Ended], tmp_path: Path) -> None:
    body = "".join(f"{i},1,2,3\n" for i in range(400_000))
    Path("rows.csv").write_text("a,b,c,d\n" + body + "1,2,oops,4\n")
    Path("model.onnx").write_bytes(models.logistic(4))
    ended = run("predict", "model.onnx", "rows.csv", "-o", "out.csv", "--features", "a,b,c,d")
    assert ended.code == 3
    assert "rows.csv" in ended.err
    assert "'oops'" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "rows.csv"]


BAD = [
    (("predict", "no.onnx", penguins.DATA), 3, "there is no model file 'no.onnx'"),
    (("predict", penguins.DATA, penguins.DATA), 3, "is not an ONNX model"),
    (("predict", penguins.MODEL, "no.csv"), 2, "there is no file 'no.csv'"),
    (("predict", penguins.MODEL, "rows.xlsx"), 2, "a file of rows ends in .parquet"),
    (("predict", penguins.MODEL, penguins.DATA, "--columns", "speces"), 3, "'species'"),
    (("predict", penguins.MODEL, penguins.DATA, "--map", "sx=sex"), 3, "Did you mean 'sex'?"),
    (("predict", penguins.MODEL, penguins.DATA, "--map", "sex"), 2, "takes NAME=VALUE"),
    (("predict", penguins.MODEL, penguins.DATA, "--null", "sx=a"), 3, "Did you mean 'sex'?"),
    (("predict", penguins.MODEL, penguins.DATA, "--drop", "guss"), 3, "guess"),
    (("predict", penguins.MODEL, penguins.DATA, "--provider", "cdua"), 3, "there are: cpu, cuda"),
    (("predict", penguins.MODEL, penguins.DATA, "-o", "no/out.csv"), 2, "cannot be written"),
    (("pradict",), 2, "Did you mean 'predict'?"),
    (("predict", "--jsno"), 2, "--json"),
    (("model", "show"), 2, "Missing argument 'MODEL'"),
    (("run", "list"), 2, "no database: give --db URL or set SQLSCORE_DB"),
    (("score", "m", "--source", "t", "--mode", "upset", "--db", "sqlite://"), 2, "upset"),
    (("score", "m", "--source", "t", "--db", "sqlite://"), 2, "no target"),
    (("score", "m", "--source", "t", "--target", "u", "--lag", "5", "--db", "x"), 2, "30s, 5m"),
    (("run", "show", "4f1d", "--db", "sqlite://"), 2, "there is no run '4f1d'"),
    (("run", "list", "--db", "scores.db"), 4, "this is no database URL"),
    (("run", "list", "--db", "postgrsql://host/db"), 4, "no database product 'postgrsql'"),
    (("run", "list", "--db", "sqlite:////no/such/folder/x.db"), 4, "unable to open database file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
def test_what_is_wrong_is_said_and_coded(
    run: Callable[..., Ended], arguments: tuple[object, ...], code: int, message: str
) -> None:
    ended = run(*arguments)
    assert ended.code == code
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    as_json = run(*arguments, "--json")
    assert as_json.code == code
    assert as_json.document["error"]["exit_code"] == code
    assert message in as_json.document["error"]["message"]
    assert as_json.err == ""


def test_verbose_shows_the_trace(run: Callable[..., Ended]) -> None:
    ended = run("predict", "no.onnx", penguins.DATA, "--verbose")
    assert ended.code == 3
    assert "Traceback" in ended.err
    assert "FileNotFoundError" in ended.err


# ---- models


def test_models_are_added_listed_shown_and_removed(kept: Callable[..., Ended]) -> None:
    again = kept("model", "add", "penguins", penguins.MODEL, "--json").document
    assert (again["name"], again["version"], again["aliases"]) == ("penguins", 1, ["production"])
    renamed = kept("model", "add", "penguins", penguins.MODEL, "--output", "species=guess")
    assert renamed.code == 0
    assert "species=guess" in renamed.out
    listed = kept("model", "list", "--json").document
    assert [(one["version"], one["aliases"]) for one in listed] == [(1, ["production"]), (2, [])]
    shown = kept("model", "show", "penguins", "--json").document
    assert shown["version"] == 2
    names = [one["name"] for one in shown["signature"]["predictions"]]
    assert names == ["species", *GUESS[1:]]
    assert [one["name"] for one in shown["signature"]["features"]] == [
        *penguins.NUMBERS,
        *penguins.TEXTS,
    ]
    assert "penguins:1" in kept("model", "show", "penguins@production").out
    assert kept("model", "alias", "penguins", "production", 2).code == 0
    assert kept("model", "remove", "penguins:1").out == "penguins:1 is gone.\n"
    left = kept("model", "list", "--json").document
    assert [(one["version"], one["aliases"]) for one in left] == [(2, ["production"])]
    assert kept("model", "alias", "penguins", "production", "--remove").code == 0
    assert kept("model", "list", "--json").document[0]["aliases"] == []


def test_a_model_comes_out_as_it_went_in(kept: Callable[..., Ended], tmp_path: Path) -> None:
    assert kept("model", "export", "penguins@production", "-o", "out.onnx").code == 0
    assert (tmp_path / "out.onnx").read_bytes() == penguins.MODEL.read_bytes()
    over = kept("model", "export", "penguins", "-o", "out.onnx")
    assert over.code == 2
    assert "--force" in over.err
    assert kept("model", "export", "penguins", "-o", "out.onnx", "--force").code == 0


def test_an_alias_has_a_history_and_goes_back(kept: Callable[..., Ended]) -> None:
    assert kept("model", "add", "penguins", penguins.MODEL, "--output", "species=guess").code == 0
    assert kept("model", "alias", "penguins", "production", 2).code == 0
    back = kept("model", "alias", "penguins", "production", "--rollback")
    assert back.out == "penguins@production points to penguins:1.\n"
    changes = kept("model", "alias", "penguins", "production", "--history", "--json").document
    assert [change["version"] for change in changes] == [1, 2, 1]
    shown = kept("model", "alias", "penguins", "production", "--history").out
    assert f"@{socket.gethostname()}" in shown
    assert kept("model", "alias", "penguins", "production", 2, "--history").code == 2
    copied = kept("model", "copy", "penguins:2", "--to-db", "sqlite:///other.db", "--name", "p")
    assert copied.out.startswith("p:1 in sqlite:///other.db is penguins:2: sha256 ")


def test_a_model_is_held_to_its_authors_predictions(
    kept: Callable[..., Ended], tmp_path: Path
) -> None:
    rows = penguins.rows()
    expected = reference(rows)
    theirs = [expected.get(i, (None, None)) for i in rows["id"].to_pylist()]
    rows = rows.append_column("guess", pa.array([guess for guess, _ in theirs]))
    adelie = [None if p is None else float(p[0]) for _, p in theirs]
    rows = rows.append_column("adelie", pa.array(adelie))
    pacsv.write_csv(rows, tmp_path / "holdout.csv")
    adding = ("model", "add", "penguins", penguins.MODEL, "--examples", "holdout.csv")
    both = ("--expect", "guess", "--expect", "adelie=probability_Adelie")
    shown = kept(*adding, *both)
    assert re.search(r"examples +largest difference .*of 344 rows, tolerance 1e-05; 100", shown.out)
    assert "at most" in kept("model", "check", "penguins@production").out
    rows = rows.set_column(rows.num_columns - 2, "guess", pa.array(["Gentoo"] * 344))
    pq.write_table(rows, tmp_path / "wrong.parquet")
    wrong = kept(*adding[:-1], "wrong.parquet", "--expect", "guess")
    assert wrong.code == 3
    assert "the largest difference is inf (guess, row 1)" in wrong.err
    assert kept(*adding).code == 2


def test_registry_errors_name_what_there_is(kept: Callable[..., Ended]) -> None:
    unknown = kept("model", "show", "pengins")
    assert unknown.code == 3
    assert "'penguins'" in unknown.err
    alias = kept("model", "show", "penguins@prodction")
    assert alias.code == 3
    assert "'production'" in alias.err
    used = kept("model", "remove", "penguins:1")
    assert used.code == 3
    assert "production" in used.err
    assert kept("model", "alias", "penguins", "production").code == 2


# ---- scoring


def _target(database: Database) -> list[dict[str, Any]]:
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM guesses").mappings()
        records = [dict(row) for row in found]
    database.engine.dispose()
    return records


def test_score_writes_what_onnxruntime_gives(
    database: Database, scored: Callable[..., Ended]
) -> None:
    command = ("score", "penguins@production", "--source", "penguins", "--target", "guesses")
    first = scored(*command)
    assert first.code == 0, first.err
    assert first.out.startswith("Scored 344 rows into guesses in ")
    assert "penguins@production: penguins -> guesses" in first.err.splitlines()
    assert_predicted(_target(database))
    again = scored(*command, "--json").document
    assert (again["status"], again["rows"], again["resumed"]) == ("done", 344, False)
    assert again["models"] == ["penguins:1"]
    assert again["counts"]["features"]["sex"]["nulls"] == 11
    assert again["counts"]["predictions"]["guess"]["nulls"] == 11
    assert_predicted(_target(database))
    runs = scored("run", "list", "--json").document
    assert [one["rows"] for one in runs] == [344, 344]
    assert runs[0]["id"] == again["id"]
    shown = scored("run", "show", again["id"])
    assert shown.code == 0
    assert "344 of 344" in shown.out
    done = scored("run", "resume", again["id"])
    assert done.code == 5
    assert "nothing to go on with" in done.err
    unknown = scored("run", "show", f"{again['id'][:-1]}x")
    assert unknown.code == 2
    assert f"Did you mean '{again['id']}'" in unknown.err


def test_score_as_sql_says_by_which_route_and_why(kept: Callable[..., Ended]) -> None:
    job = ("score", "penguins", "--source", "penguins", "--target", "guesses", "--json")
    run = kept(*job, "--route", "push-down").document
    assert (run["route"], run["rows"]) == ("push-down", 344)
    with_finite = kept(*job, "--route", "auto", "--finite").document
    assert with_finite["route"] == "bridge"
    assert "finite=" in kept("run", "show", with_finite["id"]).out
    refused = kept(*job[:-1], "--route", "push-down", "--finite")
    assert (refused.code, "finite=" in refused.err) == (2, True)
    assert "there is no route 'sideways'" in kept(*job[:-1], "--route", "sideways").err


def test_rows_that_cannot_be_scored_are_in_quarantine(kept: Callable[..., Ended]) -> None:
    command = ("score", "penguins", "--source", "penguins", "--target", "guesses",
               "--null", "sex=error")  # fmt: skip
    assert kept(*command).code == 3
    stopped = kept(*command, "--quarantine", "--max-bad", "1%")
    assert stopped.code == 7
    assert "11 rows of about 344 cannot be scored so far, and max_bad= allows 1%" in stopped.err
    done = kept(*command, "--quarantine", "--log", "json")
    assert done.code == 6
    assert (done.document["quarantined"], done.document["code"]) == (11, 6)
    run = done.document["run"]
    shown = kept("run", "show", run)
    assert shown.code == 0
    assert "11 rows" in shown.out
    assert "5 of 11 rows. See: sqlscore run quarantine" in shown.out
    listed = kept("run", "quarantine", run)
    assert listed.out.count("it is NULL, and its NULL policy is 'error'") == 11
    (one, *_) = kept("run", "quarantine", run, "--json").document
    assert (one["name"], one["model"], list(one["key"])) == ("sex", "penguins:1", ["id"])
    again = kept(*command, "--quarantine")
    assert again.code == 6
    assert "11 rows could not be scored and are in quarantine" in again.out
    everything = kept("score", "penguins", "--source", "penguins", "--target", "guesses")
    assert everything.code == 0
    none = kept("run", "quarantine", kept("run", "list", "--json").document[0]["id"])
    assert "left no row out" in none.out


def test_looking_first_writes_nothing(database: Database, scored: Callable[..., Ended]) -> None:
    command = ("score", "penguins", "--source", "penguins", "--target", "guesses")
    bound = scored(*command, "--dry-run", "--json").document
    assert bound["key"] == ["id"]
    assert bound["rows"] == 344
    features = {one["feature"]: one for one in bound["features"]}
    assert list(features) == [*penguins.NUMBERS, *penguins.TEXTS]
    assert features["sex"]["column"] == "sex"
    assert features["sex"]["nulls"] == "null"
    assert features["body_mass_g"]["nulls"] == "nan"
    assert [prediction for prediction, *_ in bound["predictions"]] == list(GUESS)
    shown = scored("model", "show", "penguins", "--for", "penguins").out
    assert "NaN to the model" in shown
    assert "about 344" in shown
    few = scored(*command, "--limit", 3, "--columns", "species", "--json").document
    assert len(few) == 3
    assert set(few[0]) == {"id", "species", *GUESS}
    assert not sa.inspect(database.engine).has_table("guesses")
    database.engine.dispose()


def test_score_a_select_with_a_map_a_policy_and_columns(
    sqlite: Database, kept: Callable[..., Ended]
) -> None:
    select = "SELECT id AS who, island, sex AS gender, species, bill_length_mm, bill_depth_mm, "
    select += "flipper_length_mm, body_mass_g FROM penguins WHERE id <= 10"
    ended = kept(
        "score", "penguins", "--source", select, "--target", "guesses", "--key", "who",
        "--columns", "species,island", "--map", "sex=gender", "--null", "sex=unknown",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    records = _target(sqlite)
    assert [record["who"] for record in records] == list(range(1, 11))
    assert {record["guess"] for record in records} == {"Adelie"}
    assert set(records[0]) == {"who", "species", "island", *GUESS}


def test_what_does_not_bind_names_the_nearest(kept: Callable[..., Ended]) -> None:
    select = "SELECT id, island, sex, bill_len_mm, bill_depth_mm, flipper_length_mm, body_mass_g "
    select += "FROM (SELECT *, bill_length_mm AS bill_len_mm FROM penguins)"
    ended = kept("score", "penguins", "--source", select, "--target", "t", "--key", "id")
    assert ended.code == 3
    assert "'bill_length_mm': no such column. Did you mean 'bill_len_mm'" in ended.err
    absent = kept("score", "penguins", "--source", "pengins", "--target", "t")
    assert absent.code == 4
    assert "Did you mean 'penguins'?" in absent.err


def test_a_held_target_is_another_exit_code(sqlite: Database, kept: Callable[..., Ended]) -> None:
    tables = ensure(sqlite.engine, schemas=sqlite.product.schemas)
    place = sink.place(sqlite.engine, sqlite.product, "guesses")
    held = lease.acquire(sqlite.engine, sqlite.product, tables, target=place, run="0" * 16)
    command = ("score", "penguins", "--source", "penguins", "--target", "guesses")
    refused = kept(*command)
    assert refused.code == 5
    assert "guesses" in refused.err
    assert kept(*command, "--json").document["error"]["kind"] == "JobConflict"
    with sqlite.product.unit(sqlite.engine, None) as unit:
        held.release(unit)
        unit.commit()
    assert kept(*command).code == 0


@pytest.mark.parametrize("json_too", [(), ("--json",), ("--verbose",)])
def test_a_password_is_never_printed(
    postgres: Database, run: Callable[..., Ended], json_too: tuple[str, ...]
) -> None:
    url = sa.make_url(postgres.url).set(password="s3cret/gehe!m")
    written = url.render_as_string(hide_password=False)
    for command in (("model", "list"), ("doctor",)):
        ended = run(*command, "--db", written, *json_too)
        assert ended.code == 4
        assert "password authentication failed" in ended.out + ended.err
        for secret in ("s3cret/gehe!m", "s3cret%2Fgehe!m", "gehe!m"):
            assert secret not in ended.out + ended.err


# ---- a process of its own: signals


def _started(*arguments: str, db: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sqlscore", *arguments],
        env={**os.environ, "SQLSCORE_DB": db},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _large(sqlite: Database, run: Callable[..., Ended]) -> int:
    """A table of rows that take a while; the number of rows."""
    rows = 600_000
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql(
            "CREATE TABLE big AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n "
            f"WHERE id < {rows}) SELECT id, id * 0.5 AS a, -id AS b, id % 7 AS c, 1.5 AS d FROM n"
        )
        connection.exec_driver_sql("CREATE UNIQUE INDEX big_id ON big (id)")
    Path("model.onnx").write_bytes(models.logistic(4))
    _on(sqlite, run)("model", "add", "linear", "model.onnx", "--features", "a,b,c,d")
    return rows


def _ranges_done(sqlite: Database) -> int:
    with sqlite.engine.connect() as connection:
        if not sa.inspect(connection).has_table("sqlscore_ranges"):
            return 0
        query = "SELECT count(*) FROM sqlscore_ranges WHERE done_at IS NOT NULL"
        return int(connection.exec_driver_sql(query).scalar_one())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_is_gone_on_with(
    sqlite: Database, run: Callable[..., Ended], how: signal.Signals
) -> None:
    rows = _large(sqlite, run)
    command = ("score", "linear", "--source", "big", "--target", "guesses", "--key", "id")
    process = _started(*command, db=sqlite.url)
    on_db = _on(sqlite, run)
    deadline = time.monotonic() + 60
    while not _ranges_done(sqlite):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
    if how is signal.SIGINT:
        assert "the same command goes on from there" in said
        assert "Traceback" not in said
    (stopped,) = on_db("run", "list", "--json").document
    assert 0 < stopped["rows"] < rows
    resumed = (
        on_db(*command, "--json")
        if how is signal.SIGKILL
        else on_db("run", "resume", stopped["id"], "--json")
    )
    assert resumed.code == 0, resumed.out
    assert resumed.document["resumed"] is True
    assert resumed.document["id"] == stopped["id"]
    assert resumed.document["rows"] == rows
    with sqlite.engine.connect() as connection:
        counted = connection.exec_driver_sql("SELECT count(*), count(DISTINCT id) FROM guesses")
        assert counted.one() == (rows, rows)


# ---- progress


@dataclass(frozen=True)
class At:
    rows: int
    total: int | None
    seconds: float


def test_progress_says_how_fast_and_how_long_still() -> None:
    assert progress.line(500, 2000, 2.0) == "500 of about 2,000 rows, 250 rows/s, 6.00 s left"
    assert progress.line(500, None, 2.0) == "500 rows, 250 rows/s"
    assert progress.line(0, 100, 0.0) == "0 of about 100 rows, 0 rows/s"


def test_lines_become_ever_fewer(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown("a -> b") as update:
        for second in range(1, 100):
            update(At(second * 1000, 100_000, float(second)))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a -> b"
    assert [line.split(" ")[0] for line in lines[1:]] == [
        "5,000", "10,000", "20,000", "40,000", "80,000",
    ]  # fmt: skip


def test_compile_writes_sql_that_runs(run: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "churn.onnx").write_bytes(models.lightgbm(2, 3))
    asked = ("churn.onnx", "--features", "age,spend", "--table", "customers", "--key", "id")
    shown = run("compile", *asked, "--dialect", "sqlite")
    assert shown.code == 0
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE customers (id INTEGER, age REAL, spend REAL)")
        connection.exec_driver_sql("INSERT INTO customers VALUES (7, 1.5, -0.25)")
        (row,) = connection.exec_driver_sql(shown.out).mappings()
    assert list(row) == ["id", "label", "probabilities_0", "probabilities_1"]
    assert row["probabilities_0"] + row["probabilities_1"] == pytest.approx(1)
    assert run("compile", *asked, "--dialect", "mssql", "--json").document["sql"]
    assert "Did you mean 'postgres'" in run("compile", *asked, "--dialect", "postgress").err


def test_compile_writes_what_stays_in_the_database(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "churn.onnx").write_bytes(models.lightgbm(2, 3))
    asked = ("churn.onnx", "--features", "age,spend", "--table", "customers", "--key", "id")
    view = run("compile", *asked, "--dialect", "sqlite", "--as", "view", "-o", "churn.sql")
    assert view.code == 0
    script = (tmp_path / "churn.sql").read_text()
    assert script.startswith("-- churn, sha256 ")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("CREATE TABLE customers (id INTEGER, age REAL, spend REAL)")
        connection.executescript(script)
        assert connection.execute("SELECT id FROM churn_scores").fetchall() == []
    assert "Did you mean 'view'" in run("compile", *asked, "--dialect", "duckdb", "--as", "vew").err
    refused = run("compile", *asked, "--dialect", "postgres", "--as", "procedure")
    assert refused.code != 0
    assert "postgres takes no model as a procedure" in refused.err


def test_compile_names_all_that_has_no_sql_form(run: Callable[..., Ended], tmp_path: Path) -> None:
    text = "g (float[N,2] a) => (float[N,2] y) { x = Hardmax(a) y = Round(x) }"
    (tmp_path / "odd.onnx").write_bytes(models.written(text))
    failed = run("compile", "odd.onnx", "--features", "p,q", "--dialect", "duckdb")
    assert failed.code == 3
    assert "Hardmax" in failed.err
    assert "Round" in failed.err


def test_statements_run_in_the_words_of_three_dialects(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    model = "g (float[N,2] x) => (float[N,1] s) <float[2,1] w = {0.5, -0.25}> { s = MatMul(x, w) }"
    (tmp_path / "churn.onnx").write_bytes(models.written(model))
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, age REAL, spend REAL);"
            "INSERT INTO customers VALUES (1, 2, 4), (2, 3, 2);"
        )
    at = ("--db", "sqlite:///shop.db", "--json")
    assert run("model", "add", "churn", "churn.onnx", "--features", "age,spend", *at).code == 0
    (tmp_path / "nightly.sql").write_text(
        "SELECT d.id, p.s INTO scored FROM PREDICT(MODEL = churn, DATA = customers AS d) AS p\n"
        "GO\nPRINT 'done'\nSELECT id, s FROM scored ORDER BY id\n"
    )
    rows = [{"id": 1, "s": 0.0}, {"id": 2, "s": 1.0}]
    ran = run("sql", "-f", "nightly.sql", *at).document
    assert (ran["results"], ran["messages"]) == ([rows], ["done"])
    spoken = {
        "bigquery": "SELECT id, s FROM ML.PREDICT(MODEL churn, TABLE customers) ORDER BY id",
        "oracle": "SELECT id, PREDICTION(churn USING *) AS s FROM customers ORDER BY id",
    }
    for dialect, text in spoken.items():
        assert run("sql", text, "--dialect", dialect, *at).document["results"] == [rows]
        plan = run("explain", text, "--dialect", dialect, *at).document
        assert plan["predicts"][0]["kept"] == ["id"]
    failed = run("sql", "SELECT PREDICTION(churn) FROM customers", "--dialect", "oracle", *at[:2])
    assert failed.code == 2
    assert "line 1, column 24: PREDICTION wants USING" in failed.err
    assert "Did you mean 'oracle'" in run("sql", "SELECT 1", "--dialect", "orcale", *at[:2]).err
