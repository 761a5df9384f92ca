"""Loops, transactions, errors that are caught, procedures that give values back: T-SQL's flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import sqlscore
from tests.fixtures.scoring import Shop, expected

if TYPE_CHECKING:
    from tests.fixtures.databases import Database

IDS = range(0, 24, 3)
FROM = "FROM PREDICT(MODEL = churn, DATA = dbo.customers AS d) WITH (score float) AS p"


def test_flow(database: Database):
    """Each from eight customers, and a table that has the score of one of them."""
    shop = Shop.on(database, 8)
    shop.scoring.sql("CREATE TABLE dbo.scores (id bigint PRIMARY KEY, score float)")
    for part in (
        loops, a_procedure_that_loads_all_or_nothing, rollback, errors_in_transactions,
        inside_a_transaction_of_the_callers,
    ):  # fmt: skip
        shop.scoring.sql("DELETE FROM scores; INSERT INTO scores VALUES (3, 0)")
        part(shop)


def rows(shop: Shop, script: str) -> list[tuple[Any, ...]]:
    return list(shop.scoring.sql(script))


def scores(shop: Shop) -> dict[int, float]:
    return dict(rows(shop, "SELECT id, score FROM scores ORDER BY id"))


def loops(shop: Shop):
    turns = """
    DECLARE @i int = 0, @n int = 0;
    WHILE 1 = 1
    BEGIN
        SET @i += 1;
        IF @i = 2 CONTINUE;
        IF @i > 5 BREAK;
        SET @n = @n + @i;
    END
    SELECT @i, @n
    """
    assert rows(shop, turns.replace("@i, @n", "@i AS i, @n AS n")) == [(6, 13)]
    done = shop.scoring.sql(f"""
    DELETE FROM scores;
    DECLARE @from bigint = 0;
    WHILE EXISTS (SELECT 1 FROM customers WHERE id >= @from)
    BEGIN
        INSERT INTO scores SELECT d.id, p.score {FROM} WHERE d.id >= @from AND d.id < @from + 9;
        RAISERROR('%d rows from %s: 100 %%', 0, 1, @@ROWCOUNT, 'it') WITH NOWAIT;
        SET @from = @from + 9;
    END
    """)
    assert done.messages == tuple(f"{n} rows from it: 100 %" for n in (3, 3, 2))
    assert scores(shop) == expected(IDS)


LOAD = f"""
CREATE OR ALTER PROCEDURE dbo.load @least float = 0, @rows int = NULL OUTPUT AS
BEGIN
    SET NOCOUNT, XACT_ABORT ON;
    BEGIN TRY
        BEGIN TRANSACTION;
        DELETE FROM scores WHERE id > 3;
        INSERT INTO scores SELECT d.id, p.score {FROM} WHERE p.score >= @least;
        SET @rows = @@ROWCOUNT;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        DECLARE @said nvarchar(2000) = N'not loaded: ' + LEFT(ERROR_MESSAGE(), 0);
        RAISERROR(@said, 16, 1);
        RETURN -1;
    END CATCH
