"""Ten million rows: each is scored once and rightly, in memory that does not grow with them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from benchmarks.processes import peak_bytes, tree
from tests.contract import tables
from tests.faults.killed import CHILD, ROOT
from tests.fixtures.scoring import WEIGHED, Shop, asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

ROWS, AT_ONCE = 10_000_000, 65_536
#: how far the peak may grow after the first quarter: less than 5 bytes a row that were kept
GROWTH = 1.1
#: DuckDB lives in the process, and takes most of the machine's memory for its cache unless told.
#: Of those it may take a part only after the first quarter
CACHE_MB = {"duckdb": 300}
#: who fills the table by itself: what gives the numbers from 0
NUMBERS = {
    "postgres": "generate_series(CAST(0 AS bigint), {last}) AS numbers (n)",
    "duckdb": "range({rows}) AS numbers (n)",
}


def peaks(shop: Shop) -> Iterator[tuple[int, int]]:
    """Score all rows in a process of its own: after each range the rows, and the peak of memory."""
    url = sa.make_url(shop.database.url)
    if cache := CACHE_MB.get(shop.database.name):
        url = url.update_query_dict({"memory_limit": f"{cache}MB"})
    job = {"models": "churn", "source": "many", "target": "predictions"}
    order = {"url": url.render_as_string(hide_password=False), "telling": True, "job": job}
    shop.database.engine.dispose()
    child = subprocess.Popen(
        [sys.executable, str(CHILD), json.dumps(order)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("{"):
                break
            yield int(line), sum(map(peak_bytes, tree(child.pid)))
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0


def fill(shop: Shop) -> None:
    """The features are numbers that both double and float hold."""
    shop.create("many", columns={"id": pa.int64(), "age": pa.float64(), "spend": pa.float64()})
    numbers = NUMBERS[shop.database.name].format(rows=ROWS, last=ROWS - 1)
    shop.run(f"INSERT INTO many SELECT n, mod(n, 1009) / 8.0, mod(n, 613) / 16.0 FROM {numbers}")


def wanted() -> np.ndarray:
    """ONNX Runtime's predictions of all rows."""
    found = []
    for first in range(0, ROWS, AT_ONCE):
        n = np.arange(first, min(first + AT_ONCE, ROWS))
        found.append(asked(WEIGHED, np.stack([n % 1009 / 8, n % 613 / 16], axis=1))[:, 0])
    return np.concatenate(found)


@pytest.mark.soak
def test_ten_million_rows_take_no_more_memory_than_a_quarter_of_them(
    database: Database, capsys: pytest.CaptureFixture[str]
):
    """Nor more than with the first range, where all that DuckDB may cache came only later."""
    if database.name not in NUMBERS:
        pytest.skip("PostgreSQL and DuckDB are enough to show it")
    shop = Shop.on(database, rows=1)
    fill(shop)
    found = list(peaks(shop))
    first = found[0][1]
    quarter = next(peak for rows, peak in found if rows >= ROWS / 4)
    rows, end = found[-1]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{database.name}: peak memory {first / 1e6:,.0f} MB after the first range, "
            f"{quarter / 1e6:,.0f} MB after a quarter of {rows:,} rows, "
            f"{end / 1e6:,.0f} MB at the end\n"
        )
    assert rows == ROWS
    scores = tables.read(database, shop.target(), {"id": pa.int64(), "score": pa.float32()})
    assert np.array_equal(scores["id"].to_numpy(), np.arange(ROWS))
    assert np.array_equal(scores["score"].to_numpy(), wanted())
    cache = CACHE_MB.get(database.name, 0) * 10**6
    assert end <= GROWTH * max(quarter, first + cache)
