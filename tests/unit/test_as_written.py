"""What SQL Server is sent: the statement as written, and what it does not take inside another."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sqlscore.errors import StatementError
from sqlscore.predict import grammar
from sqlscore.predict.rules.translation import Facts
from sqlscore.predict.scope import Relation
from sqlscore.predict.translate import translate
from sqlscore.products.mssql import MSSQL
from sqlscore.types import Column

FACTS = Facts(
    dialect="tsql", lateral=True, declare=MSSQL.declare, t_sql=True, rewrite=MSSQL.rewrite
)
KNOWN = {
    ("", "@t"): Relation(
        schema=None, name="#@t", columns=(Column(name="id", type=pa.int64(), declared="bigint"),)
    )
}


def sent(text: str) -> str:
    return grammar.write(translate(grammar.parse(grammar.tokens_of(text), text), KNOWN, FACTS))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT TOP 5 PERCENT a / 2 AS b, LEN(c) AS n, 'x' + c AS d FROM dbo.t WITH (NOLOCK)",
        "UPDATE s SET s.score = b.v FROM scores AS s JOIN changes AS b ON s.id = b.id",
        "DELETE s FROM scores AS s LEFT JOIN changes AS b ON b.id = s.id WHERE b.id IS NULL",
        "SELECT CAST(a AS REAL) AS r, CAST(a AS FLOAT) AS f, CONVERT(VARCHAR(10), d, 120) AS t",
        "WITH c AS (SELECT 1 AS a) INSERT INTO t (a) SELECT a FROM c",
        "INSERT INTO t (a) OUTPUT inserted.a SELECT 1 AS a",
        "UPDATE t SET a = 2 OUTPUT inserted.a, deleted.a AS old WHERE b = 1",
    ],
)
def test_statements_pass_as_written(text: str):
    assert sent(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT id FROM @t", "SELECT id FROM [#@t] AS [@t]"),
        ("SELECT COUNT(*), a FROM t", "SELECT COUNT(*) AS [column1], a FROM t"),
        (
            "DELETE FROM dbo.t OUTPUT deleted.id WHERE id = 1",
            "DELETE dbo.t OUTPUT deleted.id FROM dbo.t WHERE id = 1",
        ),
        (
            "WITH c AS (SELECT 1 AS a), d (b) AS (SELECT a FROM c) SELECT b FROM d AS x JOIN c "
            "ON c.a = x.b",
            "SELECT b FROM (SELECT a FROM (SELECT 1 AS a) AS c) AS x(b) JOIN (SELECT 1 AS a) AS c "
            "ON c.a = x.b",
        ),
        (
            "SELECT a FROM t ORDER BY a",
            "SELECT a FROM t ORDER BY a OFFSET 0 ROWS FETCH NEXT 9223372036854775807 ROWS ONLY",
        ),
    ],
)
def test_what_cannot_stand_inside_another_query(text: str, wanted: str):
    assert sent(text) == wanted


def test_a_with_that_names_itself():
    text = "WITH c AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM c) SELECT a FROM c"
    with pytest.raises(StatementError, match="WITH that names itself"):
        sent(text)