END
GO
"""


def a_procedure_that_loads_all_or_nothing(shop: Shop):
    told = rows(
        shop,
        f"""{LOAD}
    DECLARE @rc int = 7, @rows int = 5;
    BEGIN TRY
        EXEC @rc = dbo.load @rows = @rows OUTPUT;
    END TRY
    BEGIN CATCH
        SELECT ERROR_MESSAGE() AS m, ERROR_NUMBER() AS n, ERROR_PROCEDURE() AS p,
            ERROR_SEVERITY() AS s, ERROR_LINE() AS l, @rc AS rc, @rows AS r, @@TRANCOUNT AS t
    END CATCH
    """,
    )
    assert told == [("not loaded: ", 50_000, "load", 16, 14, 7, 5, 0)]
    assert scores(shop) == {3: 0}
    assert rows(
        shop,
        """
    DECLARE @rc int, @rows int;
    DELETE FROM scores;
    EXEC @rc = dbo.load 0.6, @rows OUT;
    SELECT @rc AS rc, @rows AS r, @@TRANCOUNT AS t, XACT_STATE() AS s
    """,
    ) == [(0, 3, 0, 0)]
    assert set(scores(shop)) == {id for id, score in expected(IDS).items() if score >= 0.6}


def rollback(shop: Shop):
    ddl = shop.database.product.transactional_ddl
    made = "CREATE TABLE dbo.made (id int);" if ddl else ""
    table = "tempdb..#t"
    (row,) = rows(
        shop,
        f"""
    CREATE TABLE #before (id int);
    BEGIN TRAN;
    {made}
    CREATE TABLE #t (id int);
    TRUNCATE TABLE scores;
    INSERT INTO dbo.scores SELECT d.id, p.score {FROM};
    DECLARE @n int = (SELECT COUNT(*) FROM scores), @state int = XACT_STATE();
    BEGIN TRANSACTION; SET @state = @state + @@TRANCOUNT; COMMIT;
    DROP TABLE IF EXISTS #none;
    ROLLBACK;
    SELECT @n AS n, @state AS s, (SELECT COUNT(*) FROM scores) AS after,
        (SELECT COUNT(*) FROM #before) AS b,
        CASE WHEN OBJECT_ID('made') IS NULL AND OBJECT_ID('{table}') IS NULL THEN 0 ELSE 1 END AS t
    """,
    )
    assert row == (8, 3, 1, 0, 0)
    if not ddl:
        with pytest.raises(sqlscore.StatementError, match=r"line 2, .* CREATE commits on"):
            shop.scoring.sql("BEGIN TRAN\nCREATE TABLE made (id int)")


def errors_in_transactions(shop: Shop):
    """An error that nothing catches, or nobody commits after, leaves nothing."""
    for script, message in {
        "BEGIN TRAN\nDELETE FROM scores": "its BEGIN TRANSACTION has no COMMIT",
        "BEGIN TRAN\nDELETE FROM scores\nINSERT INTO customers SELECT * FROM customers": "line 3,",
        "BEGIN TRY BEGIN TRAN DELETE FROM scores; THROW 50001, 'no', 1 END TRY\n"
        "BEGIN CATCH COMMIT END CATCH": "line 2, column 13: this transaction cannot be committed",
        "BEGIN TRY BEGIN TRAN DELETE FROM scores; THROW 50001, 'no', 1 END TRY\n"
        "BEGIN CATCH DELETE FROM scores END CATCH": "line 2, column 13: nothing is written",
        "DELETE FROM scores WHERE id > 9;\nCOMMIT": "line 2, column 1: there is no BEGIN TRANS",
        "ROLLBACK": "there is no BEGIN TRANSACTION for this ROLLBACK",
        "SELECT 1 AS a;\nTHROW": "THROW without a number gives on",
        "THROW 5, 'a', 1": "THROW takes a number from 50000 on",
        "BEGIN TRY\n  THROW 50007, 'mine', 2;\nEND TRY BEGIN CATCH THROW; END CATCH": (
            r"^line 2, column 3: mine$"
        ),
        "CREATE PROC q AS\nTHROW 50001, 'deep', 1\nGO\nCREATE PROC p AS EXEC q\nGO\nEXEC p": (
            "^in the procedure q: line 2, column 1: deep$"
        ),
        "CREATE OR ALTER PROC p @a int AS SELECT 1 AS x\nGO\nDECLARE @b int EXEC p @b OUTPUT": (
            "the procedure 'p' gives no @a back"
        ),
    }.items():
        with pytest.raises(sqlscore.SqlscoreError, match=message):
            shop.scoring.sql(script)
        assert scores(shop) == {3: 0}


def inside_a_transaction_of_the_callers(shop: Shop):
    with shop.scoring.begin():
        shop.scoring.sql("BEGIN TRAN; DELETE FROM scores; COMMIT")
        with pytest.raises(sqlscore.StatementError, match="ROLLBACK would undo what the program"):
            shop.scoring.sql("ROLLBACK")
    assert scores(shop) == {}
    caught = "BEGIN TRY THROW 50001, 'no', 1 END TRY BEGIN CATCH PRINT 'x' END CATCH"
    refused = pytest.raises(sqlscore.DatabaseError, match="a script in it caught an error")
    with refused, shop.scoring.begin():
        shop.scoring.sql("INSERT INTO scores VALUES (4, 4)")
        shop.scoring.sql(caught)
    assert scores(shop) == {}
