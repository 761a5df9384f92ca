"""Scripts: where batches and statements end, and what is refused."""

from __future__ import annotations

import pytest

from sqlscore.errors import StatementError
from sqlscore.predict import script
from sqlscore.predict.statements import CreateProcedure, CreateView, Execute, If

#: a script -> the statements in it, by what each begins with
SCRIPTS: dict[str, list[str]] = {
    "SELECT 1 SELECT 2; SELECT 3": ["SELECT 1", "SELECT 2", "SELECT 3"],
    "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 PRINT 'a'": [
        "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3", "PRINT 'a'"
    ],
    "INSERT INTO t (a) SELECT 1 INSERT INTO t SELECT 2": [
        "INSERT INTO t (a) SELECT 1", "INSERT INTO t SELECT 2"
    ],
    "UPDATE t SET a = 1 WHERE b = 2 SET NOCOUNT ON DELETE FROM t": [
        "UPDATE t SET a = 1 WHERE b = 2", "SET NOCOUNT ON", "DELETE FROM t"
    ],
    "MERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1"
    " WHEN NOT MATCHED THEN INSERT (a) VALUES (1); SELECT 2": [
        "MERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1"
        " WHEN NOT MATCHED THEN INSERT (a) VALUES (1)", "SELECT 2"
    ],
    "WITH c AS (SELECT 1 AS a) SELECT * FROM c WITH (NOLOCK) DECLARE @x int SET @x = 1": [
        "WITH c AS (SELECT 1 AS a) SELECT * FROM c WITH (NOLOCK)", "DECLARE @x int", "SET @x = 1"
    ],
    "DROP TABLE IF EXISTS #t CREATE TABLE #t (a int, [select] int) TRUNCATE TABLE #t": [
        "DROP TABLE IF EXISTS #t", "CREATE TABLE #t (a int, [select] int)", "TRUNCATE TABLE #t"
    ],
    "ALTER TABLE t DROP COLUMN a SELECT CASE WHEN 1 = 1 THEN 1 ELSE 0 END AS b SELECT 2": [
        "ALTER TABLE t DROP COLUMN a", "SELECT CASE WHEN 1 = 1 THEN 1 ELSE 0 END AS b", "SELECT 2"
    ],
    "INSERT INTO t EXEC dbo.p 1, @b = 2 SELECT 1": [
        "INSERT INTO t EXEC dbo.p 1, @b = 2", "SELECT 1"
    ],
    "BEGIN SELECT 1 BEGIN SELECT 2 END END RETURN": [
        "BEGIN SELECT 1 BEGIN SELECT 2 END END", "RETURN"
    ],
    "BEGIN TRAN t COMMIT SELECT 1 ROLLBACK TRANSACTION IF @@TRANCOUNT > 0 COMMIT WORK": [
        "BEGIN TRAN t", "COMMIT", "SELECT 1", "ROLLBACK TRANSACTION",
        "IF @@TRANCOUNT > 0 COMMIT WORK"
    ],
    "WHILE @i < 3 BEGIN SET @i += 1 IF @i = 2 CONTINUE; BREAK END PRINT 'x'": [
        "WHILE @i < 3 BEGIN SET @i += 1 IF @i = 2 CONTINUE; BREAK END", "PRINT 'x'"
    ],
    "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW; END CATCH; THROW 50001, @m, 1": [
        "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW; END CATCH", "THROW 50001, @m, 1"
    ],
    "RAISERROR('%s', 16, 1, 'a') WITH NOWAIT RETURN -1 EXEC @rc = p 1, @x OUTPUT": [
        "RAISERROR('%s', 16, 1, 'a') WITH NOWAIT", "RETURN -1", "EXEC @rc = p 1, @x OUTPUT"
    ],
    "SELECT 'GO; SELECT 2' -- SELECT 3\n/* SELECT 4 */": ["SELECT 'GO; SELECT 2'"],
}  # fmt: skip


@pytest.mark.parametrize("text", SCRIPTS)
def test_where_statements_end(text: str):
    (batch,) = script.read(text)
    assert [statement.text for statement in batch.statements] == SCRIPTS[text]


def test_batches():
    batches = script.read("SELECT 1\nGO 3\n\nGO\nselect 2\ngo\nSELECT 3 AS GO")
    assert [(b.number, b.times, len(b.statements)) for b in batches] == [
        (1, 3, 1), (3, 1, 1), (4, 1, 1)
    ]  # fmt: skip
    assert [b.statements[0].line for b in batches] == [1, 5, 7]


