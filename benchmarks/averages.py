"""The average of a score by a statement, whose predictions are in the database for that.

By itself, so that rows stream through the model into one temporary table; and in a transaction of
the caller's, where rows are copied inside the database and predictions written beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlscore

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measures import Asked, Meter

ALONE, WITHIN = "average", "average, in a transaction"


def averages(asked: Asked, meter: Meter) -> None:
    """Both, over all rows of the model's table."""
    model = asked.model
    with sqlscore.connect(asked.url) as database:
        score = database.models[model.name].signature.predictions[-1].name
        predict = f"PREDICT(MODEL = {model.name}, DATA = {model.source} AS d) AS p"
        text = f"SELECT COUNT(*) AS n, AVG(p.[{score}]) AS mean FROM {predict}"
        list(database.sql(f"SELECT TOP 10 p.[{score}] AS s FROM {predict}"))  # imports, connections
        with meter.measure(ALONE) as found:
            ((found.rows, _),) = database.sql(text, route="bridge")
        with database.begin(), meter.measure(WITHIN) as found:
            ((found.rows, _),) = database.sql(text, route="bridge")


MEASURES: dict[str, Callable[[Asked, Meter], None]] = {"averages": averages}
