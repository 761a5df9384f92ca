"""Kill -9, at any moment: started again, the target ends as if nothing had happened."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sqlscore.jobs.status import Status
from tests.faults import killed
from tests.fixtures.scoring import FEATURES, NEWER, WEIGHED, Shop, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 1500, 3)

#: where a run is killed: the function, and whether before or after it, by its phase
MOMENTS: dict[str, tuple[str, str, int]] = {
    "leased": ("sqlscore.jobs.lease:acquire", "leave", 0),
    "begun": ("sqlscore.jobs.records:Records.begin", "leave", 0),
    "proving": ("sqlscore.relations.keys:prove_key", "enter", 0),
    "making": ("sqlscore.relations.sink:make", "leave", 0),
    "made": ("sqlscore.jobs.planning:_make", "leave", 0),
    "storing": ("sqlscore.jobs.records:Records.store_ranges", "leave", 0),
    "planned": ("sqlscore.jobs.planning:_cut", "leave", 0),
    "reading": ("sqlscore.relations.source:read", "enter", 3),
    "scoring": ("sqlscore.jobs.scorer:Scorer.__call__", "leave", 4),
    "checking": ("sqlscore.jobs.lease:Lease.check", "leave", 6),
    "writing": ("sqlscore.jobs.scoring:Writer.__call__", "enter", 2),
    "marking": ("sqlscore.jobs.records:Records.mark", "enter", 4),
    "marked": ("sqlscore.jobs.records:Records.mark", "leave", 4),
    "committing": ("sqlscore.transports.dbapi:Transaction.commit", "enter", 8),
    "committed": ("sqlscore.jobs.scoring:Writer.__call__", "leave", 5),
    "finishing": ("sqlscore.jobs.run:finish", "enter", 0),
    "cleaning": ("sqlscore.jobs.staging:drop", "enter", 0),
    "cleaned": ("sqlscore.jobs.staging:drop", "leave", 0),
    "ending": ("sqlscore.jobs.records:Records.done", "leave", 0),
    "done": ("sqlscore.jobs.run:finish", "leave", 0),
}
STAGING = {
    "filling": ("sqlscore.jobs.staging:fill", "enter", 0),
    "filled": ("sqlscore.jobs.staging:fill", "leave", 0),
    "indexed": ("sqlscore.jobs.staging:index", "leave", 0),
}
REPLACING = {
    "placing": ("sqlscore.jobs.finish:_take_place", "enter", 0),
    "swapping": ("sqlscore.jobs.finish:_swap", "enter", 0),
    "refilling": ("sqlscore.relations.refilling:refill", "leave", 0),
    "placed": ("sqlscore.jobs.finish:_take_place", "leave", 0),
}
SLICING = {
    "refilled": ("sqlscore.relations.refilling:refill", "leave", 0),
    "placed": ("sqlscore.jobs.finish:_take_place", "leave", 0),
}
MIRRORING = {
    "removing": ("sqlscore.jobs.mirroring:remove", "enter", 0),
    "removed": ("sqlscore.jobs.mirroring:remove", "leave", 0),
    "synchronised": ("sqlscore.jobs.run:finish", "enter", 0),
}
QUARANTINING = {
    "found": ("sqlscore.jobs.scorer:Scorer._bad", "leave", 2),
    "let": ("sqlscore.jobs.gate:Gate.let", "leave", 4),
    "keeping": ("sqlscore.jobs.quarantine:Quarantine.keep", "enter", 4),
    "kept": ("sqlscore.jobs.quarantine:Quarantine.keep", "leave", 1),
    "marked": ("sqlscore.jobs.records:Records.mark", "leave", 2),
    "committed": ("sqlscore.jobs.scoring:Writer.__call__", "leave", 1),
}
PUSHING = {
    "pushing": ("sqlscore.jobs.pushing:Pusher.__call__", "enter", 2),
    "counted": ("sqlscore.jobs.pushed:Pushed.counts", "leave", 3),
    "filled": ("sqlscore.jobs.pushed:Pushed.rows", "leave", 4),
    "marked": ("sqlscore.jobs.records:Records.mark", "leave", 4),
    "committing": ("sqlscore.transports.dbapi:Transaction.commit", "enter", 8),
    "committed": ("sqlscore.jobs.pushing:Pusher.__call__", "leave", 5),
}
SWAPS = {
    "postgres": "sqlscore.products.postgres.swap:_run",
    "mariadb": "sqlscore.products.mysql.swap:_run",
}


def moment(place: str, when: str, passes: int) -> dict[str, Any]:
    return {"place": place, "when": when, "passes": passes, "how": "SIGKILL"}


def whole(shop: Shop, model: bytes = WEIGHED, *, bound: float = 0.0) -> None:
    """The target holds every key once with the right prediction, and nothing is left behind."""
    found, wanted = shop.found(), expected(IDS, model)
    assert found.keys() == wanted.keys()
    assert max(abs(found[key] - wanted[key]) for key in wanted) <= bound
    run = shop.scoring.runs()[0]
    assert (run.status, run.rows, run.ranges_done) == (Status.DONE, 500, 10)
    assert run.counts.rows == 500
    inspector = sa.inspect(shop.database.engine)
    names = set(inspector.get_table_names())
    if shop.database.product.schemas:
        names |= set(inspector.get_table_names("sqlscore"))
    assert not [name for name in names if "stag" in name]


def killed_at(shop: Shop, chosen: tuple[str, str, int], **job: Any) -> None:
    code, said = killed.ended(killed.started(shop, moment(*chosen), **job))
    assert code in (-9, 0), said


def some(names: list[str], database: Database, number: int) -> list[str]:
    """A few of the moments, others on each database."""
    return random.Random(database.name).sample(names, number)


def test_an_upsert_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    for name in some(list(MOMENTS), database, 4):
        killed_at(shop, MOMENTS[name])
    killed.done(shop)
    whole(shop)


def test_a_replace_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    shop.score(mode="replace")
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    for name in ("writing", "cleaned"):
        killed_at(shop, MOMENTS[name], mode="replace")
        old_or_new = shop.found()
        assert old_or_new in (expected(IDS), expected(IDS, NEWER))
    for name in ("swapping", "placed"):
        killed_at(shop, REPLACING[name], mode="replace")
        assert shop.found() in (expected(IDS), expected(IDS, NEWER))
    killed.done(shop, mode="replace")
    whole(shop, NEWER)


def test_a_run_with_quarantine_is_killed_and_started_again(database: Database):
    """Each bad row is kept once, and counted once."""
    shop = Shop.on(database, rows=500)
    begun(shop, "quarantine")
    chosen = {**KINDS["quarantine"], "max_bad": len(BAD)}
    for name in some(list(QUARANTINING), database, 2):
        killed_at(shop, QUARANTINING[name], **chosen)
    killed.done(shop, **chosen)
    set_aside(shop)


def test_a_pushed_run_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    if shop.scoring.product.fill is None:
        pytest.skip("rows are written from batches alone there")
    for name in some(list(PUSHING), database, 3):
        killed_at(shop, PUSHING[name], route="push-down")
    killed.done(shop, route="push-down")
    ended(shop, "push-down")


def test_a_slice_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    begun(shop, "slice")
    part = KINDS["slice"]
    for chosen in (MOMENTS["marked"], SLICING[some(list(SLICING), database, 1)[0]]):
        killed_at(shop, chosen, **part)
        assert shop.found() in (expected(IDS), REFILLED)
    killed.done(shop, **part)
    ended(shop, "slice")


def test_a_sync_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    shop.score()
    shop.run("DELETE FROM customers WHERE id < 300")
    chosen = MIRRORING[some(list(MIRRORING), database, 1)[0]]
    killed_at(shop, chosen, sync=True)
    killed.done(shop, sync=True)
    assert shop.found() == expected(range(300, 1500, 3))
    run, *_ = shop.scoring.runs()
    assert (run.status, run.rows, run.removed) == (Status.DONE, 400, 100)


@pytest.mark.parametrize("statement", [0, 1, 2, 3, 4, 5, 6, 7])
@pytest.mark.soak
def test_a_swap_is_killed_after_each_of_its_statements(database: Database, statement: int):
    swapped_when_killed(database, statement)


@pytest.mark.parametrize("statement", [1, 2, 3])
def test_a_swap_that_commits_by_itself_is_killed(mariadb: Database, statement: int):
    swapped_when_killed(mariadb, statement)


def swapped_when_killed(database: Database, statement: int) -> None:
    shop = Shop.on(database, rows=500)
    shop.score(mode="replace")
    shop.run("CREATE INDEX by_score ON predictions (score)")
    shop.scoring.models.add("churn", NEWER, features=FEATURES)
    place = SWAPS.get(database.name, "sqlscore.transports.dbapi:Transaction.execute")
    passes = statement if database.name in SWAPS else 40 + statement
    killed_at(shop, (place, "leave", passes), mode="replace")
    assert shop.found() in (expected(IDS), expected(IDS, NEWER))
    killed.done(shop, mode="replace")
    whole(shop, NEWER)


def test_a_staged_select_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    job = KINDS["staged"]
    for name in ("filling", "indexed"):
        killed_at(shop, STAGING[name], **job)
    for name in ("marking", "cleaning"):
        killed_at(shop, MOMENTS[name], **job)
    killed.done(shop, **job)
    whole(shop)


def test_an_append_is_killed_and_started_again(database: Database):
    shop = Shop.on(database, rows=500)
    for name in ("marked", "committed"):
        killed_at(shop, MOMENTS[name], mode="append")
    killed.done(shop, mode="append")
    whole(shop)


#: ids that can never be scored, and ids of predictions whose customer is gone
BAD, GONE = (0, 3, 150, 600, 603, 1497), (1, 2, 301, 1498)
SOAK_KILLS = 32  #: of each kind on each database, at random moments: 768 on four
KINDS: dict[str, dict[str, Any]] = {
    "upsert": {},
    "replace": {"mode": "replace"},
    "quarantine": {"nulls": {"age": "error"}, "quarantine": True},
    "sync": {"sync": True},
    "staged": {"source": "SELECT DISTINCT id, age, spend FROM customers", "key": "id"},
    "slice": {"mode": "replace", "where": "id >= 900"},
    "joined": {
        "source": "SELECT c.id, c.age, d.spend FROM customers c "
        "LEFT JOIN customers d ON d.id = c.id",
        "key": "id",
    },
    "push-down": {"route": "push-down"},
}
#: the target after the slice, which another model scores, was refilled
REFILLED = {**expected(IDS), **expected(range(900, 1500, 3), NEWER)}


def begun(shop: Shop, kind: str) -> None:
    """What a job of a kind finds."""
    if kind == "quarantine":
        shop.run(f"UPDATE customers SET age = NULL WHERE id IN {BAD}")
    if kind == "slice":
        shop.score(mode="replace")
        shop.scoring.models.add("churn", NEWER, features=FEATURES)


def ended(shop: Shop, kind: str) -> None:
    """What a job of a kind leaves, however often it was killed."""
    if kind == "quarantine":
        set_aside(shop)
    elif kind == "slice":
        assert shop.found() == REFILLED
        assert shop.scoring.runs()[0].rows == 200
    elif kind == "push-down":
        whole(shop, bound=1e-6)
        assert shop.scoring.runs()[0].route == kind
    else:
        whole(shop)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["upsert", "replace", "quarantine", "sync", "joined", "push-down"])
def test_killed_at_random_moments(database: Database, kind: str):
    """Runs that are killed at moments spread over all of their work, and then finished."""
    draw, job = random.Random(f"{database.name} {kind}"), KINDS[kind]
    shop = Shop.on(database, rows=500)
    begun(shop, kind)
    start, end = killed.time_of(shop, **job)
    kills = 0
    while kills < SOAK_KILLS:
        if kind == "sync":
            rows = ", ".join(f"({i}, 0.5)" for i in GONE)
            shop.run(f"INSERT INTO predictions (id, score) VALUES {rows}")
        for seconds in killed.moments(draw, start * 0.8, end, 4):
            kills += killed.killed_after(shop, seconds, **job)
        killed.done(shop, **job)
        ended(shop, kind)


def set_aside(shop: Shop) -> None:
    """The bad rows are in the last run's quarantine, each once, and the others scored."""
    run, *_ = shop.scoring.runs()
    assert (run.status, run.rows, run.quarantined) == (Status.DONE, 500 - len(BAD), len(BAD))
    assert run.counts.rows == run.rows
    assert [row.key["id"] for row in shop.scoring.quarantine(run.id)] == list(BAD)
    assert shop.found() == expected([i for i in IDS if i not in BAD])


STEPS = {
    "upsert": MOMENTS,
    "staged": STAGING,
    "replace": REPLACING,
    "sync": MIRRORING,
    "slice": SLICING,
    "quarantine": QUARANTINING,
    "push-down": PUSHING,
}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "step"), [(k, step) for k, steps in STEPS.items() for step in steps]
)
def test_killed_at_each_step(database: Database, kind: str, step: str):
    shop = Shop.on(database, rows=500)
    begun(shop, kind)
    if step == "refilling":
        shop.score(mode="replace")
        shop.run("CREATE VIEW seen AS SELECT id FROM predictions")
    killed_at(shop, STEPS[kind][step], **KINDS[kind])
    killed.done(shop, **KINDS[kind])
    ended(shop, kind)
