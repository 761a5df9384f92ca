"""The benchmarks run: a few thousand rows through every measurement, and nothing is timed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from benchmarks import (
    comparison,
    compiled,
    extras,
    gpu,
    in_database,
    models,
    places,
    planner,
    report,
    rows,
    suite,
    ways,
)
from benchmarks.alone import MEASURES, Answer
from benchmarks.measures import TARGET, Asked, Found, Meter
from benchmarks.processes import Memory, cores, memory, peak_bytes, processor_seconds
from benchmarks.suite import Case
from sqlscore.optimisations import Optimisation
from sqlscore.products import engine_for
from sqlscore.session import PROVIDERS, available
from tests.fixtures.providers import DEVICE

if TYPE_CHECKING:
    from benchmarks.places import Place

pytest.importorskip("sklearn")
pytest.importorskip("lightgbm")
pytest.importorskip("onnxmltools")

ROWS = 3000


@pytest.fixture(params=["sqlite", "duckdb"])
def place(request, tmp_path):
    if request.param == "duckdb":
        pytest.importorskip("duckdb_engine")
    with places.opened(request.param, tmp_path) as place:
        rows.load(place.url, ROWS)
        yield place


def predictions(place: Place) -> list[tuple[object, ...]]:
    engine = engine_for(place.url)
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {TARGET} ORDER BY id")).all()
    engine.dispose()
    return [tuple(row) for row in found]


def asked_here(asked: Asked) -> Answer:
    """A measurement in this process: one of its own is asked once, and imports all it needs."""
    meter = Meter(asked=asked)
    MEASURES[asked.what](asked, meter)
    return Answer(parts=meter.parts, own=memory(os.getpid()), readers=Memory())


@pytest.mark.filterwarnings("default")  # of the libraries that people use today
def test_what_is_compared_gives_the_same_predictions(place, tmp_path, monkeypatch):
    model = models.train("onehot", tmp_path)
    if place.name == "duckdb":
        monkeypatch.setattr(suite, "ask", asked_here)
    suite.keep_models(place, [model])
    settings = suite.Settings(rows=ROWS, todays_rows=ROWS, repeat=1, cores=cores())

    case = suite.speed(place, model, settings, ROWS)

    assert {part: found.rows for part, found in case.parts.items()} == dict.fromkeys(
        ("read", "score", "write", "run", "today", "framework"), ROWS
    )
    assert case.own.peak_bytes > case.own.anonymous_bytes > 20e6
    assert (case.readers.peak_bytes > 10e6) == (place.name == "sqlite")  # DuckDB reads in here
    todays = predictions(place)  # the framework's, which came last
    asked = Asked(what="run", url=place.url, server=None, model=model, rows=ROWS)
    MEASURES["run"](asked, Meter(asked=asked))
    ours = predictions(place)
    assert [row[:2] for row in ours] == [row[:2] for row in todays]
    for a, b in zip(ours, todays, strict=True):
        assert a[2:] == pytest.approx(b[2:], abs=1e-5)

    stated = suite.statements(place, model, settings)
    assert {part: found.rows for part, found in stated.parts.items()} == dict.fromkeys(
        ("run", "statement", "average", "average, in a transaction"), ROWS
    )
    assert predictions(place) == ours  # the statement's came last


def test_what_runs_inside_is_measured(place, tmp_path):
    model = models.train("logistic", tmp_path)
    suite.keep_models(place, [model])
    settings = suite.Settings(rows=ROWS, todays_rows=100, repeat=1, cores=2)

    figures = in_database.measure(place, model, settings)

    assert any("ONNX Runtime alone, threads: 2" in figure.what for figure in figures)
    assert any("predict of sqlscore.attach" in figure.what for figure in figures)
    assert all(figure.value > 0 for figure in figures if figure.unit != ways.PROCESSOR)
    assert f"| {place.name} | logistic |" in report.in_database(figures)


def test_what_extras_cost_is_measured(tmp_path, monkeypatch):
    model = models.train("logistic", tmp_path)
    what = "quarantine, 1 % bad rows"
    only = {what: extras.ways(model)[what]}
    monkeypatch.setattr(extras, "ways", lambda _: only)
    with places.opened("sqlite", tmp_path) as place:
        rows.load(place.url, ROWS)
        suite.keep_models(place, [model])
        settings = suite.Settings(rows=ROWS, todays_rows=100, repeat=1, cores=2)

        costs = extras.measure(place, model, settings)

        assert f"| sqlite | logistic | {what} |" in report.extras(costs)
        engine = engine_for(place.url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM sqlscore_quarantine")) == 30
        engine.dispose()


def test_a_model_as_sql_is_compared(tmp_path):
    with places.opened("duckdb", tmp_path) as place:
        rows.load(place.url, ROWS)
        model = models.train("tree", tmp_path)
        suite.keep_models(place, [model])
        case = comparison.Comparison(database=place.name, model=model.name)
        for what in ("compiled", "bridged", "written"):
            asked = Asked(what=what, url=place.url, server=None, model=model, rows=ROWS)
            meter = Meter(asked=asked)
            compiled.MEASURES[what](asked, meter)
            case.parts |= meter.parts
        assert {part: found.rows for part, found in case.parts.items()} == dict.fromkeys(
            [f"{way}, average" for way in ("SQL", "push-down", "bridge", "today")]
            + ["push-down, table"],
            ROWS,
        )
        assert len(predictions(place)) == ROWS
        comparison.judge(place, model, case, with_orbital=False)
    assert case.edges > 100
    assert case.wrong == {"push-down": 0}
    assert f"| duckdb | tree | {case.edges} | 0 |  |" in "".join(report.pushdown([case]))


def test_the_crossover_lies_between_two_sizes():
    def case(trees: int, ratio: float) -> comparison.Comparison:
        parts = {
            name: Found(rows=100, seconds=seconds)
            for name, seconds in (("sql", 1.0), ("bridge", ratio))
        }
        return comparison.Comparison(database="d", model=f"trees_{trees}", parts=parts)

    cases = [case(40, 0.5), case(1, 4.0), case(10, 2.0)]
    assert comparison.crossover(cases, "sql", "bridge") == pytest.approx(20)
    assert comparison.crossover(cases[1:], "sql", "bridge") == math.inf
    assert comparison.crossover(cases[:1], "sql", "bridge") is None


def test_a_table_doubles(place):
    rows.double(place.url, ROWS)
    engine = engine_for(place.url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT max(id) FROM features")) == 2 * ROWS - 1
    engine.dispose()


def test_the_limit_is_the_slowest_stage_or_all_cores_busy():
    def case(**processor_seconds: float) -> Case:
        parts = {
            name: Found(rows=100, seconds=seconds, processor_seconds=used)
            for (name, used), seconds in zip(processor_seconds.items(), (2, 1, 1, 4), strict=True)
        }
        return Case(database="d", model="m", cores=2, parts=parts)

    slowest = case(read=2, score=0.5, write=0.5, run=3)
    assert (slowest.limit, slowest.share) == (50, 0.5)
    busy = case(read=4, score=1, write=1, run=6)
    assert busy.limit == pytest.approx(100 / 3)


def test_the_tables_have_a_line_a_case():
    parts = {
        name: Found(rows=1000, seconds=1, processor_seconds=1)
        for name in ("read", "score", "write", "run", "today", "framework")
    }
    case = Case(database="d", model="m", cores=2, parts=parts)
    for table in (report.speed([case, case]), report.processor([case])):
        lines = table.splitlines()
        assert {line.count("|") for line in lines} == {lines[0].count("|")}
        assert "| d | m |" in table
    own, reader = (Memory(peak_bytes=n * 10**6, anonymous_bytes=5 * 10**6) for n in (12, 9))
    alone = Answer(parts={}, own=own, readers=Memory())
    helped = Answer(parts={}, own=own.more(reader), readers=reader.beside(reader))
    table = report.memory({"a": {1_000_000: alone}, "b": {1_000_000: helped}})
    assert table.splitlines()[2:] == [
        "| a | sqlscore | 12 (5) |", "| a | reading |  |",
        "| b | sqlscore | 12 (5) |", "| b | reading | 18 (10) |",
    ]  # fmt: skip


def test_what_a_process_used_counts_its_children():
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{child}; print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert processor_seconds(process.pid) > 0.05
    held = memory(process.pid)
    assert held.peak_bytes > held.anonymous_bytes > 1_000_000
    process.communicate(b"\n")
    assert (processor_seconds(process.pid), peak_bytes(process.pid)) == (0, 0)


def test_the_command_knows_its_options():
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "--rows" in said.stdout


def test_without_a_gpu_the_benchmark_says_so(capsys):
    if any(PROVIDERS[name].device for name in available()):
        pytest.skip("there is one")
    assert gpu.main([]) == 0
    said = capsys.readouterr().out
    assert "No GPU here" in said
    assert "pip install onnxruntime-gpu" in said


def test_a_device_is_measured_beside_the_processor(monkeypatch):
    pytest.importorskip("duckdb_engine")
    monkeypatch.setitem(PROVIDERS, "device", DEVICE)
    monkeypatch.setattr(gpu, "_BATCHES", (64,))
    monkeypatch.setattr(gpu, "_SECONDS", 0.01)
    figures = gpu.measured("dense-64-64", "device", count=ROWS, repeat=1)
    assert [(f.what, f.provider) for f in figures] == [
        (what, provider)
        for provider in ("cpu", "device")
        for what in ("batches of 64", f"table to table, {ROWS:,} rows")
    ]
    assert all(figure.rate and figure.rate > 0 for figure in figures)


@pytest.mark.filterwarnings("default")
def test_the_planner_is_measured(place, tmp_path):
    model = models.train("logistic", tmp_path)
    suite.keep_models(place, [model])
    settings = suite.Settings(rows=ROWS, todays_rows=ROWS, repeat=1, cores=cores())
    choices = planner.choices(place, model, settings)
    assert [one.statement for one in choices] == ["average", "rows"]
    assert all(set(one.seconds) == {"bridge", "push-down"} for one in choices)
    gains = planner.gains(place, model, settings)
    assert {gain.optimisation for gain in gains} == set(Optimisation)
    assert "| logistic | average |" in report.planner(choices)
    assert "pruning" in report.optimisations(gains)
