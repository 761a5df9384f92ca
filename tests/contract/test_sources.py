"""What can be scored: tables, views, SELECTs; keys of every kind; names that callers chose."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

import sqlscore
from sqlscore.errors import DatabaseError
from sqlscore.jobs import staging
from sqlscore.relations import cutting, joins
from tests.fixtures import models
from tests.fixtures.scoring import (
    COLUMNS,
    FEATURES,
    WEIGHED,
    Shop,
    asked,
    customers,
    expected,
    features,
    small_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.jobs.run import Progress
    from tests.fixtures.databases import Database

IDS = range(0, 120, 3)


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    small_ranges(monkeypatch, rows=7, batch=3)
    return Shop.on(database, rows=40)


@pytest.fixture
def empty(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Without customers, and with ranges of one row, so that each key is a bound."""
    small_ranges(monkeypatch, rows=1, batch=1)
    shop = Shop(database=database, scoring=sqlscore.connect(database.engine))
    shop.scoring.models.add("churn", WEIGHED, features=FEATURES)
    return shop


def staged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that are evaluated into a staging table from now on."""
    fill, seen = staging.fill, []

    def noted(work: Any, name: str, source: Any, *given: Any) -> None:
        seen.append(source.name)
        fill(work, name, source, *given)

    monkeypatch.setattr(staging, "fill", noted)
    return seen


def test_a_view(shop: Shop):
    shop.run("CREATE VIEW grown AS SELECT id, age, spend FROM customers WHERE id >= 30")
    run = shop.score(source="grown", key="id")
    assert (run.rows, run.ranges) == (30, 5)
    assert shop.found() == expected(range(30, 120, 3))


REPEATABLE = (
    "SELECT id, age, spend FROM customers",
    "select * from customers;",
    "SELECT c.* FROM customers c WHERE c.id >= 0 -- all of them",
    "SELECT id, age, spend FROM customers WHERE city IN ('Bern', 'Genève', 'Łódź', 'São Paulo')",
    "/* in parentheses */\n(SELECT id, CAST(age AS DOUBLE PRECISION) AS age, spend FROM customers)",
)
STAGED = (
    "SELECT DISTINCT id, age, spend FROM customers",
    "WITH c AS (SELECT * FROM customers) SELECT id, age, spend FROM c",
    "SELECT a.id + 0 AS id, a.age, b.spend FROM customers a JOIN customers b ON a.id = b.id",
    "SELECT id, age, spend FROM customers ORDER BY id LIMIT 40",
    "SELECT id, MAX(age) AS age, MIN(spend) AS spend FROM customers GROUP BY id",
    "SELECT id, age, spend FROM customers WHERE city <> '12:30' UNION ALL "
    "SELECT id, age, spend FROM customers WHERE city = ':x %s %'",
)


@pytest.mark.parametrize("source", REPEATABLE)
def test_a_select_that_gives_the_same_rows_again_is_not_staged(
    shop: Shop, source: str, monkeypatch: pytest.MonkeyPatch
):
    if shop.database.name == "mariadb":
        source = source.replace("DOUBLE PRECISION", "DOUBLE")
    seen = staged(monkeypatch)
    assert shop.score(source=source, key="id").rows == 40
    assert shop.found() == expected(IDS)
    assert seen == []


@pytest.mark.parametrize("source", STAGED)
def test_any_other_select_is_evaluated_once(
    shop: Shop, source: str, monkeypatch: pytest.MonkeyPatch
):
    seen = staged(monkeypatch)
    assert shop.score(source=source, key="id").rows == 40
    assert shop.found() == expected(IDS)
    assert seen == [source]
    names = sa.inspect(shop.database.engine).get_table_names()
    assert not [name for name in names if "staging" in name]


#: each customer with the one row of its town, or with itself
JOINS = (
    "SELECT a.id, a.age, b.spend FROM customers a JOIN customers b ON a.id = b.id",
    "SELECT id, a.age, b.spend FROM customers a LEFT JOIN customers b USING (id) WHERE a.id < 999",
    "SELECT c.*, t.TAX FROM customers c LEFT OUTER JOIN towns t ON (c.CITY = t.name)",
    "SELECT c.id, age, spend FROM towns t JOIN customers c ON t.name = c.city WHERE tax < 9",
    "SELECT c.id, c.age, d.spend FROM towns t, customers c, customers d "
    "WHERE t.name = c.city AND c.id = d.id AND c.city IN ('Bern', 'Genève', 'Łódź', 'São Paulo')",
    "SELECT c.id, age, spend FROM customers c JOIN rates r ON r.town = city AND r.year = 2026",
)
#: joins of which as much is not known, or which would cost more if each range did them anew
OTHER_JOINS = (
    "SELECT c.id, age, spend FROM customers c LEFT JOIN rates r ON r.town = city AND r.tax > 0.5",
    "SELECT c.id, age, spend FROM customers c LEFT JOIN here h ON h.name = c.city",
    "SELECT c.id, age, spend FROM towns t LEFT JOIN customers c ON t.name = c.city",
    "SELECT c.id, age, spend FROM customers c JOIN large l ON l.number = c.id",
    "SELECT c.id, age, spend FROM customers c LEFT JOIN predictions p ON p.id = c.id",
)


@pytest.fixture
def towns(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Each city once as a town; its rates by year; a view; a table that is called large."""
    text = {"mariadb": "VARCHAR(40)", "postgres": "text"}.get(shop.database.name, "TEXT")
    names = list(dict.fromkeys(models.CITIES))
    columns = {"number": pa.int64(), "name": text, "tax": pa.float64()}
    rows = {"number": range(len(names)), "name": names, "tax": [1.0] * len(names)}
    shop.create("towns", rows, columns, key=("number",))
    columns = {"town": text, "year": pa.int64(), "tax": pa.float64()}
    rates = [(name, year, year - 2025.0) for name in names for year in (2025, 2026)]
    values = zip(*rates, strict=True)
    shop.create("rates", dict(zip(columns, values, strict=True)), columns, key=("town", "year"))
    columns = {"id": pa.int64(), "number": pa.int64()}
    rows = {"id": range(41), "number": range(0, 123, 3)}
    shop.create("large", rows, columns)
    shop.run("CREATE VIEW here AS SELECT name FROM towns")
    monkeypatch.setattr(joins, "WHOLE", 40)
    return shop


