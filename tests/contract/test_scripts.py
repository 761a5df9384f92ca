"""Scripts as people bring them from T-SQL's engines, whole, on every database."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

import sqlscore
from tests.fixtures.scoring import WEIGHED, Shop, asked, customers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import Database

ROWS = 40
BEST = 0.6


def named(model: bytes) -> bytes:
    """A model that names its features itself, as its bytes alone are kept."""
    made = onnx.load_model_from_string(model)
    onnx.helper.set_model_props(made, {"feature_names": json.dumps(["age", "spend"])})
    return bytes(made.SerializeToString())


@pytest.fixture
def shop(database: Database) -> Shop:
    """Customers, and a table of models."""
    if database.product.t_sql:
        pytest.skip("it passes as written, and the endpoint is no judge of its meaning")
    made = Shop.on(database, ROWS)
    keep = made.create("models", None, {"id": pa.int64(), "data": pa.binary()})
    made.write(keep, {"id": [1, 2], "data": [b"none", named(WEIGHED)]})
    return made


class Wanted:
    """What ONNX Runtime gives for each customer, and where each lives."""

    def __init__(self) -> None:
        rows = customers(range(0, 3 * ROWS, 3))
        self.x = np.stack([rows["age"], rows["spend"]], axis=1)
        self.ids: list[int] = rows["id"]
        self.scores = dict(zip(self.ids, asked(WEIGHED, self.x)[:, 0].tolist(), strict=True))
        self.cities: dict[int, str] = dict(zip(self.ids, rows["city"], strict=True))
        self.by_city: dict[str, list[float]] = defaultdict(list)
        for id, city in self.cities.items():
            self.by_city[city].append(self.scores[id])

    def best(self, count: int) -> list[tuple[int, float]]:
        ranked = sorted(self.scores.items(), key=lambda one: (-one[1], one[0]))
        return ranked[:count]

    def high(self) -> list[int]:
        return [id for id, score in self.scores.items() if score >= BEST]


FROM = (
    "FROM PREDICT(MODEL = churn, DATA = dbo.customers AS d, RUNTIME = ONNX) WITH (score float) AS p"
)

#: what a script does -> the script, and the rows of its last SELECT
SCRIPTS: dict[str, tuple[str, Callable[[Wanted], list[tuple[Any, ...]]]]] = {
    "Azure SQL Edge's own example": (
        """
        USE onnx
        GO
        DECLARE @model VARBINARY(max) = (SELECT TOP (1) DATA FROM dbo.models ORDER BY id DESC);
        WITH predict_input AS (SELECT TOP (1000) [id], [age], [spend] FROM [dbo].[customers])
        SELECT predict_input.id, p.score AS risk
        FROM PREDICT(MODEL = @model, DATA = predict_input, RUNTIME=ONNX) WITH (score FLOAT) AS p
        ORDER BY predict_input.id;
        GO
        """,
        lambda w: list(w.scores.items()),
    ),
    "SELECT d.*, p.* INTO": (
        f"""
        IF OBJECT_ID('tempdb..#scored') IS NOT NULL DROP TABLE #scored;
        IF OBJECT_ID(N'dbo.scored', N'U') IS NOT NULL DROP TABLE dbo.scored
        SELECT d.*, p.* INTO #scored {FROM};
        SELECT d.*, p.* INTO dbo.scored {FROM};
        IF OBJECT_ID('dbo.scored') IS NULL SELECT 0 AS id, 'missing' AS city, 0 AS score
        ELSE SELECT s.id, t.city, t.score FROM dbo.scored s JOIN #scored t ON s.id = t.id
            ORDER BY s.id
        DROP TABLE IF EXISTS #scored, dbo.scored
        """,
        lambda w: [(id, w.cities[id], score) for id, score in w.scores.items()],
    ),
    "a procedure with defaults": (
        f"""
        CREATE OR ALTER PROCEDURE dbo.risky @least float = {BEST}, @city nvarchar(50) = NULL
        AS
        BEGIN
            SET NOCOUNT ON;
            SELECT d.id, p.score {FROM}
            WHERE p.score >= @least AND (@city IS NULL OR d.city = @city)
            ORDER BY d.id;
        END
        GO
        EXEC dbo.risky;
        """,
        lambda w: [(id, w.scores[id]) for id in w.high()],
    ),
    "TOP by score": (
        f"SELECT TOP 5 d.id, p.score {FROM} ORDER BY p.score DESC, d.id",
        lambda w: w.best(5),
    ),
    "the best tenth": (
        f"SELECT TOP (10) PERCENT d.id, p.score {FROM} ORDER BY p.score DESC, d.id",
        lambda w: w.best(ROWS // 10),
    ),
    "TOP with ties": (
        f"""
        SELECT TOP 1 WITH TIES d.*, p.score INTO #ties {FROM} ORDER BY d.city;
        SELECT COUNT(*) AS n, MIN(score) AS least,
            (SELECT COUNT(*) FROM (SELECT DISTINCT TOP 1 PERCENT city FROM #ties) AS q) AS cities
        FROM #ties
        """,
        lambda w: [(len(s), min(s), 1) for city, s in w.by_city.items() if city == min(w.by_city)],
    ),
    "a table as SQL Server's tools write it": (
        """
        SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SET STATISTICS IO, TIME ON;
        DROP TABLE IF EXISTS dbo.kinds;
        CREATE TABLE dbo.kinds (
            id int NOT NULL CONSTRAINT PK_kinds PRIMARY KEY,
            named nvarchar(20) NOT NULL CONSTRAINT DF_kinds DEFAULT (N'x'),
            data varbinary(max), [at] int, INDEX ix_a (named), INDEX ix_b NONCLUSTERED (named, id)
        );
        INSERT INTO dbo.kinds (id, data, [at]) VALUES (1, 0x0102, 5), (2, NULL, 6);
        SELECT k.id, LAG(k.id, 1, -1) OVER (ORDER BY k.id) AS before, x.n
        FROM (SELECT id, named, [at] FROM dbo.kinds WHERE data = 0x0102 OR data IS NULL) AS k
        JOIN (SELECT 6 AS n, NEWID() AS g) AS x ON x.n >= k.[at] AND x.g IS NOT NULL
        WHERE k.named COLLATE DATABASE_DEFAULT = 'x' ORDER BY k.id
        """,
        lambda w: [(1, -1, 6), (2, 1, 6)],
    ),
    "a WITH before UPDATE": (
        f"""
        SELECT id, CAST(0 AS float) AS place INTO #places FROM dbo.customers;
        WITH ranked AS (
            SELECT d.id, ROW_NUMBER() OVER (ORDER BY p.score DESC, d.id) AS place {FROM}
        ), best AS (SELECT * FROM ranked WHERE place <= 3)
        UPDATE t SET t.place = b.place FROM #places AS t JOIN best AS b ON b.id = t.id;
        SELECT id FROM #places WHERE place > 0 ORDER BY place
        """,
        lambda w: [(id,) for id, _ in w.best(3)],
    ),
    "TOP of a variable": (
        f"DECLARE @n int = 1\nSET @n += 2\nSELECT TOP (@n) d.id {FROM} ORDER BY p.score DESC, d.id",
        lambda w: [(id,) for id, _ in w.best(3)],
    ),
    "OFFSET and FETCH": (
        f"SELECT d.id {FROM} ORDER BY p.score DESC, d.id OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY",
        lambda w: [(id,) for id, _ in w.best(5)[2:]],
    ),
    "groups": (
        f"""
        SELECT d.city, COUNT(*) AS n, AVG(p.score) AS mean, MAX(p.score) AS most,
            SUM(CASE WHEN p.score >= {BEST} THEN 1 ELSE 0 END) * 100 / COUNT(*) AS percentage
        {FROM} GROUP BY d.city HAVING COUNT(*) > 1 ORDER BY d.city
        """,
        lambda w: [
            (city, len(s), sum(s) / len(s), max(s), sum(x >= BEST for x in s) * 100 // len(s))
            for city, s in sorted(w.by_city.items())
        ],
    ),
    "bands": (
        f"""
        WITH scored AS (
            SELECT d.id, IIF(p.score >= {BEST}, 'high', 'low') AS band,
                CONVERT(decimal(5, 2), p.score * 100) AS percentage {FROM}
        )
        SELECT band, COUNT(*) AS n, MIN(percentage) AS least FROM scored
        GROUP BY band ORDER BY band
        """,
        lambda w: [
            (band, len(s), pytest.approx(100 * min(s), abs=0.006))
            for band, s in (
                ("high", [x for x in w.scores.values() if x >= BEST]),
                ("low", [x for x in w.scores.values() if x < BEST]),
            )
        ],
    ),
    "the best of each city": (
        f"""
        SELECT city, id, score FROM (
            SELECT d.city, d.id, p.score,
                ROW_NUMBER() OVER (PARTITION BY d.city ORDER BY p.score DESC, d.id) AS place
            {FROM}
        ) AS ranked WHERE place = 1 ORDER BY city
        """,
        lambda w: [
            (
                city,
                *max(((i, w.scores[i]) for i in w.ids if w.cities[i] == city), key=lambda o: o[1]),
            )
            for city in sorted(w.by_city)
        ],
    ),
    "UPDATE and DELETE from PREDICT": (
        f"""
        DROP TABLE IF EXISTS dbo.kept;
        SELECT id, CAST(0 AS float) AS score INTO dbo.kept FROM dbo.customers;
        UPDATE k SET k.score = p.score {FROM} INNER JOIN dbo.kept AS k ON k.id = d.id;
        DELETE k FROM dbo.kept AS k
        INNER JOIN PREDICT(MODEL = churn, DATA = dbo.customers AS d) WITH (score float) AS p
            ON d.id = k.id WHERE p.score < {BEST};
        SELECT id, score FROM dbo.kept ORDER BY id;
        """,
        lambda w: [(id, w.scores[id]) for id in w.high()],
    ),
    "a log of what is written": (
        f"""
        DROP TABLE IF EXISTS dbo.results;
        CREATE TABLE dbo.results (
            id bigint NOT NULL, score float NULL, scored_at datetime2 DEFAULT GETDATE(),
            CONSTRAINT PK_results PRIMARY KEY CLUSTERED (id ASC)
        );
        TRUNCATE TABLE dbo.results;
        INSERT INTO dbo.results (id, score)
        SELECT d.id, p.score {FROM} WHERE p.score >= {BEST};
        DECLARE @n int = @@ROWCOUNT, @said nvarchar(100) = N'rows: ';
        SELECT @said = @said + CAST(@n AS nvarchar(10));
        PRINT @said;
        SELECT id, ISNULL(score, -1) AS score FROM dbo.results
        WHERE scored_at > DATEADD(hour, -1, GETDATE()) ORDER BY id;
        """,
        lambda w: [(id, w.scores[id]) for id in w.high()],
    ),
    "CREATE TABLE AS SELECT of Synapse": (
        """
        IF OBJECT_ID('dbo.fact_scores') IS NOT NULL DROP TABLE dbo.fact_scores;
        CREATE TABLE dbo.fact_scores
        WITH (DISTRIBUTION = HASH(id), CLUSTERED COLUMNSTORE INDEX)
        AS SELECT d.id, p.score FROM PREDICT(
            MODEL = (SELECT data FROM dbo.models WHERE id = 2),
            DATA = dbo.customers AS d, RUNTIME = ONNX) WITH (score float) AS p;
        SELECT * FROM dbo.fact_scores ORDER BY id;
        """,
        lambda w: list(w.scores.items()),
    ),
    "features made of dirty text": (
        """
        DROP TABLE IF EXISTS raw;
        CREATE TABLE raw (id int PRIMARY KEY, age_text nvarchar(20), spend_text nvarchar(20));
        INSERT INTO raw VALUES (1, '2.5', ' 1e0 '), (2, 'unknown', '1'), (3, '', '-.5');
        SELECT d.id, d.age, ISNULL(p.score, -1) AS score FROM PREDICT(MODEL = churn, DATA = (
            SELECT id, TRY_CAST(age_text AS float) AS age, TRY_CONVERT(float, spend_text) AS spend
            FROM raw) AS d) WITH (score float) AS p ORDER BY d.id;
        """,
        lambda w: [
            (1, 2.5, score(2.5, 1)),
            (2, None, -1),
            (3, 0, score(0, -0.5)),
        ],
    ),
    "features made of dates": (
        """
        DROP TABLE IF EXISTS people;
        CREATE TABLE people (id int PRIMARY KEY, born date, seen datetime2);
        INSERT INTO people VALUES (1, '20000229', '2024-03-01 00:30'), (2, '1999-12-31', NULL);
        SELECT d.id, d.age, d.spend, p.score FROM PREDICT(MODEL = churn, DATA = (
            SELECT id, DATEDIFF(year, born, '2024-01-01') AS age,
                CAST(DATEDIFF(hour, '2024-02-29 23:59', seen) AS float) / 2 AS spend
            FROM people WHERE born < DATEADD(year, 1, '2000-01-01')) AS d) WITH (score float) AS p
        ORDER BY d.id;
        """,
        lambda w: [(1, 24, 0.5, score(24, 0.5)), (2, 25, None, None)],
    ),
    "cities in one text": (
        f"""
        SELECT STRING_AGG(city, ', ') WITHIN GROUP (ORDER BY city) AS cities
        FROM (SELECT DISTINCT d.city {FROM}) AS x
        """,
        lambda w: [(", ".join(sorted(w.by_city)),)],
    ),
    "two models side by side": (
        """
        SELECT d.id, p.score - q.other AS difference
        FROM PREDICT(MODEL = 'churn:1', DATA = dbo.customers AS d) WITH (score float) AS p
        CROSS APPLY PREDICT(MODEL = churn, DATA = dbo.customers AS e) WITH (other float) AS q
        WHERE d.id = e.id AND d.id <= 9 ORDER BY d.id
        """,
        lambda w: [(id, 0) for id in (0, 3, 6, 9)],
    ),
    "those without a score": (
        f"""
        CREATE TABLE #more (id bigint PRIMARY KEY);
        INSERT #more VALUES (0), (1), (3);
        SELECT m.id, COALESCE(s.score, 0) AS score
        FROM #more AS m LEFT JOIN (SELECT d.id, p.score {FROM}) AS s ON s.id = m.id
        WHERE EXISTS (SELECT 1 FROM #more AS x WHERE x.id = m.id) AND m.id NOT IN (7, 8)
        ORDER BY m.id
        """,
        lambda w: [(0, w.scores[0]), (1, 0), (3, w.scores[3])],
    ),
}


def score(age: float, spend: float) -> float:
    return float(asked(WEIGHED, np.array([[age, spend]]))[0, 0])


def test_scripts_run_as_they_are(shop: Shop):
    w = Wanted()
    for name, (script, wanted) in SCRIPTS.items():
        if name == "cities in one text" and old_sqlite(shop):
            with pytest.raises(sqlscore.StatementError, match="has no STRING_AGG … WITHIN GROUP"):
                shop.scoring.sql(script)
            continue
        done = shop.scoring.sql(script)
        found = done.earlier[-1] if not done.columns else done
        rows = [tuple(map(_plain, row)) for row in found]
        assert _close(rows, wanted(w)), (name, rows, wanted(w))


def old_sqlite(shop: Shop) -> bool:
    return shop.database.name == "sqlite" and sqlite3.sqlite_version_info < (3, 44)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else float(value)


def _close(rows: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> bool:
    return len(rows) == len(wanted) and all(
        len(found) == len(row) and all(map(_same, found, row))
        for found, row in zip(rows, wanted, strict=True)
    )


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and found is not None:
        return bool(found == pytest.approx(wanted, rel=1e-6, abs=1e-9))
    return bool(found == wanted)


#: what is not supported -> the script, and what the error says
REFUSED: dict[str, tuple[str, str]] = {
    "SAVE": ("BEGIN TRAN\nSAVE TRAN a", r"line 2, column 1: SAVE is not supported here"),
    "a cursor": (
        "SELECT 1 AS a\nDECLARE c CURSOR FOR SELECT id FROM customers",
        r"line 2, column 1: cursors are not supported",
    ),
    "dynamic SQL": (
        "DECLARE @s nvarchar(50) = 'SELECT 1'\nEXEC sp_executesql @s",
        r"line 2, column 1: EXEC runs procedures by name, and no text",
    ),
    "rows added up in a variable": (
        "DECLARE @s nvarchar(max) = ''\nSELECT @s = @s + city FROM customers",
        r"line 2, column 1: a variable is not added up over the rows .* use SUM, or STRING_AGG",
    ),
    "DELETE TOP": ("DELETE TOP (10) FROM customers", r"line 1, column 1: DELETE TOP is not supp"),
    "UPDATE TOP": ("\nUPDATE TOP (1) customers SET age = 1", r"line 2, column 1: UPDATE TOP is"),
    "a function": (
        "CREATE FUNCTION f() RETURNS int AS BEGIN RETURN 1 END",
        r"line 1, column 1: CREATE FUNCTION is not supported here",
    ),
    "SQL Server's catalogue": (
        "IF EXISTS (SELECT * FROM sys.tables WHERE name = 'x') DROP TABLE x",
        r"line 1, column 30: sys.tables is SQL Server's own catalogue: ask IF OBJECT_ID",
    ),
    "rights": ("GRANT SELECT ON customers TO x", r"line 1, column 1: GRANT is not supported"),
    "IDENTITY_INSERT": (
        "SET IDENTITY_INSERT customers ON",
        r"line 1, column 1: SET IDENTITY_INSERT ON is not supported here",
    ),
    "a model's file": (
        "DECLARE @m varbinary(max) = (SELECT * FROM OPENROWSET(BULK 'x', SINGLE_BLOB) AS x)",
        "line 1, column 44: OPENROWSET is not supported here: .*sqlscore model add",
    ),
    "PIVOT": (
        "SELECT * FROM (SELECT id, city FROM customers) AS s PIVOT (COUNT(id) FOR city IN ([a])) p",
        "line 1, column 1: PIVOT and UNPIVOT are not supported here",
    ),
    "a CTE that is written": (
        "WITH r AS (SELECT id FROM customers) DELETE FROM r",
        "line 1, column 1: 'r' is a CTE, and no table is written through it",
    ),
    "a collation": (
        "SELECT id FROM customers WHERE city COLLATE Latin1_General_CI_AS = 'x'",
        "line 1, column 1: the collation Latin1_General_CI_AS is SQL Server's own",
    ),
    "an isolation level": (
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "line 1, column 1: SET TRANSACTION ISOLATION LEVEL SERIALIZABLE is not supported",
    ),
    "SCOPE_IDENTITY": ("SELECT SCOPE_IDENTITY() AS i", "line 1, column 1: SCOPE_IDENTITY"),
    "no EXEC": ("\n  sp_who", r"line 2, column 3: no statement begins with 'sp_who'"),
}


def test_what_is_not_supported_is_named(shop: Shop):
    for name, (script, message) in REFUSED.items():
        with pytest.raises(sqlscore.StatementError) as raised:
            shop.scoring.sql(script).to_arrow()
        assert re.search(message, str(raised.value), re.DOTALL), (name, str(raised.value))
