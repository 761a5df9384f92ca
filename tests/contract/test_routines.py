"""Views and procedures over PREDICT, kept for later sessions, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import sqlscore
from tests.fixtures.scoring import Shop, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

ROWS = 40
IDS = range(0, 3 * ROWS, 3)
FROM = "FROM PREDICT(MODEL = churn, DATA = dbo.customers AS d) WITH (score real) AS p"


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop.on(database, ROWS)


def again(shop: Shop) -> sqlscore.Database:
    """The same database, as a later process meets it."""
    return sqlscore.connect(shop.database.engine)


def test_a_view_is_seen_by_every_later_statement(shop: Shop):
    kept = FROM.replace("score real", "score real NOT NULL")
    done = shop.scoring.sql(
        f"CREATE VIEW dbo.risks (customer, risk) AS SELECT d.id, p.score {kept}"
    )
    assert done.messages[0].startswith("view risks: kept by sqlscore")
    assert "(score is NOT NULL, which only the bridge checks)" in done.messages[0]
    later = again(shop)
    wanted = expected(IDS)
    assert dict(iter(later.sql("SELECT r.customer, r.RISK FROM Risks AS r"))) == wanted
    joined = "SELECT TOP 2 c.id, r.risk FROM customers c JOIN dbo.risks r ON r.customer = c.id"
    assert list(later.sql(f"{joined} WHERE c.id > 6 ORDER BY c.id")) == [
        (9, wanted[9]),
        (12, wanted[12]),
    ]
    done = later.sql("CREATE VIEW high AS SELECT customer FROM risks WHERE risk > 0.5")
    assert done.messages[0].startswith("view high: kept by sqlscore")
    assert {row[0] for row in later.sql("SELECT * FROM high")} == {
        key for key, score in wanted.items() if score > 0.5
    }
    with pytest.raises(sqlscore.StatementError, match="there is a view 'risks' already"):
        later.sql(f"CREATE VIEW risks AS SELECT p.score {FROM}")
    later.sql(f"CREATE OR ALTER VIEW risks AS SELECT d.id AS customer, 1 AS risk {kept}")
    assert {row[1] for row in again(shop).sql("SELECT * FROM risks")} == {1}
    later.sql("DROP VIEW high; DROP VIEW IF EXISTS dbo.risks")
    with pytest.raises(sqlscore.StatementError, match="there is no table or view 'risks'"):
        again(shop).sql("SELECT * FROM risks")


def test_a_view_without_predict_is_the_databases_own(shop: Shop):
    shop.scoring.sql("CREATE VIEW older AS SELECT id, age / 2 AS half FROM customers WHERE id > 60")
    assert len(shop.ask("SELECT id, half FROM older")) == 19
    shop.scoring.sql("CREATE OR ALTER VIEW older (a, b, c, d) AS SELECT * FROM customers")
    assert len(shop.ask("SELECT a, b, c, d FROM older")) == ROWS
    shop.scoring.sql("DROP VIEW older")


def test_a_view_whose_model_has_a_sql_form_is_the_databases_own(shop: Shop):
    made = f"VIEW risks (customer, risk) AS SELECT d.id, p.score {FROM} WHERE d.id > 3"
    done = shop.scoring.sql(f"CREATE {made}")
    assert done.messages[0].startswith("view risks: the database's own, with its model as SQL")
    wanted = expected([id for id in IDS if id > 3])
    assert dict(shop.ask("SELECT customer, risk FROM risks")) == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(sqlscore.DatabaseError):
        shop.scoring.sql(f"CREATE {made}")
    shop.scoring.sql(f"CREATE OR ALTER {made} AND d.id < 9")
    assert shop.ask("SELECT customer FROM risks") == [(6,)]
    kept = FROM.replace("score real", "score real NOT NULL")
    shop.scoring.sql(f"CREATE OR ALTER VIEW risks AS SELECT d.id {kept} WHERE d.id = 9")
    assert list(again(shop).sql("SELECT * FROM risks")) == [(9,)]
    with pytest.raises(Exception, match="risks"):
        shop.ask("SELECT * FROM risks")
    shop.scoring.sql(f"CREATE OR ALTER {made}")
    assert len(list(again(shop).sql("SELECT * FROM risks"))) == len(wanted)
    shop.scoring.sql("DROP VIEW risks")


def test_a_view_must_name_as_many_columns_as_it_has(shop: Shop):
    with pytest.raises(sqlscore.StatementError, match="line 1, column 1: the view names 1 columns"):
        shop.scoring.sql(f"CREATE VIEW v (a) AS SELECT * {FROM}")


PROCEDURE = f"""
CREATE OR ALTER PROCEDURE dbo.score_customers
    @low int = 0, @most int, @note nvarchar(20) = N'scored'