def test_a_join_that_gives_no_row_twice_is_not_staged(towns: Shop, monkeypatch: pytest.MonkeyPatch):
    seen = staged(monkeypatch)
    known = [s for s in JOINS if not (towns.database.product.t_sql and "USING" in s)]
    for source in known:
        assert towns.scoring.bind("churn", source=source, key="id").ranges == 6, source
        run = towns.score(source=source, key="id", mode="replace")
        assert (run.rows, run.ranges) == (40, 6)
        assert towns.found() == expected(IDS)
    run = towns.score(source=JOINS[2], key="id", where="id > 60", target="past_60")
    assert (run.rows, run.ranges) == (19, 3)
    assert towns.found("past_60") == expected(range(63, 120, 3))
    assert seen == []


def test_any_other_join_is_evaluated_once(towns: Shop, monkeypatch: pytest.MonkeyPatch):
    towns.score()
    seen = staged(monkeypatch)
    for source in OTHER_JOINS:
        bound = towns.scoring.bind("churn", source=source, key="id", target="predictions")
        assert bound.ranges is None, source
        assert towns.score(source=source, key="id").rows == 40
        assert towns.found() == expected(IDS)
    assert seen == list(OTHER_JOINS)


def test_a_join_that_gives_a_row_twice(towns: Shop):
    source = "SELECT c.id, age, spend FROM customers c LEFT JOIN towns t ON t.name = c.city"
    bern = "INSERT INTO towns (number, name, tax) VALUES (99, 'Bern', 1)"

    def meddle(progress: Progress) -> None:
        if progress.rows == 0:  # it was proved by then, and nothing is read yet
            towns.run(bern)

    with pytest.raises(DatabaseError, match=r"\(id\).*does not identify a row: \d keys are there"):
        towns.score(source=source, key="id", on_progress=meddle)
    assert towns.found() == {}
    with pytest.raises(DatabaseError, match=r"does not identify a row: 10 keys are there more"):
        towns.score(source=source, key="id", restart=True, target="never")
    assert "never" not in sa.inspect(towns.database.engine).get_table_names()
    towns.run("DELETE FROM towns WHERE number = 99")
    assert towns.score(source=source, key="id", restart=True).rows == 40
    assert towns.found() == expected(IDS)


