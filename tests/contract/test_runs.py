"""Runs on every database: what they write, how they resume, who may run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

from sqlscore import tables
from sqlscore.errors import DatabaseError, JobConflict, SqlscoreError, UnknownRun
from sqlscore.jobs import lease, scoring
from sqlscore.jobs import run as runs
from sqlscore.jobs.engines import Engines
from sqlscore.jobs.status import Status
from sqlscore.jobs.work import Work
from sqlscore.predictor import slices
from sqlscore.relations import source as sources
from sqlscore.session import Session
from tests.fixtures import models
from tests.fixtures.scoring import (
    FEATURES,
    NEWER,
    OTHER,
    WEIGHED,
    Shop,
    asked,
    customers,
    expected,
    features,
    small_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

IDS = range(0, 900, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch)
    return Shop.on(database)


class Stopped(Exception):
    """What the test raises in the middle of a run."""


def stop_after(monkeypatch: pytest.MonkeyPatch, ranges: int) -> None:
    """Let the next run write so many ranges, and end at the one after them."""
    write, left = scoring.Writer.__call__, [ranges]

    def limited(*given: Any) -> None:
        if not left[0]:
            raise Stopped
        left[0] -= 1
        write(*given)

    monkeypatch.setattr(scoring.Writer, "__call__", limited)


def stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch, ranges: int = 2, **chosen: Any) -> None:
    """A run that ended after so many ranges."""
    with monkeypatch.context() as patch:
        stop_after(patch, ranges)
        with pytest.raises(Stopped):
            shop.score(**chosen)


def test_a_table_is_scored_into_a_new_table(shop: Shop):
    run = shop.score()
    assert shop.found() == expected(IDS)
    assert shop.names() == ["id", "score"]
    assert (run.status, run.rows, run.total, run.ranges, run.ranges_done) == (
        Status.DONE, 300, 300, 8, 8,
    )  # fmt: skip
    assert (run.models, run.source, run.mode) == (("churn:1",), "customers", "upsert")
    assert not run.resumed
    assert run.error is None
    assert run.seconds is not None
    assert run.counts.rows == 300
    assert not run.counts.features


@pytest.mark.parametrize("model", ["logistic", "lightgbm"])
def test_the_bits_do_not_depend_on_ranges_and_batches(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, model: str
):
    made = models.logistic(2, zipmap=False) if model == "logistic" else models.lightgbm(2)
    shop.scoring.models.add("one", made, features=FEATURES)
    scores = []
    for number, (rows, batch) in enumerate([(1000, 500), (37, 10), (40, 1)]):
        small_ranges(monkeypatch, rows, batch)
        shop.score("one", target=f"t{number}")
        columns = shop.names(f"t{number}")[1:]
        scores.append(shop.found(f"t{number}", *columns))
    assert scores[0] == scores[1] == scores[2]
    predictor = sqlscore_outputs(made, features(list(IDS)))
    assert np.array_equal(np.array(list(scores[0].values()), dtype=np.float32), predictor)


def sqlscore_outputs(model: bytes, x: np.ndarray) -> np.ndarray:
    """Label and class scores by ONNX Runtime itself, of one row a line."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    label, scores = session.run(None, {name: x.astype(np.float32)})
    if isinstance(scores, list):
        scores = np.array([[row[k] for k in sorted(row)] for row in scores], dtype=np.float32)
    return np.column_stack([label.astype(np.float32), scores])


def test_an_empty_source_gives_a_typed_empty_target(shop: Shop):
    shop.create("nobody")
    for mode in ("upsert", "replace"):
        run = shop.score(source="nobody", target=f"none_{mode}", mode=mode, columns=["city"])
        assert (run.status, run.rows, run.total) == (Status.DONE, 0, 0)
        assert shop.found(f"none_{mode}") == {}
        assert shop.names(f"none_{mode}") == ["id", "city", "score"]
    again = shop.score(target="none_upsert", columns=["city"])
    assert (again.rows, shop.found("none_upsert")) == (300, expected(IDS))


