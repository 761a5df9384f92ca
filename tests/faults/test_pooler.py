"""A run whose connections go through PgBouncer in transaction mode, killed and resumed."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.jobs.status import Status
from sqlscore.products import engine_for
from sqlscore.transports.dbapi import fall_back
from tests.faults import killed
from tests.fixtures.pooler import pooler
from tests.fixtures.scoring import Shop, expected
from tests.fixtures.servers import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Database

IDS = range(0, 1500, 3)


@pytest.fixture
def pooled(postgres: Database) -> Iterator[Database]:
    """The database as it is reached through the pooler."""
    assert postgres.server is not None
    name = postgres.engine.url.database
    postgres.server.run(
        f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'",
        f"ALTER DATABASE {name} SET extra_float_digits = 0",
    )
    try:
        with pooler(postgres.server) as port:
            url = sa.make_url(postgres.url).set(port=port)
            engine = engine_for(url)
            text = url.render_as_string(hide_password=False)
            yield dataclasses.replace(postgres, url=text, engine=engine)
            engine.dispose()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("mode", ["upsert", pytest.param("replace", marks=pytest.mark.soak)])
def test_a_run_through_a_pooler_is_killed_and_resumed(pooled: Database, mode: str):
    shop = Shop.on(pooled, rows=500)
    moment = {"place": "sqlscore.jobs.records:Records.mark", "when": "leave", "passes": 4}
    code, said = killed.ended(killed.started(shop, {**moment, "how": "SIGKILL"}, mode=mode))
    assert code == -9, said
    assert killed.done(shop, mode=mode)["resumed"]
    assert shop.found() == expected(IDS)
    run = shop.scoring.runs()[0]
    assert (run.status, run.counts.rows) == (Status.DONE, 500)


#: the arguments of an engine that a user makes; None: an engine of ours
ENGINES: dict[str, dict[str, Any] | None] = {
    "ours": None, "a user's": {}, "one that commits by itself": {"isolation_level": "AUTOCOMMIT"},
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_right_through_a_pooler(
    pooled: Database, engine: str, caplog: Any, request: pytest.FixtureRequest
):
    """What a client asks for when it connects does not arrive there."""
    shop = Shop.on(pooled, rows=3)
    chosen = ENGINES[engine]
    if chosen is not None:
        own = sa.create_engine(pooled.url, connect_args={"prepare_threshold": None}, **chosen)
        shop = dataclasses.replace(shop, scoring=sqlscore.connect(own))
        request.addfinalizer(own.dispose)
    shop.run(
        "CREATE TABLE visits AS SELECT id, age, spend, 0.1::float8 + 0.2 AS third, "
        "timestamptz '2026-11-25 12:00:00+00' AS seen FROM customers",
        "ALTER TABLE visits ADD PRIMARY KEY (id)",
    )
    fall_back.cache_clear()  # it tells each thing once
    with caplog.at_level("WARNING"):
        shop.score(source="visits", target="t", columns=["seen", "third"])
    assert "options do not arrive" in caplog.text
    query = "SELECT DISTINCT (seen AT TIME ZONE 'UTC')::text, third = 0.1::float8 + 0.2 FROM t"
    assert shop.ask(query) == [("2026-11-25 12:00:00", True)]


def test_clients_may_change_server_connections(pooled: Database):
    """No statement is left prepared on one that another client has next."""
    query, draw = sa.text("SELECT pg_backend_pid(), CAST(:i AS integer)"), random.Random(0)
    pids = set()
    with pooled.engine.connect() as one, pooled.engine.connect() as other:
        for i in range(30):
            for connection in draw.sample([one, other], 2):
                pid, found = connection.execute(query, {"i": i}).one()
                assert found == i
                pids.add((connection is one, pid))
            for connection in draw.sample([one, other], 2):
                connection.commit()
    assert len(pids) > 2