def test_a_join_that_was_stopped_goes_on(towns: Shop, monkeypatch: pytest.MonkeyPatch):
    job = {"source": JOINS[3], "key": "id"}

    def stop(progress: Progress) -> None:
        if progress.rows == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        towns.score(**job, on_progress=stop)
    assert towns.found() == expected(IDS[:21])
    seen = staged(monkeypatch)
    run = towns.score(**job)
    assert (run.resumed, run.rows, run.ranges, seen) == (True, 40, 6, [])
    assert towns.found() == expected(IDS)


def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The relations along whose keys the database goes from now on."""
    seen = []

    def noted(found: Any) -> Any:
        def walk(connection: Any, product: Any, relation: Any, *given: Any) -> Any:
            seen.append(getattr(relation.element, "name", "SELECT"))
            return found(connection, product, relation, *given)

        return walk

    for name in ("_walk", "_numbered"):
        monkeypatch.setattr(cutting, name, noted(getattr(cutting, name)))
    return seen


def test_keys_without_gaps_are_counted_off(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Nothing walks along them; a table with gaps is walked."""
    for name, value in {"_LEAST": 5, "_LOOKS": 4, "_WIDE": 5, "_SEVERAL": 1}.items():
        monkeypatch.setattr(cutting, name, value)
    walked = walks(monkeypatch)
    ids = [*range(-20, 0), *range(1, 30)]
    shop.create("dense", customers(ids))
    run = shop.score(source="dense")
    assert (run.rows, run.total, run.ranges, walked) == (49, 50, 8, [])
    assert shop.found() == expected(ids)
    run = shop.score(mode="replace")
    assert (run.rows, run.total, run.ranges, walked) == (40, 40, 6, ["customers"])
    shop.score(source="SELECT id, age, spend FROM dense WHERE id < 4", mode="replace", key="id")
    assert walked == ["customers", "SELECT"]


def test_values_that_change_with_each_query_are_those_of_one(shop: Shop):
    """A random number is drawn once for a row, and what passes through is what was scored."""
    number = {
        "postgres": "random()", "mariadb": "RAND()", "duckdb": "random()",
        "sqlite": "random() / 9223372036854775807.0",
    }[shop.database.name]  # fmt: skip
    source = f"SELECT id, {number} AS age, spend FROM customers"
    shop.score(source=source, key="id", columns=["age", "spend"])
    found = shop.ask("SELECT age, spend FROM predictions ORDER BY id")
    want = asked(WEIGHED, np.array(found, dtype=np.float64))[:, 0].tolist()
    assert list(shop.found().values()) == want
    assert len({age for age, _ in found}) == 40


def keyed(
    shop: Shop, columns: dict[str, pa.DataType | str], keys: Sequence[tuple[Any, ...]]
) -> None:
    """Customers whose keys are these."""
    rest = {"age": pa.float64(), "spend": pa.float64()}
    x = features(list(range(len(keys))))
    values = {
        name: pa.array([key[i] for key in keys], type_ if isinstance(type_, pa.DataType) else None)
        for i, (name, type_) in enumerate(columns.items())
    }
    declare = shop.database.product.declare_key or shop.database.product.declare
    shop.create(
        "keyed",
        {**values, "age": x[:, 0], "spend": x[:, 1]},
        {**{n: t if isinstance(t, str) else declare(t) for n, t in columns.items()}, **rest},
        key=tuple(columns),
    )