AS
BEGIN
    SET NOCOUNT ON
    DECLARE @n int
    INSERT INTO scores (id, score) SELECT d.id, p.score {FROM} WHERE d.id >= @low AND d.id < @most
    SET @n = @@ROWCOUNT
    IF @n = 0 RETURN
    PRINT @note
    SELECT id, score FROM scores ORDER BY id
END
"""


def test_a_procedure_runs_in_a_later_session(shop: Shop):
    shop.create("scores", None, {"id": pa.int64(), "score": pa.float64()})
    done = shop.scoring.sql(PROCEDURE)
    assert done.messages == (
        "procedure score_customers: kept by sqlscore. EXEC through sqlscore runs it",
    )
    later = again(shop)
    done = later.sql("EXEC score_customers @most = 30")
    assert done.messages == ("scored",)
    assert list(done) == list(expected(range(0, 30, 3)).items())
    done = later.sql("DECLARE @from int = 30\nEXEC dbo.score_customers @from, 33, @note = 'more'")
    assert done.messages == ("more",)
    assert len(list(done)) == 11
    assert later.sql("EXEC score_customers 1000, 1001").columns == []
    making = "CREATE TABLE #found (id bigint, score float)\n"
    later.sql(f"{making}INSERT INTO #found EXEC score_customers 33, 36")
    done = later.sql(
        f"{making}INSERT INTO #found (id, score) EXEC score_customers 36, 39\n"
        "SELECT COUNT(*) AS n FROM #found"
    )
    assert list(done) == [(13,)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("EXEC score_custmers 1", "no procedure 'score_custmers'. Did you mean 'score_customers'"),
        ("EXEC score_customers 1", "line 1, column 1: .* needs @most"),
        ("EXEC score_customers 1, 2, 'x', 4", "takes 3 arguments, and EXEC gives 4"),
        ("EXEC score_customers @mst = 1", "has no parameter @mst. Did you mean 'most'"),
        ("DROP PROCEDURE nothing", "there is no procedure 'nothing'"),
    ],
)
def test_calls_that_do_not_fit(sqlite: Database, call: str, message: str):
    shop = Shop.on(sqlite, 1)
    shop.scoring.sql(PROCEDURE)
    with pytest.raises(sqlscore.StatementError, match=message):
        shop.scoring.sql(call)


def test_errors_name_the_procedure(sqlite: Database):
    shop = Shop.on(sqlite, 1)
    shop.scoring.sql(
        "CREATE PROCEDURE p AS\nSELECT 1\nSELECT * FROM PREDICT(MODEL = no, DATA = x) y"
    )
    with pytest.raises(sqlscore.StatementError, match="in the procedure p: line 3, column 31"):
        shop.scoring.sql("EXEC p")
    shop.scoring.sql("CREATE PROCEDURE deep AS EXEC deep")
    with pytest.raises(sqlscore.StatementError, match="more than 32 deep"):
        shop.scoring.sql("EXEC deep")
    shop.scoring.sql("DROP PROCEDURE deep")
    with pytest.raises(sqlscore.StatementError, match="no procedure 'deep'"):
        shop.scoring.sql("EXEC deep")
