"""Models as people train them, compiled, on hard rows of every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import sqlscore
from sqlscore.errors import SqlscoreError
from sqlscore.types import is_list
from tests.pushdown import trained
from tests.pushdown.judge import DATABASE_ERRORS, Rows, thresholds

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

NAMES = ["a", "b", "c"]
NULLS = [(3, "a"), (4, "b"), (5, "c")]
#: of sums of a few hundred, whose terms ONNX Runtime adds in an order of its own
RELATIVE, ABSOLUTE = 2e-6, 5e-6
LOOSE = {
    "k-means": 1e-4,  # the root of what is left of large squares
    # a hundred float32 kernels, times up to 10, or to the third power
    "support vectors": 1e-4,
    "support vectors, polynomial": 2e-3,
    "support vectors, regression": 1e-4,
}
MOST = 700  #: hard values of one feature


def _rows(database: Database) -> Rows:
    """The rows that the models were trained on, then rows around their thresholds."""
    x = trained.rows()[0].astype(np.float64)
    hard: list[list[np.ndarray]] = [[], [], []]
    for model in trained.models().values():
        for feature, values in enumerate(thresholds(model)):
            hard[feature].append(values)
    draw = np.random.default_rng(5)
    blocks = [x]
    for feature, found in enumerate(hard):
        some = draw.permutation(np.unique(np.concatenate(found)))[:MOST]
        blocks.append(x[draw.integers(0, len(x), len(some))])
        blocks[-1][:, feature] = some
    columns = dict(zip(NAMES, np.concatenate(blocks).T.tolist(), strict=True))
    return Rows.store(database, columns, nulls=NULLS)


def _options(model: bytes, database: Database) -> dict[str, Any]:
    """The features' names; a name for each score of a list, on products without arrays."""
    predictions = sqlscore.load(model, features=NAMES).signature.predictions
    lists = [p for p in predictions if is_list(p.type)]
    if database.product.arrays or not lists:
        return {"features": NAMES}
    return {"features": NAMES, "outputs": {"score": f"{lists[0].output}[0]"}}


def _wrong(rows: Rows, model: bytes, absolute: float) -> str | None:
    try:
        answers = rows.ask(model, **_options(model, rows.database))
        answers.assert_close(RELATIVE, absolute)
    except (AssertionError, SqlscoreError, *DATABASE_ERRORS) as error:
        return f"{error!r:.400}"
    return None


def test_trained_models_give_what_onnx_runtime_gives(database: Database) -> None:
    rows = _rows(database)
    found = {
        name: _wrong(rows, model, LOOSE.get(name, ABSOLUTE))
        for name, model in trained.models().items()
    }
    wrong = [f"{name}: {why}" for name, why in found.items() if why]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(found)}", *wrong])