def scored_by_key(shop: Shop, columns: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> None:
    """Every key is in the target once, as it is in the source, with its own score."""
    run = shop.score(source="keyed")
    scores = asked(WEIGHED, features(list(range(len(keys)))))[:, 0].tolist()
    by_key = dict(zip(keys, scores, strict=True))
    source = shop.found("keyed", "age", key=columns)
    found = shop.found(key=columns)
    assert run.rows == len(keys)
    assert run.ranges == len(keys)
    assert found.keys() == source.keys()
    assert sorted(found.values()) == sorted(by_key.values())
    plain = [key[0] if len(columns) == 1 else key for key in keys]
    if set(plain) == set(found):  # the product gives keys back in Python's own types
        assert found == dict(zip(plain, scores, strict=True))


HOSTILE = (
    "", " ", "  a", "a", "b", "'", "''", "a'b", '"', '"; DROP TABLE keyed; --', "\\", "\\'", "\\\\",
    "%", "%s", "%(x)s", "%%", ":x", "::int", "?", "$1", "{}", "{0}", "\n", "\t\r\n", "ä", "Łódź",
    "🦆", "日本", "NULL", "--", "/*", "x" * 180, "0x41", "1e5", "ﬀ",
)  # fmt: skip


def test_text_keys_of_every_kind(empty: Shop):
    # its other collations take some of these texts for equal
    mariadb = "VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    keyed(
        empty,
        {"name": mariadb if empty.database.name == "mariadb" else pa.string()},
        [(text,) for text in HOSTILE],
    )
    scored_by_key(empty, ["name"], [(text,) for text in HOSTILE])


def test_keys_that_differ_in_case_only(empty: Shop):
    """Where the source's own key tells them apart, the target's does."""
    type_ = {
        "mariadb": "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "postgres": "text",
    }.get(empty.database.name, "TEXT")  # fmt: skip
    keys = [("a",), ("A",), ("á",), ("b",), ("B",), ("ss",), ("ß",)]
    keyed(empty, {"name": type_}, keys)
    scored_by_key(empty, ["name"], keys)


def test_composite_keys(empty: Shop):
    keys = [
        (day, shop) for day in (date(2026, 1, 1), date(2026, 2, 1)) for shop in ("a", "b'", "ü")
    ]
    keyed(empty, {"day": pa.date32(), "shop": pa.string()}, keys)
    scored_by_key(empty, ["day", "shop"], keys)


def test_a_composite_key_of_three(empty: Shop):
    keys = [(a, b, c) for a in (-1, 0, 1) for b in (-5, 5) for c in (2**40, -(2**40))]
    keyed(empty, {"a": pa.int16(), "b": pa.int32(), "c": pa.int64()}, keys)
    scored_by_key(empty, ["a", "b", "c"], keys)


@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        (pa.int64(), [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1]),
        (pa.date32(), [date(1, 1, 2), date(1969, 12, 31), date(2026, 1, 1), date(9999, 12, 31)]),
        (pa.timestamp("us"), [datetime(1970, 1, 2, 3, 4, 5, 678901), datetime(2026, 1, 1)]),
        (pa.decimal128(20, 4), [Decimal("-1.5000"), Decimal("0.0001"), Decimal("9999999999.9999")]),
        (pa.bool_(), [False, True]),
        (pa.binary(), [b"\x00" * 16, b"'" * 16, b"\xff" * 16, uuid.UUID(int=7).bytes]),
    ],
    ids=str,
)
def test_keys_of_a_type(empty: Shop, type_: pa.DataType, keys: list[Any]):
    if pa.types.is_date(type_) and empty.database.name == "mariadb":
        keys = keys[1:]  # its dates begin with the year 1000
    keyed(empty, {"k": type_}, [(key,) for key in keys])
    scored_by_key(empty, ["k"], [(key,) for key in keys])