def test_if_and_else():
    (batch,) = script.read("IF @a > 1 AND EXISTS (SELECT 1)\n  PRINT 'a'; ELSE IF 1 = 1 SELECT 2")
    (found,) = batch.statements
    assert isinstance(found, If)
    assert found.condition.sql(dialect="tsql") == "@a > 1 AND EXISTS(SELECT 1)"
    assert (found.then.text, found.then.line, found.then.column) == ("PRINT 'a'", 2, 3)
    assert isinstance(found.otherwise, If)


def test_a_procedure_goes_to_the_end_of_its_batch():
    batch, after = script.read(
        "CREATE OR ALTER PROCEDURE dbo.p (@a decimal(9, 2), @b nvarchar(max) = 'x' OUTPUT) AS\n"
        "SET NOCOUNT ON\nSELECT @a\nGO\nEXEC @rc = p 1, @b = @y OUT"
    )
    (made,) = batch.statements
    assert isinstance(made, CreateProcedure)
    assert (made.name.name, made.replace) == ("p", True)
    assert [(p.name, p.value is None, p.output) for p in made.parameters] == [
        ("a", True, False), ("b", False, True)
    ]  # fmt: skip
    assert made.body == "SET NOCOUNT ON\nSELECT @a"
    (call,) = after.statements
    assert isinstance(call, Execute)
    assert [(one.name, one.output) for one in call.arguments] == [(None, False), ("b", True)]
    assert call.status == "rc"


def test_a_view():
    (batch,) = script.read(
        "CREATE VIEW dbo.v (a, [b c]) AS\nWITH q AS (SELECT 1 AS x) SELECT * FROM q"
    )
    (made,) = batch.statements
    assert isinstance(made, CreateView)
    assert (made.name.name, made.columns, made.replace) == ("v", ("a", "b c"), False)
    assert made.body.startswith("WITH q")


#: a script -> what is said of it
REFUSED = {
    "WHILE 1 = 1": "line 1, column 1: WHILE has no statement",
    "SELECT 1\n  BREAK": "line 2, column 3: there is no WHILE around this BREAK",
    "BEGIN TRY SELECT 1 END TRY": "this BEGIN TRY has no BEGIN CATCH",
    "BEGIN TRY SELECT 1 END": "line 1, column 1: this BEGIN TRY has no END TRY",
    "BEGIN CATCH SELECT 1 END CATCH": "there is no BEGIN TRY … END TRY before",
    "THROW 50000, 'x'": "THROW takes a number, a message and a state",
    "RAISERROR(50001, 16, 1)": "RAISERROR takes a message, a severity and a state",
    "RAISERROR 'x'": "RAISERROR takes a message",
    "SAVE TRAN a": "SAVE is not supported here: ROLLBACK undoes the whole",
    "BEGIN DISTRIBUTED TRAN": "there is one database",
    "EXEC('SELECT 1')": "no text",
    "EXEC sp_executesql N'SELECT 1'": "no text",
    "EXEC p 1 OUTPUT": "OUTPUT gives a value to a variable",
    "IF 1 = 1": "IF has no statement",
    "IF SELECT 1": "IF has no condition",
    "BEGIN SELECT 1": "this BEGIN has no END",
    "SELECT 1 END": "line 1, column 10: there is no BEGIN for this END",
    "ELSE SELECT 1": "there is no IF for this ELSE",
    "CREATE TRIGGER x": "CREATE TRIGGER is not supported",
    "foo bar": "no statement begins with 'foo'. To run a procedure, write EXEC",
    "SET LANGUAGE British": "SET LANGUAGE BRITISH is not supported",
    "SET ANSI_NULLS OFF": "SET ANSI_NULLS OFF is not supported",
    "SELECT @x = 1, 2": "values to variables or rows to the caller, not both",
    "DECLARE c CURSOR FOR SELECT 1": "cursors are not supported",
    "DECLARE @x": "declared without a type",
    "PRINT": "PRINT has nothing to say",
    "SELECT 1\nGO now": "line 2, column 4: GO stands alone",
    "CREATE PROCEDURE p @a t READONLY AS SELECT 1": "READONLY parameters are not supported",
    "CREATE PROCEDURE p AS": "no body",
    "CREATE VIEW v AS DELETE FROM t": "a view is CREATE VIEW",
    "SELECT FROM WHERE": "line 1, column 13: this is not understood",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_named(text: str):
    with pytest.raises(StatementError) as raised:
        script.read(text)
    assert REFUSED[text] in str(raised.value)
    assert raised.value.line is not None