def test_several_models_score_in_one_run(shop: Shop):
    shop.scoring.models.add("spend", OTHER, features=FEATURES)
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    run = shop.score(["churn:1", "spend", "churn"])
    names = shop.names()
    assert names == ["id", "churn_1_score", "spend_other", "churn_score"]
    want = np.column_stack(
        [asked(model, features(list(IDS)))[:, 0] for model in (WEIGHED, OTHER, NEWER)]
    )
    assert np.array_equal(np.array(list(shop.found("predictions", *names[1:]).values())), want)
    assert run.models == ("churn:1", "spend:1", "churn:2")


def test_a_model_is_loaded_once(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """However often the job is prepared: for its plan, on the staged rows, and by a second try."""
    shop.scoring.models.add("spend", OTHER, features=FEATURES)
    sessions: list[Session] = []

    def counted(*given: Any, **chosen: Any) -> Session:
        sessions.append(Session(*given, **chosen))
        return sessions[-1]

    write, calls = scoring.Writer.__call__, []

    def failing_once(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise DatabaseError("lost connection")
        write(*given)

    monkeypatch.setattr(slices, "Session", counted)
    monkeypatch.setattr(scoring.Writer, "__call__", failing_once)
    source = "SELECT DISTINCT id, age, spend FROM customers"
    run = shop.score(["churn", "spend"], source=source, key="id")
    assert (run.rows, len(calls), len(sessions)) == (300, 1 + 8, 2)


def test_columns_pass_through(shop: Shop):
    shop.run(f"UPDATE customers SET city = NULL WHERE {shop.quoted('id')} = 6")
    shop.score(columns=["city", "spend"])
    assert shop.names() == ["id", "city", "spend", "score"]
    want = customers(IDS)
    found = shop.ask("SELECT city, spend FROM predictions ORDER BY id")
    cities = [None if i == 6 else city for i, city in zip(IDS, want["city"], strict=True)]
    assert [row[0] for row in found] == cities
    assert [row[1] for row in found] == want["spend"].tolist()


def test_nulls_are_counted_by_feature(shop: Shop):
    shop.run(
        "UPDATE customers SET age = NULL WHERE id < 30",
        "UPDATE customers SET spend = NULL WHERE id < 12",
    )
    run = shop.score()
    assert {n: t.nulls for n, t in run.counts.features.items()} == {"age": 10, "spend": 4}
    assert shop.found() == {**expected(IDS), **dict.fromkeys(range(0, 30, 3))}
    shop.score(nulls={"age": 0.0, "spend": "=1.5"}, target="filled")
    x = features(list(IDS))
    x[:10, 0], x[:4, 1] = 0.0, 1.5
    assert list(shop.found("filled").values()) == asked(WEIGHED, x)[:, 0].tolist()
    with pytest.raises(SqlscoreError, match=r"'age'.*NULL") as error:
        shop.score(nulls={"age": "error"}, target="refused")
    assert "30" not in str(error.value)


def test_a_run_that_was_stopped_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    (before,) = shop.scoring.runs()
    assert (before.status, before.rows, before.ranges_done) == (Status.FAILED, 80, 2)
    assert before.error == "Stopped"
    assert shop.found() == expected(IDS[:80])
    run = shop.score()
    assert (run.id, run.resumed, run.status, run.rows) == (before.id, True, Status.DONE, 300)
    assert run.counts.rows == 300
    assert run.error is None
    assert shop.found() == expected(IDS)
    after = shop.score()
    assert (after.resumed, after.id == run.id) == (False, False)
    assert [r.status for r in shop.scoring.runs()] == [Status.DONE, Status.DONE]


def test_only_the_ranges_that_are_left_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    read, seen = sources.read, []

    def noted(*given: Any, **chosen: Any) -> Iterator[Any]:
        seen.append(chosen["range_"].ordinal)
        return read(*given, **chosen)

    monkeypatch.setattr(sources, "read", noted)
    shop.score()
    assert seen == [2, 3, 4, 5, 6, 7]


def test_a_resumed_run_keeps_the_version_that_it_began_with(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    shop.scoring.models.alias("churn", "production", 1)
    stopped(shop, monkeypatch, models="churn@production")
    shop.scoring.models.add("churn", NEWER, features=FEATURES, alias="production")
    run = shop.score("churn@production")
    assert (run.resumed, run.models) == (True, ("churn:1",))
    assert shop.found() == expected(IDS)
    assert shop.score("churn@production").models == ("churn:2",)
    assert shop.found() == expected(IDS, NEWER)


def test_an_alias_that_moves_during_a_run_is_of_the_next_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    def move(progress: runs.Progress) -> None:
        if progress.rows == 80:
            shop.scoring.models.add("churn", NEWER, features=FEATURES, alias="production")

    shop.scoring.models.alias("churn", "production", 1)
    run = shop.score("churn@production", on_progress=move)
    assert run.models == ("churn:1",)
    assert shop.found() == expected(IDS)
    assert shop.scoring.models.aliases("churn") == {"production": 2}


def test_a_named_run_is_not_gone_on_with_otherwise(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.create("others", customers(range(5)))
    stopped(shop, monkeypatch, name="nightly")
    with pytest.raises(JobConflict) as error:
        shop.score(name="nightly", source="others")
    assert "job 'nightly' began otherwise: source: 'customers' then, 'others' now" in str(
        error.value
    )
    assert "--restart" in str(error.value)
    with pytest.raises(JobConflict, match=r"models: \('churn',\) then, \('churn:1',\) now"):
        shop.score("churn:1", name="nightly")
    with pytest.raises(JobConflict, match=r"mode: .*upsert.* then, .*append.* now"):
        shop.score(name="nightly", mode="append")
    assert shop.found() == expected(IDS[:80])
    run = shop.score(name="nightly", source="others", restart=True)
    assert (run.resumed, run.rows) == (False, 5)
    assert [r.status for r in shop.scoring.runs()] == [Status.DONE, Status.ABANDONED]


def test_a_run_can_be_restarted_or_abandoned(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    run = shop.score(restart=True)
    assert (run.resumed, run.rows) == (False, 300)
    with pytest.raises(JobConflict, match="has no unfinished run to abandon"):
        shop.score(abandon=True)
    stopped(shop, monkeypatch)
    given_up = shop.score(abandon=True)
    assert given_up.status is Status.ABANDONED
    assert not shop.score().resumed


@pytest.mark.parametrize("source", ["customers", "SELECT DISTINCT * FROM customers"])
def test_what_an_abandoned_run_staged_is_dropped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, source: str
):
    shop.score(mode="replace")
    before = owned_names(shop)
    stopped(shop, monkeypatch, source=source, key="id", mode="replace")
    assert owned_names(shop) != before
    shop.score(source=source, key="id", mode="replace", abandon=True)
    assert owned_names(shop) == before


def owned_names(shop: Shop) -> set[str]:
    """All tables, the owned ones too."""
    inspector = sa.inspect(shop.database.engine)
    names = set(inspector.get_table_names())
    if shop.database.product.schemas:
        names |= {f"sqlscore.{n}" for n in inspector.get_table_names("sqlscore")}
    return names


def test_a_run_is_resumed_by_how_its_id_begins(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    (before,) = shop.scoring.runs()
    assert shop.scoring.run(before.id[:6]).id == before.id
    done = shop.scoring.resume(before.id[:6])
    assert (done.id, done.rows, done.resumed) == (before.id, 300, True)
    assert shop.found() == expected(IDS)
    with pytest.raises(JobConflict, match="is done: there is nothing to go on with"):
        shop.scoring.resume(before.id)
    with pytest.raises(UnknownRun, match="there is no run 'zzz'"):
        shop.scoring.resume("zzz")
    for wild in ("%", "_" * 16, ""):
        with pytest.raises(UnknownRun, match="there is no run"):
            shop.scoring.run(wild)
    typed = before.id[:-1] + "x"
    with pytest.raises(UnknownRun, match=f"Did you mean '{before.id}'"):
        shop.scoring.run(typed)


def test_a_changed_binding_is_not_gone_on_with(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    stopped(shop, monkeypatch)
    shop.rename("customers", "age", "years")
    with pytest.raises(SqlscoreError, match="'age'"):
        shop.score()
    shop.rename("customers", "years", "age")
    assert shop.score().resumed
    assert shop.found() == expected(IDS)


def test_runs_tell_how_far_they_are_while_they_run(shop: Shop):
    seen, told = [], []

    def look(progress: runs.Progress) -> None:
        told.append((progress.rows, progress.total))
        (run,) = shop.scoring.runs()
        seen.append((run.status, run.rows, run.ranges_done, run.total))

    shop.score(on_progress=look)
    assert told == [(n, 300) for n in (*range(0, 300, 40), 300)]
    assert [rows for _, rows, _, _ in seen] == [n for n, _ in told]
    assert {status for status, *_ in seen} == {Status.RUNNING}
    assert [done for _, _, done, _ in seen] == list(range(9))


def test_counts_go_on_after_a_restart(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.run("UPDATE customers SET age = NULL WHERE id < 360")
    stopped(shop, monkeypatch)
    (before,) = shop.scoring.runs()
    assert before.counts.features["age"].nulls == 80
    rows, ended = [], set()

    def look(progress: runs.Progress) -> None:
        rows.append(progress.rows)
        ended.add(shop.scoring.runs()[0].finished_at)

    run = shop.score(on_progress=look)
    assert run.counts.features["age"].nulls == 120
    assert rows[0] == 80
    assert ended == {None}


def test_a_planning_that_fails_writes_nothing_and_leaves_nothing(shop: Shop):
    before = owned_names(shop)
    shop.run("INSERT INTO customers (id, age, spend, city) VALUES (1, 0, 0, 'Bern')")
    with pytest.raises(DatabaseError, match="does not identify a row"):
        shop.score(source="SELECT DISTINCT city, age, spend FROM customers", key="city")
    (run,) = shop.scoring.runs()
    assert (run.status, run.ranges) == (Status.FAILED, 0)
    assert "does not identify a row" in (run.error or "")
    left = [n for n in owned_names(shop) - before if "sqlscore" not in n and "staging" not in n]
    assert not left
    with pytest.raises(JobConflict, match="start"):
        shop.scoring.resume(run.id)
    assert shop.score().rows == 301


# Who may run


def two_at_once(shop: Shop, **second: Any) -> SqlscoreError:
    """What a second run is told while the first one writes."""
    told: list[SqlscoreError] = []

    def meddle(progress: runs.Progress) -> None:
        if progress.rows == 80:
            with pytest.raises(SqlscoreError) as error:
                shop.score(**second)
            told.append(error.value)

    run = shop.score(on_progress=meddle)
    assert run.status is Status.DONE
    assert shop.found() == expected(IDS)
    return told[0]


def test_a_second_run_is_told_who_holds_the_target_and_since_when(shop: Shop):
    error = two_at_once(shop, name="other")
    assert isinstance(error, JobConflict)
    held = f"is held by run {shop.scoring.runs()[0].id} on {socket.gethostname()}"
    assert held in str(error)
    assert f"(process {os.getpid()}) since 20" in str(error)
    assert len(shop.scoring.runs()) == 1


def test_the_same_run_does_not_run_twice_at_once(shop: Shop):
    assert isinstance(two_at_once(shop), JobConflict)


def test_one_table_has_one_lease_however_it_is_typed(shop: Shop):
    schema = sa.inspect(shop.database.engine).default_schema_name or "main"
    shop.score()
    error = two_at_once(shop, target=f"{schema}.predictions", name="other")
    assert isinstance(error, JobConflict), error
    if shop.database.name in ("sqlite", "duckdb"):
        assert isinstance(two_at_once(shop, target="PREDICTIONS", name="other"), JobConflict)


def test_runs_on_two_targets_go_on_at_once(shop: Shop):
    def other(progress: runs.Progress) -> None:
        if progress.rows == 80:
            shop.score(target="elsewhere", mode="replace")

    shop.score(on_progress=other)
    assert shop.found() == shop.found("elsewhere") == expected(IDS)


def test_a_run_whose_lease_was_taken_over_cannot_commit(shop: Shop):
    """While it slept, another host took its lease over and goes on with its run."""
    leases = tables.owned(schemas=shop.database.product.schemas).leases

    def take_over(progress: runs.Progress) -> None:
        if progress.rows == 80:
            with shop.database.engine.begin() as connection:
                connection.execute(sa.update(leases).values(token="another", owner="elsewhere:1:2"))

    with pytest.raises(JobConflict, match="lost its lease on 'predictions'") as error:
        shop.score(on_progress=take_over)
    assert shop.found() == expected(IDS[:80])
    assert "what this run had committed stays" in str(error.value).casefold()
    with shop.database.engine.connect() as connection:
        assert connection.scalars(sa.select(leases.c.token)).all() == ["another"]
    (run,) = shop.scoring.runs()
    assert run.status is Status.RUNNING  # it is no longer ours to say that it failed
    with shop.database.engine.begin() as connection:
        connection.execute(sa.delete(leases))
    assert shop.score().resumed
    assert shop.found() == expected(IDS)


def held_by(shop: Shop, owner: str, ago: timedelta) -> Work:
    """A lease on the target whose owner gave its last sign of life some time ago."""
    shop.score()
    work = Work.on(Engines.one(shop.database.engine))
    then = tables.now() - ago
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.insert(work.tables.leases).values(
                target="predictions", run="r", owner=owner, token="t",
                acquired_at=then, heartbeat=then,
            )
        )  # fmt: skip
    return work


def ended_process() -> str:
    """The name of an owner on this host that has ended."""
    script = "from sqlscore.jobs import lease; print(lease.owner())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return said.stdout.decode().strip()


def test_a_run_does_without_pandas(shop: Shop):
    """Arrow would import it for a column that becomes an array of numpy's: 33 MB, and 0.25 s."""
    if not shop.database.product.shared:
        pytest.skip("the file is this process's")
    shop.run("UPDATE customers SET age = NULL WHERE id = 3")
    url = shop.database.engine.url.render_as_string(hide_password=False)
    script = (
        "import sys, sqlscore\n"
        f"database = sqlscore.connect({url!r})\n"
        "database.preview('churn', source='customers', limit=2)\n"
        "run = database.score('churn', source='customers', target='predictions')\n"
        "print(run.rows, 'pandas' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert said.stdout.split() == [b"300", b"False"]


def test_a_dead_owner_on_this_host_is_taken_over_at_once(shop: Shop):
    held_by(shop, ended_process(), timedelta(seconds=1))
    assert shop.score().rows == 300


def test_a_number_that_another_process_got_is_not_the_owner(shop: Shop):
    host, pid, started = lease.owner().rsplit(":", 2)
    held_by(shop, f"{host}:{pid}:{int(started) + 1}", timedelta(seconds=1))
    assert shop.score().rows == 300


def test_another_host_is_taken_over_when_it_gives_no_sign_of_life(shop: Shop):
    held_by(shop, "elsewhere:1:2", timedelta(seconds=30))
    with pytest.raises(JobConflict, match=r"held by run r on elsewhere \(process 1\) since"):
        shop.score()
    with shop.database.engine.begin() as connection:
        connection.execute(
            sa.update(tables.owned(schemas=shop.database.product.schemas).leases).values(
                heartbeat=tables.now() - lease.EXPIRY - timedelta(seconds=1)
            )
        )
    assert shop.score().rows == 300


def test_a_lease_that_this_process_could_not_give_back_does_not_hold_it_for_ever(shop: Shop):
    """The database was away when the run ended: the lease's row stayed, with a live owner."""
    held_by(shop, lease.owner(), timedelta(seconds=1))
    assert shop.score().rows == 300


def test_of_many_that_take_over_a_dead_run_one_gets_the_lease(shop: Shop):
    if not shop.database.product.shared:
        pytest.skip("one process, which knows its own leases")
    work = held_by(shop, ended_process(), timedelta(seconds=1))
    got: list[str] = []
    barrier = threading.Barrier(4)

    def take(number: int) -> None:
        barrier.wait()
        try:
            lease.acquire(
                shop.database.engine, work.product, work.tables,
                target="predictions", run=f"run{number}",
            )  # fmt: skip
            got.append(f"run{number}")
        except JobConflict:
            pass

    threads = [threading.Thread(target=take, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with shop.database.engine.connect() as connection:
        holders = connection.scalars(sa.select(work.tables.leases.c.run)).all()
    assert holders == got