def test_uuid_keys(empty: Shop):
    words = {"postgres": "uuid", "duckdb": "UUID", "mariadb": "UUID", "sqlite": "TEXT"}
    keys = [(str(uuid.uuid5(uuid.NAMESPACE_DNS, str(i))),) for i in range(9)]
    keyed(empty, {"k": words[empty.database.name]}, keys)
    scored_by_key(empty, ["k"], keys)


def test_times_with_a_zone_as_keys(empty: Shop):
    if empty.database.name not in ("postgres", "duckdb"):
        pytest.skip("there is no such type")
    if empty.database.name == "duckdb":
        pytest.importorskip("pytz", reason="DuckDB's Python package wants it for such values")
    keys = [(datetime(2026, m, 1, 2, 30, tzinfo=UTC),) for m in range(1, 9)]
    type_ = pa.timestamp("us", tz="UTC")
    keyed(empty, {"k": type_}, keys)
    scored_by_key(empty, ["k"], keys)


NAMES = (
    "a b", "a.b", "a..b", 'a"b', "a'b", "a`b", "a%b", "a%sb", "a:b", "a::b", "select", "Größe",
    "日本語", "order", "a\\b", "1a", "[a]", "a;b", "--a", "x" * 63, "ü" * 31,
)  # fmt: skip


def test_columns_of_any_name(shop: Shop):
    """As features and as columns that pass through; all of them in one table."""
    fitting = [n for n in NAMES if len(n.encode()) < shop.database.product.identifier_limit]
    ones = ", ".join("1" for _ in fitting)
    summed = models.written(
        f"g (float[N,{len(fitting)}] x) => (float[N,1] score) "
        f"<float[{len(fitting)},1] w = {{{ones}}}> {{ score = MatMul(x, w) }}"
    )
    shop.scoring.models.add("wide", summed, features=fitting)
    rows = {name: [float(i * j) for i in range(20)] for j, name in enumerate(fitting)}
    shop.create("wide", {"id": list(range(20)), **rows}, {
        "id": pa.int64(), **dict.fromkeys(fitting, pa.float64())
    })  # fmt: skip
    total = len(fitting) * (len(fitting) - 1) // 2
    for mode in ("upsert", "replace", "replace"):
        run = shop.score("wide", source="wide", columns=fitting, mode=mode, target=f"p_{mode}")
        assert run.rows == 20
        assert shop.names(f"p_{mode}") == ["id", *fitting, "score"]
        assert shop.found(f"p_{mode}") == {i: float(i * total) for i in range(20)}
        assert shop.found(f"p_{mode}", *fitting) == shop.found("wide", *fitting)


@pytest.mark.parametrize("name", ["a.b c", "a\"b'", "a%sb:c", "select", "日本語", "x" * 63])
def test_tables_and_keys_of_any_name(shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch, rows=15)
    rows = {name: list(IDS), **{n: v for n, v in customers(IDS).items() if n != "id"}}
    columns = {name: pa.int64(), **{n: t for n, t in COLUMNS.items() if n != "id"}}
    shop.create(name, rows, columns, key=(name,))
    target = name[:60] + "_p"
    for mode in ("upsert", "replace", "replace"):
        # a dot in the name of a table yet to be made would end a schema's name
        shop.score(source=name, target=shop.quoted(target) if "." in name else target, mode=mode)
        assert shop.found(target, key=(name,)) == expected(IDS)
        assert shop.names(target) == [name, "score"]


def test_predictions_whose_names_are_too_long_or_taken(shop: Shop):
    shop.scoring.models.add(
        "long", WEIGHED, features=FEATURES, outputs={"é" * 150: "score"}, alias="x"
    )
    shop.score("long")
    (name,) = shop.names()[1:]
    assert len(name.encode()) <= shop.database.product.identifier_limit
    assert name == "é" * len(name)
    shop.scoring.models.add("taken", WEIGHED, features=FEATURES, outputs={"ID": "score"})
    shop.score("taken", target="other", columns=["city"])
    assert shop.names("other") == ["id", "city", "ID_2"]


