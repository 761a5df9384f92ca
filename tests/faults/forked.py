"""A process that scores, forks, and scores in both; run by `test_fork.py`."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from contextlib import nullcontext

import pyarrow as pa
import pytest

import sqlscore
from sqlscore.errors import DatabaseError

warnings.simplefilter("error")
ROWS = pa.table({"age": [1.0, 2.0, None], "spend": [0.5, 0.25, 1.0]})


def main(url: str, *, shared: bool) -> int:
    database = sqlscore.connect(url)
    database.score("churn", source="customers", target="before")
    model = database.models["churn"]
    expected = model.predict(ROWS)
    child = os.fork()
    if not child:
        os._exit(_child(database, model, expected, shared=shared))
    for target in ("parent", "parent_too"):
        database.score("churn", source="customers", target=target)
    assert model.predict(ROWS) == expected
    _, status = os.waitpid(child, 0)
    database.score("churn", source="customers", target="after")
    database.close()
    return os.waitstatus_to_exitcode(status)


def _child(
    database: sqlscore.Database, model: sqlscore.Model, expected: pa.Table, *, shared: bool
) -> int:
    try:
        assert model.predict(ROWS) == expected
        refused = nullcontext() if shared else pytest.raises(DatabaseError, match="before the proc")
        with refused:
            database.score("churn", source="customers", target="child")
    except BaseException:  # noqa: BLE001 - the child must end here whatever happens
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], shared=sys.argv[2] == "shared"))
