"""The front doors: their grammars are written back as they are read, and mean the same PREDICT."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlscore.predict import doors, grammar
from sqlscore.predict.doors.bigquery import MLPredict
from sqlscore.predict.doors.oracle_grammar import PredictOracle
from sqlscore.predict.statements import CreateView, Query
from sqlscore.predict.tree import predicts

names = st.sampled_from(["id", "age", "Spend", "t1", "x_1", "Łódź"])


def cased(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.lower(), word.title()])


def ml_predict(draw: st.DrawFn, depth: int) -> str:
    model = draw(st.sampled_from(["churn", "`churn@production`", "d.churn", "`p.d.churn`"]))
    rows = draw(st.sampled_from(["TABLE t", "TABLE d.t", "TABLE `p.d.t`"]))
    if depth and draw(st.booleans()):
        rows = f"(SELECT {draw(names)}, a / 2 AS c FROM {ml_predict(draw, depth - 1)} WHERE a > 1)"
    settings = ["0.25 AS threshold", "TRUE AS keep_original_columns"]
    chosen = draw(st.lists(st.sampled_from(settings), unique=True))
    struct = f", STRUCT({', '.join(chosen)})" if chosen else ""
    alias = draw(st.sampled_from(["", " AS p", " p"]))
    word = f"{draw(cased('ML'))}.{draw(cased('PREDICT'))}"
    return f"{word}({draw(cased('MODEL'))} {model}, {rows}{struct}){alias}"


@st.composite
def bigquery(draw: st.DrawFn) -> str:
    star = draw(st.sampled_from(["*", "p.*", "* EXCEPT (age)", "* REPLACE (a + 1 AS a)", "id"]))
    query = f"SELECT {star} FROM {ml_predict(draw, 2)}"
    if draw(st.booleans()):
        query += f" JOIN {ml_predict(draw, 1)} ON p.id = q.id"
    query += draw(st.sampled_from(["", " WHERE predicted_score > 0.5", " ORDER BY id LIMIT 3"]))
    around = [
        "{}", "INSERT INTO t (a) {}", "CREATE TABLE s AS {}", "CREATE OR REPLACE VIEW v AS {}",
        "WITH c AS (SELECT 1 AS a) {}", "SELECT 1 FROM ({}) AS x", "SELECT 1 UNION ALL {}",
    ]  # fmt: skip
    return draw(st.sampled_from(around)).format(query)


def prediction(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(["PREDICTION", "PREDICTION_PROBABILITY"]))
    model = draw(st.sampled_from(["churn", "ml.churn", '"churn@production"']))
    if name == "PREDICTION":
        model += draw(st.sampled_from(["", " COST MODEL AUTO"]))
    else:
        model += draw(st.sampled_from(["", ", 'yes'", ", 1", ", -1", ", 0.5"]))
    item = st.sampled_from(["*", "age", "c.age", "age AS years", "age + 1 AS age", "UPPER(x) AS x"])
    listed = ", ".join(draw(st.lists(item, min_size=1, max_size=3)))
    return f"{draw(cased(name))}({model} {draw(cased('USING'))} {listed})"


@st.composite
def oracle(draw: st.DrawFn) -> str:
    one, other = prediction(draw), prediction(draw)
    query = f"SELECT id, {one} AS s FROM t c"
    query += draw(st.sampled_from(["", f" WHERE {other} > 0.5", f" ORDER BY {other} DESC"]))
    around = [
        "{}", "INSERT INTO t (a, b) {}", "CREATE TABLE s AS {}", "CREATE OR REPLACE VIEW v AS {}",
        "SELECT id FROM ({}) WHERE ROWNUM < 11", "WITH c AS (SELECT 1 AS a FROM dual) {}",
        "SELECT id, MAX(s) FROM ({}) GROUP BY id", "{} FETCH FIRST 10 ROWS ONLY",
    ]  # fmt: skip
    return draw(st.sampled_from(around)).format(query)


def parsed(text: str, dialect: type):
    return grammar.parse(grammar.tokens_of(text, dialect), text, dialect)


@settings(max_examples=50, deadline=None)
@given(bigquery())
def test_bigquerys_statements_are_read_again_as_the_same(text: str):
    tree = parsed(text, MLPredict)
    assert parsed(tree.sql(dialect=MLPredict), MLPredict) == tree


@settings(max_examples=50, deadline=None)
@given(oracle())
def test_oracles_statements_are_read_again_as_the_same(text: str):
    tree = parsed(text, PredictOracle)
    assert parsed(tree.sql(dialect=PredictOracle), PredictOracle) == tree


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.just("bigquery"), bigquery()) | st.tuples(st.just("oracle"), oracle()))
def test_every_statement_becomes_one_with_predict(drawn: tuple[str, str]):
    dialect, text = drawn
    (batch,) = doors.read(text, dialect)
    (statement,) = batch.statements
    assert isinstance(statement, CreateView | Query)
    tree = statement.query if isinstance(statement, CreateView) else statement.tree
    assert predicts(tree)
    assert "PREDICT(MODEL = " in grammar.write(tree)


#: dialect, text -> the T-SQL that it means
MEANT = {
    ("bigquery", "SELECT id, AVG(a / b) AS x FROM d.t GROUP BY id LIMIT 3"): (
        "SELECT TOP 3 id, AVG(CAST(CAST(a AS FLOAT) / b AS FLOAT)) AS x FROM d.t GROUP BY id"
    ),
    ("bigquery", "SELECT CAST(a AS STRING) AS a, LENGTH(b) AS b FROM (SELECT 1 AS a, 'x' AS b)"): (
        "SELECT CAST(a AS NVARCHAR(MAX)) AS a, (LEN(b + '.') - 1) AS b"
        " FROM (SELECT 1 AS a, 'x' AS b) AS sqlscore_rows"
    ),
    ("oracle", "SELECT NVL(a, 0) AS a FROM t WHERE b > 1 AND ROWNUM < 11"): (
        "SELECT TOP 10 COALESCE(a, 0) AS a FROM t WHERE b > 1"
    ),
    ("oracle", "SELECT a FROM (SELECT a FROM t GROUP BY a ORDER BY 1 DESC) WHERE ROWNUM <= 2"): (
        "SELECT a FROM (SELECT TOP 2 a FROM t GROUP BY a"
        " ORDER BY CASE WHEN a IS NULL THEN 1 ELSE 0 END DESC,"
        " a DESC) AS sqlscore_rows"
    ),
    ("oracle", "SELECT CAST(a AS NUMBER) AS a, 1 AS b FROM dual"): (
        "SELECT CAST(a AS FLOAT) AS a, 1 AS b"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "text"), MEANT)
def test_what_a_statement_means_in_t_sql(dialect: str, text: str):
    ((statement,),) = [batch.statements for batch in doors.read(text, dialect)]
    assert isinstance(statement, Query)
    assert grammar.write(statement.tree) == MEANT[dialect, text]


def test_statements_have_their_places():
    (batch,) = doors.read("SELECT 1 AS a; ;\n\n  SELECT ';' AS b;", "bigquery")
    places = [(one.line, one.column, one.text) for one in batch.statements]
    assert places == [(1, 1, "SELECT 1 AS a"), (3, 3, "SELECT ';' AS b")]