def test_three_databases(shop: Shop, sqlite: Database, tmp_path: Any):
    """The registry here, the source in one file, the target in another, marks beside the target."""
    target_url = f"sqlite:///{tmp_path / 'target.db'}"
    source = Shop(database=sqlite, scoring=sqlscore.connect(sqlite.engine))
    if shop.database.name != "sqlite":
        source.create("customers", customers(range(50)))
    else:
        source = shop
    ids = IDS if source is shop else range(50)
    chosen = {"source_db": source.database.url, "target_db": target_url}
    run = shop.score(**chosen, columns=["city"])
    assert run.rows == len(ids)
    assert shop.scoring.runs() == []
    with sqlscore.connect(target_url) as there:
        assert [r.id for r in there.runs()] == [run.id]
        with there.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT id, score FROM predictions").all()
    assert {i: score for i, score in found} == expected(ids)  # noqa: C416
    staged_ = shop.score(**chosen, source="SELECT DISTINCT * FROM customers", key="id",
                         mode="replace", target="again")  # fmt: skip
    assert staged_.rows == len(ids)


@pytest.mark.parametrize("mode", ["upsert", "replace"])
def test_what_passes_through_comes_out_as_it_went_in(shop: Shop, mode: str):
    columns: dict[str, pa.DataType | str] = {
        **COLUMNS, "small": pa.int16(), "paid": pa.decimal128(12, 2), "day": pa.date32(),
        "moment": pa.timestamp("us"), "ok": pa.bool_(), "raw": pa.binary(),
    }  # fmt: skip
    rows = {
        **customers(range(4)),
        "small": pa.array([1, None, -5, 0], pa.int16()),
        "paid": pa.array([Decimal("1.10"), None, Decimal(-3), Decimal(0)], pa.decimal128(12, 2)),
        "day": pa.array([date(2026, 1, 1), None, date(1999, 12, 31), date(2000, 2, 29)]),
        "moment": pa.array([datetime(2026, 1, 1, 1, 2, 3, 456789), None, datetime(1999, 1, 1),
                        datetime(2000, 1, 1)], pa.timestamp("us")),
        "ok": pa.array([True, None, False, True]),
        "raw": pa.array([b"\x00'\\", None, b"", b"\xff"], pa.binary()),
    }  # fmt: skip
    shop.create("typed", rows, columns)
    passed = ["city", "small", "paid", "day", "moment", "ok", "raw"]
    shop.score(source="typed", columns=passed, mode=mode)
    if mode == "replace":
        shop.score(source="typed", columns=passed, mode=mode)
    listed = ", ".join(passed)
    want = shop.ask(f"SELECT {listed} FROM typed ORDER BY id")
    assert shop.ask(f"SELECT {listed} FROM predictions ORDER BY id") == want
    declared = {c.name: c.declared for c in shop.target("typed").columns if c.name in passed}
    found = {c.name: c.declared for c in shop.target().columns if c.name in passed}
    assert found == declared


def test_a_database_in_memory(monkeypatch: pytest.MonkeyPatch):
    small_ranges(monkeypatch)
    with sqlscore.connect("sqlite://") as memory:
        with memory.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE customers (id INTEGER PRIMARY KEY, age, spend)"
            )
            rows = customers(IDS)
            values = zip(rows["id"], rows["age"].tolist(), rows["spend"].tolist(), strict=True)
            connection.exec_driver_sql("INSERT INTO customers VALUES (?, ?, ?)", list(values))
        memory.models.add("churn", WEIGHED, features=FEATURES)
        for mode in ("upsert", "replace", "replace"):
            memory.score("churn", source="customers", target="predictions", mode=mode)
        with memory.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT id, score FROM predictions").all()
    assert {key: score for key, score in found} == expected(IDS)  # noqa: C416
