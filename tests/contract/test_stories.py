"""The scripts of examples/sql as they stand, on every database, judged by ONNX Runtime."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

import sqlscore
from tests.fixtures.scoring import Shop

if TYPE_CHECKING:
    from types import ModuleType

    from sqlscore.statements.results import Result
    from tests.fixtures.databases import Database

pytest.importorskip("sklearn")
pytest.importorskip("skl2onnx")

FOLDER = Path(__file__, "../../../examples/sql").resolve()


@pytest.fixture(scope="module")
def models() -> ModuleType:
    """The module that trains the models, by its path: examples are no package."""
    spec = importlib.util.spec_from_file_location("prepare", FOLDER / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(model: bytes, *rows: Any) -> list[np.ndarray]:
    """What ONNX Runtime gives for rows: a block, or a column for each input."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    x = np.array(rows, np.float32)
    given = {names[0]: x}
    if len(names) > 1:
        given = {name: x[:, i : i + 1] for i, name in enumerate(names)}
    found: list[np.ndarray] = session.run(None, given)
    return found


def rows_of(result: Result) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result]


def close(found: Any, wanted: Any) -> bool:
    return bool(found == pytest.approx(wanted, rel=1e-6, abs=1e-6))


def test_every_story_runs_as_it_stands(database: Database, models: ModuleType):
    shop = Shop(database=database, scoring=sqlscore.connect(database.engine))
    models.prepare(shop.scoring)
    for script in sorted(FOLDER.glob("*.sql")):
        JUDGES[script.stem](shop, shop.scoring.sql(script.read_text()), models)
    for dialect in DIALECTS:
        scripts = sorted((FOLDER / dialect).glob("*.sql"))
        assert {script.stem for script in scripts} == set(DIALECTS[dialect])
        for script in scripts:
            done = shop.scoring.sql(script.read_text(), dialect=dialect)
            DIALECTS[dialect][script.stem](shop, done, models)


def iris(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT petal_length, petal_width FROM flowers ORDER BY id")
    labels, scores = asked(models.iris(), *x)
    found = rows_of(done)
    assert [row[2] for row in found] == list(labels)
    assert close([row[3] for row in found], scores[:, 0].tolist())


def housing(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT rm, age, dis, asked FROM homes WHERE rm IS NOT NULL ORDER BY home_id")
    prices = asked(models.housing(), *(row[:3] for row in x))[0][:, 0]
    *found, last = rows_of(done)
    assert last[:2] == (6, None)
    assert close([row[1] for row in found], prices.tolist())
    assert close([row[2] for row in found], [p - row[3] for p, row in zip(prices, x, strict=True)])


def loans(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT amount, income, months_late FROM loan_applications ORDER BY id")
    risks = asked(models.loans(), *x)[1][:, 1]
    assert done.messages == ("7 applications scored",)
    wanted = sorted((-risk, id) for id, risk in enumerate(risks.tolist(), 1) if risk >= 0.5)
    found = rows_of(done)
    assert [row[0] for row in found] == [id for _, id in wanted]
    assert close([row[1] for row in found], [-risk for risk, _ in wanted])


def taxi_tips(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask(
        "SELECT passengers, distance_km, minutes FROM trips WHERE distance_km >= 0.25"
        " ORDER BY trip_id"
    )
    labels, scores = asked(models.tips(), *x)
    (one,) = rows_of(done.earlier[-1])
    assert close(one, asked(models.tips(), (0.2, 0.6, 0.6))[1][:, 1].tolist())
    found = rows_of(done)
    assert [row[1] for row in found] == labels.tolist()
    assert close([row[2] for row in found], scores[:, 1].tolist())


def credit_card(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT amount, hour_of_day, km_from_home FROM payments ORDER BY payment")
    risks = dict(enumerate(asked(models.cards(), *x)[1][:, 1].tolist(), 1))
    wanted = {id: risk for id, risk in risks.items() if id == 3 or (id >= 2 and risk > 0.5)}
    found = dict(rows_of(done))
    assert list(found) == list(wanted)
    assert close(list(found.values()), list(wanted.values()))
    assert done.messages == ("there are payments to look at",)


def demand(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT weekday, month_of_year, temperature FROM opening_days ORDER BY day_id")
    pairs = asked(models.rentals(), *x)[0][:, 0]
    early = np.array([row[1] < 0.4 for row in x])
    found = rows_of(done)
    assert [row[:2] for row in found] == [("early", early.sum()), ("late", (~early).sum())]
    assert close([row[2] for row in found], [pairs[early].sum(), pairs[~early].sum()])


JUDGES = {
    "iris": iris, "housing": housing, "loans": loans, "taxi_tips": taxi_tips,
    "credit_card": credit_card, "demand": demand,
}  # fmt: skip


def loans_by_threshold(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT amount, income, months_late FROM applications ORDER BY application_id")
    risks = asked(models.loans(), *x)[1][:, 1]
    assert rows_of(done) == [
        (label, len(chosen), pytest.approx(chosen.mean(), rel=1e-6))
        for label, chosen in ((0, risks[risks <= 0.4]), (1, risks[risks > 0.4]))
    ]


def demand_by_view(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT weekday, month_of_year, temperature FROM ski_days ORDER BY day_id")
    pairs = asked(models.rentals(), *x)[0][:, 0]
    early = np.array([row[1] < 0.4 for row in x])
    found = rows_of(done)
    assert [row[:2] for row in found] == [("early", early.sum()), ("late", (~early).sum())]
    assert close([row[2] for row in found], [pairs[early].sum(), pairs[~early].sum()])


def cards_watched(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT amount, hour_of_day, km_from_home FROM card_payments ORDER BY payment")
    risks = dict(enumerate(asked(models.cards(), *x)[1][:, 1].tolist(), 1))
    found = dict(rows_of(done))
    wanted = {id: risk for id, risk in risks.items() if id == 2 or risk > 0.5}
    assert list(found) == list(wanted)
    assert close(list(found.values()), list(wanted.values()))


def likely_tips(shop: Shop, done: Result, models: ModuleType) -> None:
    x = shop.ask("SELECT passengers, metres / 1000.0, minutes FROM taxi_trips ORDER BY trip_id")
    labels, scores = asked(models.tips(), *x)
    risks = {id: risk for id, risk in enumerate(scores[:, 1].tolist(), 1) if risk > 0.1}
    wanted = sorted(risks, key=lambda id: (-risks[id], id))[:3]
    found = rows_of(done)
    assert [row[:2] for row in found] == [(id, labels[id - 1]) for id in wanted]
    assert close([row[2] for row in found], [risks[id] for id in wanted])


#: dialect, script -> who judges it
DIALECTS = {
    "bigquery": {"loans": loans_by_threshold, "demand": demand_by_view},
    "oracle": {"cards": cards_watched, "tips": likely_tips},
}


def test_scripts_say_in_a_line_what_they_tell():
    for script in FOLDER.rglob("*.sql"):
        assert re.match(r"-- [A-Z].*\.$", script.read_text().splitlines()[0]), script.name
