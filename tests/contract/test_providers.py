"""Providers of runs: measured and kept with the version, told with the run, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime
import pyarrow as pa
import pytest

import sqlscore
from sqlscore.errors import ProviderError
from sqlscore.session import PROVIDERS
from tests.contract import tables
from tests.fixtures import models
from tests.fixtures.providers import NONE, TWIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

ROWS = 50


@pytest.fixture
def db(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlscore.Database]:
    """A database with a model, a table of rows, and a provider ``twin`` that is the CPU."""
    values = models.columns(ROWS, 4)
    types: dict[str, pa.DataType | str] = {"id": pa.int64()}
    target = tables.create(database, "people", {**types, **dict.fromkeys("abcd", pa.float64())})
    columns = {name: pa.array(values[:, i]) for i, name in enumerate("abcd")}
    tables.write(database, target, {"id": pa.array(range(ROWS)), **columns})
    monkeypatch.setitem(PROVIDERS, "twin", TWIN)
    with sqlscore.connect(database.engine) as opened:
        opened.models.add("net", models.mlp(), features=list("abcd"))
        yield opened


def score(db: sqlscore.Database, **options: Any) -> sqlscore.Run:
    return db.score("net", source="people", target="scored", key="id", **options)


def test_what_was_measured_is_kept_and_told(db: sqlscore.Database):
    measured = db.models.measures("net:1")["twin"]
    assert (measured.refused, measured.difference) == (None, 0.0)
    run = score(db, provider="twin")
    assert run.providers == (f"net:1 on twin (twin asked for): {measured}",)
    assert db.run(run.id).providers == run.providers
    assert score(db).providers == ()


def test_other_options_are_measured_before_the_run(db: sqlscore.Database):
    run = score(db, provider="twin", provider_options={"unknown": "1"})
    assert run.rows == ROWS
    assert db.models.measures("net")["twin"].options == {"unknown": "1"}


def test_what_was_measured_goes_with_its_version(db: sqlscore.Database):
    version = db.models.version("net:1")
    db.models.remove("net:1")
    assert db.models._registry.measures(version) == {}


def test_a_provider_that_refuses_the_model_ends_the_run(
    db: sqlscore.Database, monkeypatch: pytest.MonkeyPatch
):
    if NONE.name not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime comes without {NONE.name}")
    monkeypatch.setitem(PROVIDERS, "none", NONE)
    monkeypatch.delitem(PROVIDERS, "twin")
    with pytest.raises(ProviderError, match=r"model net:1: \w+ refuses the model: it has none"):
        score(db, provider="none")
    run = score(db, provider="auto")
    assert run.providers == ("net:1 on cpu (auto asked for): none refuses the model",)
    assert run.rows == ROWS
    with pytest.raises(ProviderError, match="the options device_id belong to a provider"):
        score(db, provider="auto", provider_options={"device_id": "1"})
