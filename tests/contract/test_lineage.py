"""Lineage columns: which version, sha256 and run a prediction is of, and since when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs.job import Lineage
from sqlscore.jobs.lineage import columns
from sqlscore.products.mysql import MYSQL
from tests.contract import tables
from tests.fixtures.scoring import FEATURES, OTHER, Shop, expected, small_ranges

if TYPE_CHECKING:
    from sqlscore.jobs.run import Progress
    from tests.fixtures.databases import Database

IDS = range(0, 120, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=7, batch=3)
    return Shop.on(database, rows=40)


def told(shop: Shop, *names: str) -> list[tuple[Any, ...]]:
    """The different values of these columns in the target."""
    types = {name: pa.int32() if "version" in name else pa.string() for name in names}
    read = tables.read(shop.database, shop.target(), types)
    return sorted(set(zip(*(read.column(name).to_pylist() for name in names), strict=True)))


def test_all_of_it_and_the_same_after_a_resume(shop: Shop):
    def stop(progress: Progress) -> None:
        if progress.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.score(lineage=True, on_progress=stop)
    run = shop.score(lineage=True)
    assert run.resumed
    assert shop.names() == [
        "id", "score", "model_name", "model_version", "model_sha256", "run_id", "scored_at",
    ]  # fmt: skip
    assert shop.found() == expected(IDS)
    version = shop.scoring.models.version("churn")
    ((name, number, sha256, id_, time),) = told(shop, *shop.names()[2:])
    assert (name, number, sha256, id_) == ("churn", 1, version.sha256, run.id)
    assert datetime.fromisoformat(time) == run.started_at


def test_several_models_have_their_own_and_count_their_own(shop: Shop):
    shop.run("UPDATE customers SET age = NULL WHERE id < 6")
    shop.scoring.models.add("other", OTHER, features=FEATURES, alias="tried")
    run = shop.score(["churn", "other@tried"], lineage=["run", "version"], columns=["city"])
    assert shop.names() == [
        "id", "city", "churn_score", "other_tried_other",
        "churn_model_version", "other_tried_model_version", "run_id",
    ]  # fmt: skip
    assert told(shop, *shop.names()[4:]) == [(1, 1, run.id)]
    assert shop.found("predictions", "churn_score") == {**expected(IDS), 0: None, 3: None}
    assert (run.rows, run.counts.rows) == (40, 40)
    assert {name: tally.nulls for name, tally in run.counts.features.items()} == {
        "churn_age": 2, "other_tried_age": 2,
    }  # fmt: skip
    assert list(run.counts.predictions) == ["churn_score", "other_tried_other"]


def test_a_target_without_the_columns_is_left_alone(shop: Shop):
    shop.score()
    with pytest.raises(DatabaseError, match=r"lacks 'model_version', 'run_id'.*ADD run_id"):
        shop.score(lineage=["version", "run"])
    word = shop.database.product.declare
    for name, type_ in (("model_version", pa.int32()), ("run_id", pa.string())):
        shop.run(f"ALTER TABLE predictions ADD {name} {word(type_)}")
    run = shop.score(lineage="run")
    assert told(shop, "run_id") == [(run.id,)]


def test_names_are_legal_and_meet_no_other_column():
    found = columns(
        Lineage.of("all"), ["a_", "b_"], taken=["A_model_name", "run_id"], product=MYSQL
    )
    assert [column.name for column in found] == [
        "a_model_name_2", "a_model_version", "a_model_sha256",
        "b_model_name", "b_model_version", "b_model_sha256", "run_id_2", "scored_at",
    ]  # fmt: skip
    (long,) = columns([Lineage.VERSION], ["ä" * 40 + "_"], taken=[], product=MYSQL)
    assert long.name == "ä" * 32


def test_what_is_no_lineage():
    with pytest.raises(SqlscoreError, match=r"has no 'vers'. Did you mean 'version'\?"):
        Lineage.of(["vers"])
    assert Lineage.of(None) == Lineage.of(False) == Lineage.of(()) == ()
